"""`npcam explain`: what is in photographs, and where the network sees it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npcam.cli.drawing import add_drawing_options, check_drawing, draw_and_save, is_several
from npcam.cli.options import Command, add_weights_option, complain, positive
from npcam.cli.outputs import ClassNames, make_folder, output_names
from npcam.common.errors import InputError
from npcam.common.text import say, show, to_json

if TYPE_CHECKING:
    from npcam.explain import Explanation
    from npcam.labels import Prediction
    from npcam.model import Model
    from npcam.pictures.versus import Versus

EXAMPLES = """\
examples:
  npcam explain cat.jpg                      top classes, and cat_cam.png with the heat map
  npcam explain *.jpg -o maps --json         many photographs, results as JSON
  npcam explain cat.jpg --target dog         where does it see a dog?
  npcam explain cat.jpg --target top3        the three most probable classes, side by side
  npcam explain cat.jpg --versus dog         why a cat, and not a dog?
  npcam explain cat.jpg --weights resnet50.h5 --colormap jet"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam explain`."""
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photographs, as JPEG, PNG, WebP, ...")
    add_weights_option(parser)
    parser.add_argument(
        "--target",
        action="append",
        metavar="NAME|INDEX|top3",
        help="the class to explain (default: the most probable one); given several times, or top3 for the "
        "three most probable ones: side by side, on one scale",
    )
    parser.add_argument(
        "--versus", metavar="NAME|INDEX", help="explain the difference to this class: why not this one?"
    )
    parser.add_argument(
        "--top", type=positive, default=5, metavar="N", help="how many classes to list (default: 5)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(), metavar="DIR", help="folder of the pictures (default: .)"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON array instead of text")
    parser.add_argument(
        "--digits", action="store_true", help="also say what rounding may do to logit, class and box (slow)"
    )
    parser.add_argument(
        "--save-map", action="store_true", help="also write the signed map itself, PHOTO_cam.npy"
    )
    add_drawing_options(parser)
    parser.add_argument(
        "--interpolation",
        default="nearest",
        help="how to resize: nearest, as Keras does, bilinear, ... (default: nearest)",
    )
    parser.add_argument(
        "--exif-transpose", action="store_true", help="turn photographs upright, which Keras does not"
    )
    parser.add_argument(
        "--align",
        choices=["corners", "centers"],
        default="corners",
        help="how to upsample: corners, as SciPy does, or half-pixel centers (default: corners)",
    )


def explain_photographs(options: argparse.Namespace) -> int:
    """Run `npcam explain`; one bad photograph does not stop the others."""
    from npcam.explain import check_threshold
    from npcam.model import load_model

    check_drawing(options)
    check_threshold(options.threshold)
    model = load_model(options.weights)
    if not model.has_top:
        reason = "holds a network without a top (include_top=False), so there is no class to explain"
        raise InputError(f"{options.weights}: {reason}; convert the model that has its last layers")
    if options.target is not None:
        model.class_indices(options.target)
    if options.versus is not None:
        model.class_index(options.versus)
    make_folder(options.output, "-o")
    for note in model.weights.assumptions:
        say(f"npcam: note: {note}", error=True)

    results: list[dict[str, object]] = []
    names, classes = output_names(options.photos, options.output), ClassNames(options.photos)
    for number, (photo, name) in enumerate(zip(options.photos, names, strict=True), start=1):
        if len(options.photos) > 1 and sys.stderr.isatty():
            say(f"[{number}/{len(options.photos)}] {photo}", error=True)
        try:
            found, top = _explain_one(model, photo, name, classes, options)
        except (InputError, MemoryError, OSError) as error:
            message = str(error) if isinstance(error, InputError) else f"{photo}: {_reason(error)}"
            results.append({"photo": photo, "error": message})
            complain(message)
            continue
        results.append(found)
        if not options.json:
            _say_explanation(found, top, options.boxes)
    if options.json:
        show(to_json(results))
    return 2 if any("error" in result for result in results) else 0


def _explain_one(
    model: "Model", photo: str, name: Path, classes: ClassNames, options: argparse.Namespace
) -> tuple[dict[str, object], list["Prediction"]]:
    """Explain one photograph and write its files; nothing of it stays in memory but the words."""
    from npcam.explain import explain

    several = is_several(options)
    chosen = {"targets": options.target} if several else {"target": (options.target or [None])[0]}
    e = explain(
        model,
        photo,
        **chosen,
        interpolation=options.interpolation,
        exif_transpose=options.exif_transpose,
        align=options.align,
        threshold=options.threshold,
    )
    found = list(e) if several else [e]
    against = [one.versus(options.versus) for one in found] if options.versus is not None else []
    rounding = [_digits(model, one, options) for one in found] if options.digits else []
    overlays = draw_and_save(against or found, name, classes, options)
    first, *_ = found
    kind = "probability" if first.gives_probabilities else "value"
    top = first.top(options.top)
    each = [_in_json(one, options.boxes) for one in found]
    for one, versus in zip(each, against, strict=False):
        one["versus"] = _versus_in_json(versus, options.boxes)
    for one, said in zip(each, rounding, strict=False):
        one["digits"] = said
    if len(overlays) > 1:
        for one, overlay in zip(each, overlays, strict=True):
            one["overlay"] = str(overlay)
    result: dict[str, object] = {
        "photo": photo,
        "top": [{"index": p.index, "name": p.name, kind: p.probability} for p in top],
        **each[0],
        "overlay": str(overlays[0]),
        "notes": first.notes,
    }
    return result | ({"targets": each} if several else {}), top


def _in_json(e: "Explanation", boxes: int | None) -> dict[str, object]:
    """What a JSON object says of one class."""
    return {
        "target": e.target,
        "label": e.label,
        "probability" if e.gives_probabilities else "value": e.probability,
        "logit": e.logit,
        **_boxes_in_json(e, boxes),
        "completeness": e.completeness,
    }


def _digits(model: "Model", e: "Explanation", options: argparse.Namespace) -> object:
    """What rounding may do to an explanation, before its photograph is drawn on."""
    from npcam.images.preprocess import to_input
    from npcam.verify.digits import as_json, digits

    pixels = to_input(e.photo, model.photo_size, options.interpolation, model.weights.preprocessing.grey)
    found = digits(model, model.preprocess(pixels[None]), e.target, options.align, options.threshold)
    return as_json(found, model.class_names)


def _versus_in_json(versus: "Versus", boxes: int | None) -> dict[str, object]:
    """What a JSON object says of the difference to another class."""
    return {
        "target": versus.other,
        "label": versus.other_label,
        "logit_difference": versus.logit,
        **_boxes_in_json(versus, boxes),
        "completeness": versus.completeness,
    }


def _boxes_in_json(shown: "Explanation | Versus", boxes: int | None) -> dict[str, object]:
    """The box, all boxes or the strongest ones, and what lies in them."""
    return {
        "box": shown.box,
        "everywhere": shown.everywhere,
        "evidence_in_box": shown.evidence_in_box,
        "boxes": [part._asdict() for part in shown.boxes[:boxes]],
    }


def _say_explanation(found: dict[str, Any], top: Sequence["Prediction"], boxes: int | None) -> None:
    """The same in words; values that are no probabilities are not shown as percentages."""
    say(str(found["photo"]))
    for _, name, value in top:
        say(f"  {value:7.2%}  {name}" if "probability" in found else f"  {value:9.4f}  {name}")
    targets = found.get("targets", [found])
    for one in targets:
        say(f"  target        {one['label']} (class {one['target']}), logit {one['logit']:.4f}")
        if "versus" in one:
            against = one["versus"]
            say(f"  versus        {against['label']}, logits {against['logit_difference']:+.4f} apart")
        _say_boxes(one.get("versus", one), boxes)
        _say_digits(one)
        if "overlay" in one and len(targets) > 1:
            say(f"  overlay       {one['overlay']}")
    if not all("overlay" in one for one in targets) or len(targets) == 1:
        say(f"  overlay       {found['overlay']}")


def _say_boxes(shown: dict[str, Any], boxes: int | None) -> None:
    """Where the evidence is, how much of it lies there, and whether the map accounts for the number."""
    if shown["box"] is None:
        say("  box           none: nothing speaks for this class")
    elif boxes:
        for number, part in enumerate(shown["boxes"], start=1):
            say(f"  {f'box {number}':12}  {part['box']}, {part['evidence']:.1%} of the evidence")
    else:
        share = f"{shown['evidence_in_box']:.1%} of the evidence"
        say(f"  box           {shown['box']}, {'everywhere' if shown['everywhere'] else share}")
    say(f"  completeness  {shown['completeness']:+.1e} (mean of map + bias - logit)")


def _say_digits(found: dict[str, Any]) -> None:
    """What rounding may do, where it was asked for."""
    if "digits" in found:
        from npcam.verify.digits import in_words

        for heading, line in zip(("digits", "", ""), in_words(found), strict=True):
            say(f"  {heading:<13} {line}")


def _reason(error: MemoryError | OSError) -> str:
    """What stopped a photograph that is no fault of the photograph's."""
    return "not enough memory" if isinstance(error, MemoryError) else error.strerror or str(error)


EXPLAIN = Command(
    "explain",
    "what is in a photograph, and where the network sees it",
    add_options,
    explain_photographs,
    EXAMPLES,
)
