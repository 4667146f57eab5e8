"""`npcam report`: explanations as a page to keep, that others can check."""

import argparse
import os
import shlex
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from npcam.cli.names import stems
from npcam.cli.options import (
    Command,
    add_explaining_options,
    add_reading_options,
    add_weights_option,
    complain,
    positive,
)
from npcam.common.errors import InputError
from npcam.common.files import make_folder, open_file, require_apart, shorten
from npcam.common.text import say
from npcam.common.threads import cores
from npcam.common.where import weights_path

if TYPE_CHECKING:
    from npcam.model import Model
    from npcam.report.audited import Auditor
    from npcam.report.bundle import Reported
    from npcam.report.explained import Options
    from npcam.stream.batches import Seen

TOGETHER = 12  # photographs that one page shows; more get an index
PAGES = "_pages"  # what the folder of their pages is called, after the index
LONGEST_STEM = 200  # bytes of a page's name; a name may have 255
MARK = b'id="npcam-report'  # in every page that npcam report writes

EXAMPLES = """\
examples:
  npcam report cat.jpg -o cat.html             one page to keep, to print, and to send
  npcam report cat.jpg dog.jpg -o both.html    several photographs in one page, up to 12
  npcam report cat.jpg --target cat --target dog -o cat.html
  npcam report photos -o photos.html           an index of a folder's photographs
  npcam report photos -o photos.html --pages   and a page for each, in photos_pages
  npcam report cat.jpg --audit -o cat.html     and what a careful person asks of the map
npcam recheck says whether such a page is true"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam report`."""
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO",
        help="photographs; folders, with all below them; patterns; - for a list on standard input",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="the page (default: report.html)",
    )
    add_weights_option(parser)
    parser.add_argument(
        "--target",
        action="append",
        metavar="NAME|INDEX|top3",
        help="a class to explain besides the most probable ones; of several the first is shown first",
    )
    parser.add_argument(
        "--top", type=positive, default=5, metavar="N", help="how many classes to explain (default: 5)"
    )
    parser.add_argument(
        "--digits", action="store_true", help="also say what rounding may do to logit, class and box (slow)"
    )
    parser.add_argument(
        "--audit", action="store_true", help="also audit the map of the class explained first (seconds each)"
    )
    parser.add_argument(
        "--pages",
        action="store_true",
        help=f"of more than {TOGETHER} photographs, also write a page for each, beside the index",
    )
    add_explaining_options(parser)
    add_reading_options(parser)


def report(options: argparse.Namespace) -> int:
    """Run `npcam report`; photographs that cannot be read are named and left out, and its status is 2."""
    from npcam.explain import check_threshold
    from npcam.images.preprocess import check_interpolation
    from npcam.model import load_model
    from npcam.stream.listing import list_photographs

    check_threshold(options.threshold)
    check_interpolation(options.interpolation)
    listing = list_photographs(options.photos, getattr(sys.stdin, "buffer", None))
    _require_page(options.output, listing.photos)
    model = load_model(options.weights, threads=1)
    model.require_top("explain a class")
    if options.target is not None:
        model.class_indices(options.target)
    make_folder(options.output.parent, "-o")
    for note in (*model.weights.assumptions, *listing.notes):
        say(f"npcam: note: {note}", error=True)
    for _, message in listing.errors:
        complain(message)
    write = _write_one if len(listing.photos) <= TOGETHER else _write_many
    failed = write(options, model, listing.photos) if listing.photos else True
    return 2 if failed or listing.errors else 0


def _write_one(options: argparse.Namespace, model: "Model", photos: Sequence[str]) -> bool:
    """Write one page with all photographs; whether one failed."""
    from npcam.report.bundle import bundle, model_data, photo_data
    from npcam.report.page import write_page
    from npcam.stream.batches import Failed

    chosen, audit = _chosen(options), _auditor(options, model)
    parts: list[Reported] = []
    failed = False
    with closing(_in_order(model, photos, chosen, lambda one: photo_data(one, chosen, audit))) as results:
        for found in results:
            if isinstance(found, Failed):
                failed = True
                complain(found.message)
            else:
                parts.append(found)
    if not parts:
        return True
    data = bundle(model_data(model, weights_path(options.weights)), chosen, [part.data for part in parts])
    write_page(options.output, data, [part.picture for part in parts])
    for part in parts:
        say(_in_words(part.data, model))
    check = shlex.join(["npcam", "recheck", str(options.output)])
    say(f"{options.output}: {_size(options.output)}; {check} checks it")
    return failed


def _write_many(options: argparse.Namespace, model: "Model", photos: Sequence[str]) -> bool:
    """Write an index, and with --pages a page for each photograph; whether one failed."""
    from npcam.report.bundle import bundle, model_data, photo_data
    from npcam.report.index import write_index
    from npcam.report.page import write_page
    from npcam.report.row import row

    chosen, audit = _chosen(options), _auditor(options, model)
    about = model_data(model, weights_path(options.weights))
    folder = options.output.with_name(f"{options.output.stem}{PAGES}")
    pages = [f"{shorten(stem, LONGEST_STEM)}.html" for stem in stems(photos)]
    if options.pages:
        make_folder(folder, "-o")

    def finish(one: "Seen") -> dict[str, Any]:
        page = None
        if options.pages:
            path = folder / pages[one.number]
            _require_page(path, photos)
            found = photo_data(one, chosen, audit)
            write_page(path, bundle(about, chosen, [found.data]), [found.picture])
            page = quote(os.fsencode(f"{folder.name}/{path.name}"))
        return {**row(one, chosen), "page": page, "command": _command(options, one.path, pages[one.number])}

    rows: list[dict[str, Any]] = []
    with closing(_in_order(model, photos, chosen, finish)) as results:
        for found in results:
            if isinstance(found, dict):
                rows.append(found)
            else:
                complain(found.message)
                rows.append({"photo": Path(found.path).name, "error": found.message})
    head = {**bundle(about, chosen, []), "format": "npcam-report-index"}
    write_index(options.output, {key: head[key] for key in head if key not in ("photos", "sha256")}, rows)
    done = sum("error" not in one for one in rows)
    beside = f", and a page for each in {folder}" if options.pages else ""
    say(f"{options.output}: {done:,} photographs{beside}; {_size(options.output)}")
    return done < len(photos)


def _in_order(model: "Model", photos: Sequence[str], chosen: "Options", finish: Any) -> Generator[Any]:
    """What becomes of every photograph, several at the same time, in their order."""
    from npcam.stream.batches import Batches, Reading, cut
    from npcam.stream.pool import in_order
    from npcam.stream.progress import Progress

    reading = Reading(chosen.interpolation, chosen.exif_transpose, chosen.align, chosen.threshold)
    work: Batches[Any] = Batches(model, photos, reading, finish)
    batches = cut(len(photos))
    with Progress(len(photos)) as progress:
        for found in in_order(work, batches, max(1, min(cores(), len(batches))), work.stop):
            for one in found:
                progress.clear()
                yield one
                progress.advance()


def _chosen(options: argparse.Namespace) -> "Options":
    """The command's options, as a report has them."""
    from npcam.report.explained import Options

    return Options(
        interpolation=options.interpolation,
        exif_transpose=options.exif_transpose,
        align=options.align,
        threshold=options.threshold,
        targets=None if options.target is None else tuple(options.target),
        top=options.top,
        digits=options.digits,
        audit=options.audit,
    )


def _auditor(options: argparse.Namespace, model: "Model") -> "Auditor | None":
    """What audits one class of a pass, where that was asked for."""
    if not options.audit:
        return None
    from npcam.cli.auditing import auditor

    return auditor(model, options.interpolation)


def _command(options: argparse.Namespace, photo: str, page: str) -> str:
    """The words that make one photograph's page."""
    words = ["npcam", "report", photo, "-o", page]
    if options.weights is not None:
        words += ["--weights", options.weights]
    for target in options.target or ():
        words += ["--target", target]
    usual = argparse.ArgumentParser()
    add_options(usual)
    for name in ("top", "interpolation", "align", "threshold"):
        if getattr(options, name) != usual.get_default(name):
            words += [f"--{name}", str(getattr(options, name))]
    switches = [name for name in ("exif_transpose", "digits", "audit") if getattr(options, name)]
    words += [f"--{name.replace('_', '-')}" for name in switches]
    return shlex.join(words)


def _require_page(path: Path, photos: Sequence[str]) -> None:
    """Raise InputError unless a page may be written there: nothing is there, or one of npcam's own."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{path}: a report is a page; give -o a name that ends in .html")
    require_apart(path, photos, "choose another -o")
    if path.is_file():
        with open_file(path, "choose another -o") as file:
            before = b""
            while piece := file.read(2**20):
                if MARK in before + piece:
                    return
                before = piece[-len(MARK) :]
        if before:
            raise InputError(f"{path}: is there, and npcam did not make it; move it or choose another -o")


def _in_words(photo: dict[str, Any], model: "Model") -> str:
    """A photograph and what it shows, in a line."""
    one = next(one for one in photo["classes"] if one["index"] == photo["target"])
    share = f"{one['probability']:.1%}" if model.gives_probabilities else f"{one['probability']:.4g}"
    return f"{photo['photo']}: {one['name']} {share}, logit {one['logit']:.4f}"


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


REPORT = Command(
    "report",
    "a page of explanations to keep, that others can check",
    add_options,
    report,
    EXAMPLES,
)
