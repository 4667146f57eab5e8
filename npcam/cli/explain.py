"""`npcam explain`: what is in photographs, and where the network sees it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from npcam.cli.options import Command, add_weights_option, complain, positive
from npcam.cli.outputs import map_path, output_names, overlay_path, require_own, save_map, save_overlay
from npcam.common.errors import InputError
from npcam.common.text import say, show, to_json

if TYPE_CHECKING:
    from npcam.labels import Prediction
    from npcam.model import Model

EXAMPLES = """\
examples:
  npcam explain cat.jpg                      top classes, and cat_cam.png with the heat map
  npcam explain *.jpg -o maps --json         many photographs, results as JSON
  npcam explain cat.jpg --target dog         where does it see a dog?
  npcam explain cat.jpg --weights resnet50.h5 --colormap jet"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam explain`."""
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photographs, as JPEG, PNG, WebP, ...")
    add_weights_option(parser)
    parser.add_argument(
        "--target", metavar="NAME|INDEX", help="the class to explain (default: the most probable one)"
    )
    parser.add_argument(
        "--top", type=positive, default=5, metavar="N", help="how many classes to list (default: 5)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(), metavar="DIR", help="folder of the pictures (default: .)"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON array instead of text")
    parser.add_argument(
        "--save-map", action="store_true", help="also write the signed map itself, PHOTO_cam.npy"
    )
    parser.add_argument(
        "--colormap",
        default="viridis",
        help="colours of the heat map: viridis, jet, turbo, magma or grey (default: viridis)",
    )
    parser.add_argument(
        "--alpha", type=float, default=0.5, help="opacity of the heat map, from 0 to 1 (default: 0.5)"
    )
    parser.add_argument("--no-box", dest="box", action="store_false", help="leave the box out of the picture")
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
    from npcam.pictures.draw import check_style
    from npcam.model import load_model

    check_style(options.colormap, options.alpha)
    model = load_model(options.weights)
    model.require_top("explain a class")
    if options.target is not None:
        model.class_index(options.target)
    _make_folder(options.output)
    for note in model.weights.assumptions:
        say(f"npcam: note: {note}", error=True)

    results: list[dict[str, object]] = []
    names = output_names(options.photos, options.output)
    for number, (photo, name) in enumerate(zip(options.photos, names, strict=True), start=1):
        if len(options.photos) > 1 and sys.stderr.isatty():
            say(f"[{number}/{len(options.photos)}] {photo}", error=True)
        try:
            found, top = _explain_one(model, photo, name, options)
        except (InputError, MemoryError, OSError) as error:
            message = str(error) if isinstance(error, InputError) else f"{photo}: {_reason(error)}"
            results.append({"photo": photo, "error": message})
            complain(message)
            continue
        results.append(found)
        if not options.json:
            _say_explanation(found, top)
    if options.json:
        show(to_json(results))
    return 2 if any("error" in result for result in results) else 0


def _explain_one(
    model: "Model", photo: str, name: Path, options: argparse.Namespace
) -> tuple[dict[str, object], list["Prediction"]]:
    """Explain one photograph and write its files; nothing of it stays in memory but the words."""
    from npcam.explain import explain

    overlay = overlay_path(name)
    require_own(overlay)
    if options.save_map:
        require_own(map_path(name))
    e = explain(
        model,
        photo,
        options.target,
        interpolation=options.interpolation,
        exif_transpose=options.exif_transpose,
        align=options.align,
    )
    save_overlay(e.overlay(options.colormap, options.alpha, options.box, in_place=True), overlay)
    if options.save_map:
        save_map(e.cam, map_path(name))
    kind = "probability" if e.gives_probabilities else "value"
    top = e.top(options.top)
    found = {
        "photo": photo,
        "top": [{"index": p.index, "name": p.name, kind: p.probability} for p in top],
        "target": e.target,
        "label": e.label,
        kind: e.probability,
        "logit": e.logit,
        "box": e.box,
        "completeness": e.completeness,
        "overlay": str(overlay),
        "notes": e.notes,
    }
    return found, top


def _say_explanation(found: dict[str, object], top: Sequence["Prediction"]) -> None:
    """The same in words; values that are no probabilities are not shown as percentages."""
    say(str(found["photo"]))
    for _, name, value in top:
        say(f"  {value:7.2%}  {name}" if "probability" in found else f"  {value:9.4f}  {name}")
    say(f"  target        {found['label']} (class {found['target']}), logit {found['logit']:.4f}")
    say(f"  box           {found['box'] or 'none: nothing speaks for this class'}")
    say(f"  completeness  {found['completeness']:+.1e} (mean of map + bias - logit)")
    say(f"  overlay       {found['overlay']}")


def _reason(error: MemoryError | OSError) -> str:
    """What stopped a photograph that is no fault of the photograph's."""
    return "not enough memory" if isinstance(error, MemoryError) else error.strerror or str(error)


def _make_folder(folder: Path) -> None:
    """Have the folder for the pictures, and those that it lies in."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{folder}: cannot make this folder ({reason}); choose another -o") from error


EXPLAIN = Command(
    "explain",
    "what is in a photograph, and where the network sees it",
    add_options,
    explain_photographs,
    EXAMPLES,
)
