"""`npcam explain`: what is in photographs, and where the network sees it."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from npcam.cli.options import Command, add_weights_option, complain, positive
from npcam.common.errors import InputError

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
    from npcam.images.draw import check_style
    from npcam.model import load_model

    check_style(options.colormap, options.alpha)
    model = load_model(options.weights)
    model.require_top("explain a class")
    if options.target is not None:
        model.class_index(options.target)
    _make_folder(options.output)
    from npcam.explain import explain

    results: list[dict[str, object]] = []
    names = _output_names(options.photos, options.output)
    for number, (photo, stem) in enumerate(zip(options.photos, names, strict=True), start=1):
        if len(options.photos) > 1 and sys.stderr.isatty():
            print(f"[{number}/{len(options.photos)}] {photo}", file=sys.stderr)
        try:
            e = explain(
                model,
                photo,
                options.target,
                interpolation=options.interpolation,
                exif_transpose=options.exif_transpose,
                align=options.align,
            )
            overlay = stem.with_name(f"{stem.name}.png")
            _save_image(e.overlay(options.colormap, options.alpha, options.box), overlay)
            if options.save_map:
                _save_array(e.cam, stem.with_name(f"{stem.name}.npy"))
        except (InputError, MemoryError) as error:
            message = str(error) or f"{photo}: not enough memory"
            results.append({"photo": photo, "error": message})
            complain(message)
            continue
        found = {
            "photo": photo,
            "top": [p._asdict() for p in e.top(options.top)],
            "target": e.target,
            "label": e.label,
            "probability": e.probability,
            "logit": e.logit,
            "box": e.box,
            "completeness": e.completeness,
            "overlay": str(overlay),
        }
        results.append(found)
        if not options.json:
            _print_explanation(found, e.top(options.top))
    if options.json:
        print(json.dumps(results, indent=2))
    return 2 if any("error" in result for result in results) else 0


def _print_explanation(found: dict[str, object], top: Sequence[tuple[int, str, float]]) -> None:
    """Print an explanation in words."""
    print(found["photo"])
    for _, name, probability in top:
        print(f"  {probability:7.2%}  {name}")
    print(f"  target        {found['label']} (class {found['target']}), logit {found['logit']:.4f}")
    print(f"  box           {found['box'] or 'none: nothing speaks for this class'}")
    print(f"  completeness  {found['completeness']:+.1e} (mean of map + bias - logit)")
    print(f"  overlay       {found['overlay']}", flush=True)


def _make_folder(folder: Path) -> None:
    """Have the folder for the pictures, and those that it lies in."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot make this folder ({error.strerror}); choose another -o"
        ) from error


def _output_names(photos: Sequence[str], folder: Path) -> list[Path]:
    """A path without suffix for each photograph's files; none hides another, or a photograph."""
    photographs = {Path(photo).resolve() for photo in photos}
    seen: dict[str, int] = {}
    taken: dict[Path, None] = {}
    for photo in photos:
        stem = f"{Path(photo).stem}_cam"
        while True:
            seen[stem] = seen.get(stem, 0) + 1
            path = folder / (stem if seen[stem] == 1 else f"{stem}-{seen[stem]}")
            if path.with_name(f"{path.name}.png").resolve() not in photographs and path not in taken:
                break
        taken[path] = None
    return list(taken)


def _save_image(image: "object", path: Path) -> None:
    """Write a PNG that is whole or not there."""
    from npcam.common.files import replacing

    with replacing(path) as unfinished:
        image.save(unfinished, format="PNG", compress_level=4)  # type: ignore[attr-defined]


def _save_array(array: "object", path: Path) -> None:
    """Write an .npy file that is whole or not there."""
    import numpy as np

    from npcam.common.files import replacing

    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, array)  # type: ignore[arg-type]


EXPLAIN = Command(
    "explain",
    "what is in a photograph, and where the network sees it",
    add_options,
    explain_photographs,
    EXAMPLES,
)
