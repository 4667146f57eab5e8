"""One photograph's part of a report, compared with what is worked out from the photograph itself."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.images.photos import open_photo
from npcam.images.preprocess import to_input
from npcam.model import Model
from npcam.report.audited import Auditor, audit_data, compare_audit
from npcam.report.bundle import digits_data, photo_itself, versions
from npcam.report.canonical import decode
from npcam.report.expected import Derived, Exact, derived, exact, expected_classes
from npcam.report.explained import Options
from npcam.report.photograph import small_photograph
from npcam.report.read import Report
from npcam.report.shown import compare_picture
from npcam.report.verdict import Difference, Verdict

RELATIVE = 1e-9  # of what `digits` says: sums of millions of squares in float64, in any order


class Checking(NamedTuple):
    """A report that is being checked: what was found so far, and what it is checked with."""

    verdict: Verdict
    report: Report
    model: Model
    options: Options
    audit: Auditor | None = None


def compare_photo(checking: Checking, number: int, file: Path) -> None:
    """Compare all that is said of one photograph.

    Args:
        checking: what is found goes to its verdict.
        number: the photograph's place in the report.
        file: where the photograph is.

    Raises:
        InputError: it cannot be read, or not to the same pixels as where the report was made.
    """
    verdict, report, model, options, audit = checking
    stated, where = report.data["photos"][number], f"photo {number + 1}"
    photo = open_photo(file, options.exif_transpose)
    pixels = to_input(photo, model.photo_size, options.interpolation, model.weights.preprocessing.grey)
    if file.name != stated["photo"]:
        verdict.notes.append(f"{where}: the report calls it {stated['photo']}; here it is called {file.name}")
    picture, size = small_photograph(photo)
    found = photo_itself(photo, pixels, picture, size)
    _require_same_decoder(report, number, found["input_sha256"])
    for key in ("size", "exif_orientation", "input_sha256"):
        verdict.same(f"{where}, {key.replace('_', ' ')}", stated[key], found[key])
    shown = report.pictures[number]
    compare_picture(verdict, where, stated["picture"], shown, photo, picture, found["picture"])
    true = exact(model, pixels)
    maps = decode(stated["features"]["float32"], true.features.shape)
    verdict.close(f"{where}, maps", maps, true.features, true.of_features, "maps")
    target, classes = expected_classes(model, photo, true, stated, options)
    verdict.same(f"{where}, class explained first", stated["target"], target)
    if verdict.same(f"{where}, classes", str([one["index"] for one in stated["classes"]]), str(classes)):
        follows = derived(model, photo, true, stated, classes, options)
        for place, one in enumerate(stated["classes"]):
            _compare_outputs(verdict, where, one, true, follows.classes[place]["name"])
            _compare_class(verdict, where, one, follows, place)
            _compare_boxes(verdict, where, one, follows, place)
            _compare_maps(verdict, where, one["maps"], follows, place)
    digits = digits_data(model, pixels, target, options) if options.digits else None
    _compare_digits(verdict, f"{where}, digits", stated["digits"], digits)
    if options.audit != (stated["audit"] is not None):
        verdict.same(
            f"{where}, audit", *("one" if yes else "none" for yes in (stated["audit"], options.audit))
        )
    elif options.audit:
        if audit is None:
            raise InputError(
                f"{report.path}: cannot be checked: it holds an audit, and nothing was given to audit"
            )
        found_audit = audit_data(model, photo, target, options, audit)
        compare_audit(verdict, f"{where}, audit", stated["audit"], found_audit)


def _require_same_decoder(report: Report, number: int, input_sha256: str) -> None:
    """Where Pillow is another one, and reads other pixels from the same file, nothing can be said."""
    stated, made, here = report.data["photos"][number], report.data["model"]["versions"], versions()
    decoders = [name for name in ("pillow", "libjpeg") if made[name] != here[name]]
    if stated["input_sha256"] != input_sha256 and decoders:
        said = ", ".join(f"{name} {here[name]} (there {made[name]})" for name in decoders)
        msg = f"photo {number + 1}: the file has other pixels than the report says, read here with {said}"
        raise InputError(f"{report.path}: cannot be checked: {msg}; use the versions that it names")


def _compare_outputs(verdict: Verdict, where: str, stated: dict[str, Any], true: Exact, name: str) -> None:
    """What the network put out: within what rounding may do."""
    index = stated["index"]
    for what, kind, values, bounds in (
        ("logit", "logits", true.logits, true.of_logits),
        ("probability", "probabilities", true.probabilities, true.of_probabilities),
    ):
        value, bound = np.asarray(values[index]), np.asarray(bounds[index])
        verdict.close(f"{where}, {what} of {name}", np.asarray(stated[what], float), value, bound, kind)


def _compare_class(
    verdict: Verdict, where: str, stated: dict[str, Any], follows: Derived, place: int
) -> None:
    """Its name and weights, and whether the map accounts for the logit that is stated."""
    found, bound = follows.classes[place], follows.bounds[place]
    name = found["name"]
    for key in ("name", "bias", "weights"):
        verdict.same(f"{where}, {key} of {name}", stated[key], found[key])
    what = f"{where}, completeness of {name}"
    verdict.near(what, stated["completeness"], found["completeness"], bound["completeness"])
    of_scale = max(one["scale"] for one in follows.bounds)  # it is the largest of all classes'
    verdict.near(f"{where}, scale of {name}", stated["scale"], found["scale"], of_scale)


def _compare_boxes(
    verdict: Verdict, where: str, stated: dict[str, Any], follows: Derived, place: int
) -> None:
    """The boxes, exactly, and the evidence in them."""
    found, bound = follows.classes[place], follows.bounds[place]["evidence"]
    name = found["name"]
    if follows.boxes_may_move[place]:
        verdict.notes.append(f"{where}: the boxes of {name} may move by rounding, and are not compared")
        return
    verdict.same(f"{where}, box of {name}", str(stated["box"]), str(found["box"]))
    verdict.same(f"{where}, everywhere of {name}", stated["everywhere"], found["everywhere"])
    what = f"{where}, evidence in box of {name}"
    verdict.near(what, stated["evidence_in_box"], found["evidence_in_box"], bound)
    boxes = [str([one["box"] for one in some["boxes"]]) for some in (stated, found)]
    if verdict.same(f"{where}, boxes of {name}", *boxes):
        pairs = zip(stated["boxes"], found["boxes"], strict=True)
        for number, (one, other) in enumerate(pairs, start=1):
            what = f"{where}, evidence in box {number} of {name}"
            verdict.near(what, one["evidence"], other["evidence"], bound)


def _compare_maps(verdict: Verdict, where: str, stated: dict[str, Any], follows: Derived, place: int) -> None:
    """What the logit is made of."""
    found, bound = follows.classes[place]["maps"], follows.bounds[place]
    name = follows.classes[place]["name"]
    ks = [str([one["k"] for one in some["largest"]]) for some in (stated, found)]
    if verdict.same(f"{where}, largest maps of {name}", *ks):
        for one, other in zip(stated["largest"], found["largest"], strict=True):
            of = f"of map {one['k']} for {name}"
            verdict.same(f"{where}, weight {of}", one["weight"], other["weight"])
            verdict.near(f"{where}, sum {of}", one["adds"], other["adds"], bound["adds"])
            verdict.near(f"{where}, share {of}", one["share"], other["share"], bound["share"])
    for share, n in stated["needed"].items():
        least, most = (math.inf if one is None else one for one in follows.needed[place][share])
        verdict.compared += 1
        if not least <= (math.inf if n is None else n) <= most:
            what = f"{where}, maps needed for {share} % of {name}"
            verdict.differences.append(Difference(what, n, found["needed"][share]))


def _compare_digits(
    verdict: Verdict, where: str, stated: dict[str, Any] | None, found: dict[str, Any] | None
) -> None:
    """What rounding may do."""
    if stated is None or found is None:
        verdict.same(where, *("none" if one is None else "some" for one in (stated, found)))
        return
    for key, value in found.items():
        what = f"{where}, {key.replace('_', ' ')}"
        if isinstance(value, float) and stated[key] is not None:
            verdict.near(what, stated[key], value, RELATIVE * abs(value))
        else:
            verdict.same(what, stated[key], value)
