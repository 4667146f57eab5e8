"""What `npcam explain` draws: the options for it, and the files that come of them."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from npcam.cli.options import positive
from npcam.cli.outputs import ClassNames, map_path, overlay_path, require_own, save_map, save_overlay
from npcam.common.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

    from npcam.explain import Explanation
    from npcam.pictures.versus import Versus


def add_drawing_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how pictures look."""
    parser.add_argument(
        "--separate",
        action="store_true",
        help="a picture for each class, with the class in its name: PHOTO_CLASS_cam.png",
    )
    parser.add_argument(
        "--signed", action="store_true", help="show what speaks against the class, too, in a second colour"
    )
    parser.add_argument(
        "--style",
        default="evidence",
        help="evidence: the more of it, the less is seen through the tint; flat: the CAM tutorials' overlay "
        "(default: evidence)",
    )
    parser.add_argument(
        "--colormap",
        help="colours of the heat map: ember, viridis, jet, turbo, magma or grey (default: ember; for "
        "--style flat viridis); for --signed and --versus blue-vermilion (default) or magenta-green",
    )
    parser.add_argument(
        "--alpha",
        type=float,
        help="opacity of the heat map, from 0 to 1 (default: 0.7; for --style flat 0.5)",
    )
    parser.add_argument("--no-box", dest="box", action="store_false", help="leave the box out of the picture")
    parser.add_argument(
        "--boxes",
        type=positive,
        metavar="N",
        help="a box around each of the N connected parts with the most evidence, instead of one",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.2,
        metavar="T",
        help="boxes are drawn around what is above this share of the map's maximum (default: 0.2)",
    )
    parser.add_argument(
        "--no-legend",
        dest="legend",
        action="store_false",
        help="a picture of exactly the photograph's size, without the words and the bar under it",
    )


def check_drawing(options: argparse.Namespace) -> None:
    """Raise InputError where the options do not fit together."""
    from npcam.pictures.evidence import check_style

    signed = options.signed or (options.versus is not None and options.style != "flat")
    check_style(options.style, options.colormap, options.alpha, signed)
    if options.style == "flat" and options.versus is not None:
        raise InputError("--style flat shows only what speaks for a class; leave it out with --versus")
    alone = "--style flat" if options.style == "flat" else "" if options.legend else "--no-legend"
    if alone and is_several(options) and not options.separate:
        raise InputError(f"{alone}: draws one class at a time; add --separate for several")


def is_several(options: argparse.Namespace) -> bool:
    """Whether the targets may be several: more than one is given, or `top3` is."""
    targets = options.target or []
    return len(targets) > 1 or any(re.fullmatch(r"top\d+", target) for target in targets)


def draw_and_save(
    shown: Sequence["Explanation | Versus"], name: Path, classes: ClassNames, options: argparse.Namespace
) -> list[Path]:
    """Write the pictures of one photograph, and the maps where they are asked for.

    Args:
        shown: what is explained of it.
        name: a path without suffix.
        classes: gives the paths with a class in them.
        options: the command's.

    Returns:
        The pictures' paths: one for each that is shown, or one of all side by side.

    Raises:
        InputError: a file is there that npcam did not make, or writing fails; nothing is drawn before all
            files are looked at.
    """
    plain = len(shown) == 1 and not options.separate and options.versus is None
    names = [name] if plain else [classes.path(name, _words(one)) for one in shown]
    together = len(shown) > 1 and not options.separate
    pictures = [name] if together and options.versus is None else names[:1] if together else names
    if together and options.versus is not None:
        pictures = [classes.path(name, f"versus {shown[0].other_label}")]  # type: ignore[union-attr]
    overlays = [overlay_path(one) for one in pictures]
    maps = [map_path(one) for one in names] if options.save_map else []
    for path in (*overlays, *maps):
        require_own(path)
    if together:
        save_overlay(_panel(shown, options), overlays[0])
    else:
        for one, path in zip(shown, overlays, strict=True):
            save_overlay(_picture(one, options, in_place=len(shown) == 1), path)
    for one, path in zip(shown, maps, strict=False):
        save_map(one.cam, path)
    return overlays


def _words(shown: "Explanation | Versus") -> str:
    """What a file's name says of what it shows."""
    other = getattr(shown, "other_label", None)
    return shown.label if other is None else f"{shown.label} versus {other}"


def _picture(shown: "Explanation | Versus", options: argparse.Namespace, in_place: bool) -> "Image":
    """One picture, in the style that is asked for."""
    look = (options.colormap, options.alpha, options.box)
    signed = options.signed or None
    if options.style == "flat" or not options.legend:
        return shown.overlay(
            *look, style=options.style, signed=signed, boxes=options.boxes or 0, in_place=in_place
        )
    return shown.figure(*look, signed=signed, boxes=options.boxes or 0)


def _panel(shown: Sequence["Explanation | Versus"], options: argparse.Namespace) -> "Image":
    """All side by side, on one scale."""
    from npcam.pictures.panel import Panel

    look = (options.colormap, options.alpha, options.box)
    return Panel(shown).figure(*look, signed=options.signed or None, boxes=options.boxes or 0)
