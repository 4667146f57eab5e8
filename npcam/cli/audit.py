"""`npcam audit`: what a careful person asks of maps, measured."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npcam.cli.measured import measured
from npcam.cli.options import Command, add_reading_options, add_weights_option, positive
from npcam.common.errors import InputError
from npcam.common.files import make_folder, require_file, require_outside
from npcam.common.hashes import sha256_file
from npcam.common.text import say, show, to_json
from npcam.common.version import __version__
from npcam.common.where import weights_path

if TYPE_CHECKING:
    from npcam.datasets.photographs import Photograph
    from npcam.localise.journal import Rows
    from npcam.model import Model
    from npcam.stream.batches import Reading

EXAMPLES = """\
examples:
  npcam audit cat.jpg -o results                            one photograph, about four seconds
  npcam audit photos --limit 200 -o results                 200 photographs, evenly spread over the folder
  npcam audit photos --boxes boxes.json -o results          and how much of the evidence lies in the objects
  npcam audit photos --weights mine.h5 -o results --json
a run that was stopped goes on where it was: give the same command again"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam audit`."""
    parser.add_argument("photo", metavar="PHOTO|FOLDER", help="a photograph, or a folder with all below it")
    parser.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help="at most so many photographs, evenly spread over the folder",
    )
    parser.add_argument(
        "--boxes",
        metavar="FILE",
        help="boxes of the objects: CSV, JSON, COCO's, or a folder of XML; see docs/evaluate.md",
    )
    add_weights_option(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="RESULTS", help="folder of the results"
    )
    parser.add_argument("--json", action="store_true", help="print audit.json instead of a table")
    add_reading_options(parser)


def audit(options: argparse.Namespace) -> int:
    """Run `npcam audit`; photographs that cannot be read are listed, and end it with status 2."""
    from npcam.audit.folder import spread
    from npcam.audit.photo import notes_of
    from npcam.audit.results import summarise, write_results, write_worst
    from npcam.images.preprocess import check_interpolation
    from npcam.model import load_model
    from npcam.stream.batches import Reading

    check_interpolation(options.interpolation)
    model = load_model(options.weights, threads=1)
    model.require_top("explain a class")
    require_outside(options.output, options.photo, "-o")
    every, notes = _photographs(options, model)
    photographs = spread(every, options.limit)
    if len(photographs) < len(every):
        notes.append(
            f"{len(photographs):,} of {len(every):,} photographs were taken, evenly spread over the list"
        )
    make_folder(options.output, "-o")
    notes = [*model.weights.assumptions, *notes]
    reading = Reading(options.interpolation, align=options.align)
    provenance = _provenance(options, photographs)
    for note in notes:
        say(f"npcam: note: {note}", error=True)
    rows = _measure(options, model, photographs, reading, provenance)
    for row in rows:
        if "error" in row:
            say(f"npcam: {row['error']}", error=True)
    found, numbers, read = summarise(rows, provenance)
    more = notes_of(model.gives_probabilities, "inside.mass" in numbers)
    found["provenance"]["notes"] = [*notes, *more]
    write_worst(options.output, found, model, photographs, reading)
    title = f"{weights_path(options.weights).name} on {Path(options.photo).resolve().name}"
    for note in [*more, *write_results(options.output, found, numbers, read, title)]:
        say(f"npcam: note: {note}", error=True)
    if options.json:
        show(to_json(found))
    else:
        _say_tables(found, options.output)
    return 2 if any("error" in row for row in rows) else 0


def _photographs(options: argparse.Namespace, model: "Model") -> tuple[list["Photograph"], list[str]]:
    """The photographs that are meant, and notes on what was left out."""
    from npcam.audit.folder import NO_LABEL
    from npcam.datasets.photographs import Photograph
    from npcam.datasets.read import read_dataset
    from npcam.stream.listing import list_photographs

    if options.boxes is not None:
        dataset = read_dataset(options.photo, options.boxes, model)
        return list(dataset.photographs), list(dataset.notes)
    folder = Path(options.photo)
    if not folder.is_dir():
        require_file(folder, "give a photograph, or a folder of photographs")
        return [Photograph(str(folder), folder.name, NO_LABEL)], []
    listing = list_photographs([options.photo])
    if not listing.photos:
        raise InputError(listing.errors[0][1] if listing.errors else f"{folder}: holds no photograph")
    photographs = [
        Photograph(path, Path(path).relative_to(folder).as_posix(), NO_LABEL) for path in listing.photos
    ]
    return photographs, [*listing.notes, *(message for _, message in listing.errors)]


def _provenance(options: argparse.Namespace, photographs: Sequence["Photograph"]) -> dict[str, Any]:
    """What results depend on."""
    from npcam.localise.journal import digest

    weights = weights_path(options.weights)
    return {
        "npcam": __version__,
        "weights": weights.name,
        "weights_sha256": sha256_file(weights),
        "photographs": {
            "of": str(Path(options.photo)),
            "boxes": options.boxes and str(options.boxes),
            "count": len(photographs),
            "sha256": digest(photographs),
        },
        "options": {"limit": options.limit, "align": options.align, "interpolation": options.interpolation},
    }


def _measure(
    options: argparse.Namespace,
    model: "Model",
    photographs: Sequence["Photograph"],
    reading: "Reading",
    provenance: Mapping[str, Any],
) -> "Rows":
    """A row for each photograph; those that an earlier run has measured are taken from it."""
    from npcam.audit.folder import Auditing

    work = Auditing(model, photographs, reading)
    batches = [range(i, i + 1) for i in range(len(photographs))]  # hundreds of passes each
    # What tells one audit from another, wherever its files lie: not the paths.
    files = {key: value for key, value in provenance["photographs"].items() if key not in ("of", "boxes")}
    about = {"what": "npcam audit", **provenance, "photographs": files}
    return measured(options, work, about, photographs, batches)


def _say_tables(found: Mapping[str, Any], folder: Path) -> None:
    """Every figure with its interval and its sentence."""
    from npcam.audit.words import lead, table

    show(f"{lead(found)}\n\n{table(found)}\n")
    for entry in found["figures"]:
        show(f"- {entry['title']}. {entry['sentence']}")
    show(f"\n{found['caveat']}\n\n{folder / 'audit.md'}")


AUDIT = Command(
    "audit",
    "what a careful person asks of maps: deletion, insertion, random weights, stability, true boxes",
    add_options,
    audit,
    EXAMPLES,
)
