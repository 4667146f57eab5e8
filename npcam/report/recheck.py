"""A report checked: everything in it worked out anew, from the weights and the photographs themselves.

It says whether the numbers are those that these weights give for these photographs. It does not say that
the network is right, or why it decided as it did.
"""

import io
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from npcam.common.errors import InputError
from npcam.common.version import __version__
from npcam.explain import check_threshold
from npcam.images.photos import open_photo
from npcam.images.preprocess import check_interpolation, to_input
from npcam.labels import Target
from npcam.model import Model, load_model
from npcam.report.bundle import digits_data, model_data, photo_itself, versions
from npcam.report.canonical import SEAL, decode, seal, sha256_of
from npcam.report.expected import Derived, derived, exact, expected_classes
from npcam.report.explained import Options
from npcam.report.find import find_photographs, find_weights
from npcam.report.page import write_page
from npcam.report.photograph import bounds, farthest, shrunk, small_photograph
from npcam.report.read import Report, read_report
from npcam.report.verdict import Difference, Verdict

if TYPE_CHECKING:
    from PIL.Image import Image

RELATIVE = 1e-9  # of what rounding may do: numbers that float64 gives to 12 digits and more


def recheck(
    path: str | Path,
    weights: str | Path | None = None,
    photos: str | Path | None = None,
    done: Callable[[], None] = lambda: None,
) -> Verdict:
    """Work out anew all that a report shows, and compare.

    Args:
        path: the report's page.
        weights: the weights file, or the name of fetched weights; None for whichever of the bundled and the
            fetched ones has the hash that the report says.
        photos: a folder to look for the photographs in, besides that of the report.
        done: called after each photograph.

    Raises:
        InputError: it cannot be checked: no report or a damaged one, or the weights or a photograph are not
            there.
    """
    report = read_report(path)
    data = report.data
    files = find_photographs(report, photos)
    weights_file = find_weights(report, weights)
    options = _options(report)
    model = load_model(weights_file, threads=1)
    model.require_top("be what a report is of")
    verdict = Verdict()
    _compare_model(verdict, data["model"], model_data(model, weights_file))
    for number, file in enumerate(files):
        _compare_photo(verdict, number, report, file, model, options)
        done()
    _compare_document(verdict, report)
    return verdict


def _options(report: Report) -> Options:
    """The options that a report states, if they are some."""
    stated = report.data["options"]
    targets: tuple[Target, ...] | None = None if stated["targets"] is None else tuple(stated["targets"])
    try:
        check_interpolation(stated["interpolation"])
        check_threshold(stated["threshold"])
        if stated["align"] not in ("corners", "centers"):
            raise InputError(f"align: {stated['align']!r} is not known; corners and centers are")
        if not stated["top"]:
            raise InputError("top: no classes are shown")
    except InputError as error:
        raise InputError(f"{report.path}: cannot be checked: its options: {error}") from error
    return Options(**{**stated, "targets": targets})


def _compare_model(verdict: Verdict, stated: dict[str, Any], found: dict[str, Any]) -> None:
    """What is said of the network; what its file is called, and where the numbers were made, cannot be known."""
    aside = ("weights", "versions")
    for key in stated:
        if key not in aside:
            verdict.same(f"model, {key.replace('_', ' ')}", stated[key], found[key])
    if stated["weights"] != found["weights"]:
        verdict.notes.append(
            f"the report calls the weights {stated['weights']}; here they are called {found['weights']}"
        )
    others = [
        f"{name} {version} (here {versions()[name]})"
        for name, version in stated["versions"].items()
        if version != versions()[name]
    ]
    said = f"; it says {', '.join(others)}" if others else "; it says the same as here"
    verdict.notes.append(f"not looked at: which libraries made the report{said}")


def _compare_photo(
    verdict: Verdict, number: int, report: Report, file: Path, model: Model, options: Options
) -> None:
    """All that is said of one photograph."""
    stated, where = report.data["photos"][number], f"photo {number + 1}"
    photo = open_photo(file, options.exif_transpose)
    pixels = to_input(photo, model.photo_size, options.interpolation, model.weights.preprocessing.grey)
    if file.name != stated["photo"]:
        verdict.notes.append(f"{where}: the report calls it {stated['photo']}; here it is called {file.name}")
    picture, size = small_photograph(photo)
    found = photo_itself(photo, pixels, picture, size)
    _require_same_decoder(report, number, found)
    for key in ("size", "exif_orientation", "input_sha256"):
        verdict.same(f"{where}, {key.replace('_', ' ')}", stated[key], found[key])
    _compare_picture(
        verdict, where, stated["picture"], report.pictures[number], photo, picture, found["picture"]
    )
    true = exact(model, pixels)
    maps = decode(stated["features"]["float32"], true.features.shape)
    verdict.close(f"{where}, maps", maps, true.features, true.of_features, "maps")
    target, classes = expected_classes(model, photo, true, stated, options)
    named = [one["index"] for one in stated["classes"]]
    verdict.same(f"{where}, class explained first", stated["target"], target)
    if verdict.same(f"{where}, classes", str(named), str(classes)):
        follows = derived(model, photo, true, stated, classes, options)
        for place, one in enumerate(stated["classes"]):
            index = one["index"]
            for what in ("logit", "probability"):
                value, bound = (getattr(true, f"{kind}{_PLURAL[what]}")[index] for kind in ("", "of_"))
                name = f"{where}, {what} of {model_label(model, index)}"
                verdict.close(name, np.asarray(one[what]), value, np.asarray(bound), _PLURAL[what])
            _compare_class(verdict, where, one, follows, place)
    digits = digits_data(model, pixels, target, options) if options.digits else None
    _compare_digits(verdict, f"{where}, digits", stated["digits"], digits)


_PLURAL = {"logit": "logits", "probability": "probabilities"}


def model_label(model: Model, index: int) -> str:
    """A class's name, or its index as text where the model has no names."""
    return model.class_names[index] if model.class_names else str(index)


def _require_same_decoder(report: Report, number: int, found: dict[str, Any]) -> None:
    """Where Pillow is another one, and reads other pixels from the same file, nothing can be said."""
    stated, made = report.data["photos"][number], report.data["model"]["versions"]
    decoders = [name for name in ("pillow", "libjpeg") if made[name] != versions()[name]]
    if stated["input_sha256"] != found["input_sha256"] and decoders:
        here = ", ".join(f"{name} {versions()[name]} (there {made[name]})" for name in decoders)
        msg = f"photo {number + 1}: the same file has other pixels here, with {here}"
        raise InputError(f"{report.path}: cannot be checked: {msg}; use the versions that the report names")


def _compare_picture(
    verdict: Verdict,
    where: str,
    stated: dict[str, Any],
    shown: bytes,
    photo: "Image",
    made: bytes,
    found: dict[str, Any],
) -> None:
    """The picture that the page shows: its bytes, their hash, and its pixels."""
    if not verdict.same(f"{where}, picture, sha256", stated["sha256"], sha256_of(shown)):
        return
    same = [
        verdict.same(f"{where}, picture, {key}", stated[key], found[key]) for key in stated if key != "sha256"
    ]
    if not all(same) or shown == made:
        return
    from PIL import Image

    small = shrunk(photo)
    try:
        with Image.open(io.BytesIO(shown), formats=("JPEG",)) as opened:
            size, tables = opened.size, opened.quantization  # type: ignore[attr-defined]
            layers = [layer[1:3] for layer in opened.layer]  # type: ignore[attr-defined]
    except Exception as error:
        verdict.differences.append(Difference(f"{where}, picture", "a JPEG", f"none ({error})"))
        return
    with Image.open(io.BytesIO(made), formats=("JPEG",)) as ours:
        usual = ours.quantization  # type: ignore[attr-defined]
    verdict.same(f"{where}, picture, its own size", str(size), str(small.size))
    if not verdict.same(f"{where}, picture, its quantisation", str(dict(tables)), str(dict(usual))):
        return
    if (
        not verdict.same(f"{where}, picture, its channels", str(layers), str([(1, 1)] * 3))
        or size != small.size
    ):
        return
    try:
        pixels = np.asarray(open_photo(io.BytesIO(shown)))
    except InputError as error:
        verdict.differences.append(Difference(f"{where}, picture", "a JPEG", f"none ({error})"))
        return
    apart, allowed = farthest(pixels, np.asarray(small)), bounds(dict(usual))
    verdict.compared += pixels.size
    worst = int(np.argmax(apart - allowed))
    if apart[worst] > allowed[worst]:
        what = f"{where}, picture, {('red', 'green', 'blue')[worst]}"
        verdict.differences.append(
            Difference(what, f"within {allowed[worst]:.1f} levels", f"{apart[worst]:.1f} levels")
        )
    else:
        verdict.notes.append(
            f"{where}: its picture was encoded elsewhere; a block of it is up to {apart.max():.1f} levels off, "
            f"{allowed.max():.1f} are allowed"
        )


def _compare_class(
    verdict: Verdict, where: str, stated: dict[str, Any], follows: Derived, place: int
) -> None:
    """All that follows from maps, weights and logit."""
    found, bound = follows.classes[place], follows.bounds[place]
    name = found["name"]
    for key in ("name", "bias", "weights"):
        verdict.same(f"{where}, {key} of {name}", stated[key], found[key])
    verdict.near(
        f"{where}, completeness of {name}",
        stated["completeness"],
        found["completeness"],
        bound["completeness"],
    )
    verdict.near(
        f"{where}, scale of {name}",
        stated["scale"],
        found["scale"],
        max(one["scale"] for one in follows.bounds),
    )
    verdict.near(
        f"{where}, evidence in box of {name}",
        stated["evidence_in_box"],
        found["evidence_in_box"],
        bound["evidence"],
    )
    if follows.boxes_may_move[place]:
        verdict.notes.append(f"{where}: a box of {name} may move by rounding, and is not compared")
    else:
        for key in ("box", "everywhere"):
            verdict.same(f"{where}, {key} of {name}", str(stated[key]), str(found[key]))
        boxes = [[one["box"] for one in some["boxes"]] for some in (stated, found)]
        verdict.same(f"{where}, boxes of {name}", str(boxes[0]), str(boxes[1]))
    for number, (one, other) in enumerate(zip(stated["boxes"], found["boxes"], strict=False), start=1):
        what = f"{where}, evidence in box {number} of {name}"
        verdict.near(what, one["evidence"], other["evidence"], bound["evidence"])
    _compare_maps(verdict, f"{where}, {{}} of {name}", stated["maps"], follows, place)


def _compare_maps(
    verdict: Verdict, called: str, stated: dict[str, Any], follows: Derived, place: int
) -> None:
    """What the logit is made of."""
    found, bound = follows.classes[place]["maps"], follows.bounds[place]
    ks = [[one["k"] for one in some["largest"]] for some in (stated, found)]
    if not verdict.same(called.format("largest maps"), str(ks[0]), str(ks[1])):
        return
    for one, other in zip(stated["largest"], found["largest"], strict=True):
        verdict.same(called.format(f"weight of map {one['k']}"), one["weight"], other["weight"])
        for key in ("adds", "share"):
            what = {"adds": "what map {} adds", "share": "share of map {}"}[key].format(one["k"])
            verdict.near(called.format(what), one[key], other[key], bound[key])
    for share, n in stated["needed"].items():
        least, most = (math.inf if one is None else one for one in follows.needed[place][share])
        verdict.compared += 1
        if not least <= (math.inf if n is None else n) <= most:
            what = called.format(f"maps for {share} %")
            verdict.differences.append(Difference(what, n, found["needed"][share]))


def _compare_digits(
    verdict: Verdict, where: str, stated: dict[str, Any] | None, found: dict[str, Any] | None
) -> None:
    """What rounding may do."""
    if stated is None or found is None:
        verdict.same(where, stated, found)
        return
    for key, value in found.items():
        what = f"{where}, {key.replace('_', ' ')}"
        if isinstance(value, float) and stated[key] is not None:
            verdict.near(what, stated[key], value, RELATIVE * abs(value))
        else:
            verdict.same(what, stated[key], value)


def _compare_document(verdict: Verdict, report: Report) -> None:
    """The data's own text, and all that the page has besides them."""
    verdict.same("hash over all data", report.data[SEAL], seal(report.data))
    verdict.same("the data's text, as npcam writes it", report.as_written, True)
    if report.data["npcam"] != __version__:
        verdict.notes.append(
            f"not looked at: the page's own words, style and script, which npcam {report.data['npcam']} wrote; "
            f"this is npcam {__version__}"
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, Path(report.path).name)
        write_page(path, report.data, report.pictures)
        anew = path.read_text(encoding="utf-8-sig")
    verdict.compared += 1
    if report.page != anew:
        pairs = zip(report.page.splitlines(), anew.splitlines(), strict=False)
        line = next((i for i, (one, other) in enumerate(pairs) if one != other), None)
        lines = [text.splitlines() for text in (report.page, anew)]
        if line is None:
            where, texts = "the page, lines", tuple(len(some) for some in lines)
        else:
            where, texts = f"the page, line {line + 1}", tuple(some[line].strip() for some in lines)
        verdict.differences.append(Difference(where, *texts))
