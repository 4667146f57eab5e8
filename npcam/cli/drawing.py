"""What `npcam explain` draws: the options for it, and the files that come of them."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from npcam.cli.names import Names, map_path, names_a_picture
from npcam.cli.options import positive
from npcam.cli.outputs import save_map
from npcam.common.errors import InputError
from npcam.pictures.saved import FORMATS, Origin, save_picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from npcam.explain import Explanation
    from npcam.pictures.versus import Versus

THUMBNAIL = 320  # pixels of the longer side of a picture that goes into a contact sheet


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
        "--max-size",
        type=positive,
        metavar="N",
        help="pixels that a photograph's longer side has at most in its picture (default: its own, to 6000)",
    )
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        help="of the pictures (default: jpeg for a JPEG, png for all others; or as -o FILE ends)",
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
    if options.format and names_a_picture(options.output):
        fitting = "png" if options.output.suffix.lower() == ".png" else "jpeg"
        if options.format != fitting:
            raise InputError(
                f"{options.output}: is the name of a {fitting}; leave out --format {options.format}"
            )


def is_several(options: argparse.Namespace) -> bool:
    """Whether the targets may be several: more than one is given, or `top3` is."""
    targets = options.target or []
    return len(targets) > 1 or any(re.fullmatch(r"top\d+", target) for target in targets)


def makes_several(options: argparse.Namespace) -> bool:
    """Whether a photograph may get more than one picture, or more than one map."""
    return bool(options.separate or options.save_map) and is_several(options)


def draw_and_save(
    shown: Sequence["Explanation | Versus"],
    names: Names,
    number: int,
    origin: Origin,
    options: argparse.Namespace,
) -> list[Path]:
    """Write the pictures of one photograph, and the maps where they are asked for.

    Args:
        shown: what is explained of it.
        names: what files are called.
        number: of the photograph.
        origin: of what the pictures are.
        options: the command's.

    Returns:
        The pictures' paths: one for each that is shown, or one of all side by side.

    Raises:
        InputError: a file is there that npcam did not make, or writing fails; nothing is drawn before all
            files are looked at.
    """
    together = len(shown) > 1 and not options.separate
    plain = len(shown) == 1 and not (options.separate or options.target or options.versus)
    words = [""] if plain else [_words(one) for one in shown]
    maps = bool(options.save_map)
    overlays = [
        names.picture(number, origin, one, with_map=maps and not together)
        for one in ([_words_of_all(shown, options)] if together else words)
    ]
    profile = shown[0].photo.info.get("icc_profile")
    if together:
        separate = [names.picture(number, origin, one, with_map=True) for one in words] if maps else []
        save_picture(_panel(shown, options), overlays[0], origin, profile)
    else:
        separate = overlays if maps else []
        for one, path in zip(shown, overlays, strict=True):
            save_picture(_picture(one, options, in_place=len(shown) == 1), path, origin, profile)
    for one, path in zip(shown, separate, strict=False):
        save_map(one.cam, map_path(path))
    return overlays


def thumbnail(shown: "Explanation | Versus", options: argparse.Namespace) -> "Image":
    """A small overlay, for the contact sheet."""
    return shown.overlay(
        *(options.colormap, options.alpha, options.box),
        style=options.style,
        signed=options.signed or None,
        boxes=options.boxes or 0,
        longest=THUMBNAIL,
        caption=False,
    )


def _words_of_all(shown: Sequence["Explanation | Versus"], options: argparse.Namespace) -> str:
    """What the name of a picture of several classes says."""
    if options.versus is not None:
        return f"versus {shown[0].other_label}"  # type: ignore[union-attr]
    tops = [target for target in options.target if re.fullmatch(r"top\d+", target)]
    return " ".join(options.target if tops else [one.label for one in shown])


def _words(shown: "Explanation | Versus") -> str:
    """What a file's name says of what it shows."""
    other = getattr(shown, "other_label", None)
    return shown.label if other is None else f"{shown.label} versus {other}"


def _picture(shown: "Explanation | Versus", options: argparse.Namespace, in_place: bool) -> "Image":
    """One picture, in the style that is asked for."""
    look = (options.colormap, options.alpha, options.box)
    signed = options.signed or None
    boxes, longest = options.boxes or 0, options.max_size
    if options.style == "flat" or not options.legend:
        style = options.style
        return shown.overlay(
            *look, style=style, signed=signed, boxes=boxes, longest=longest, in_place=in_place
        )
    return shown.figure(*look, signed=signed, boxes=boxes, longest=longest)


def _panel(shown: Sequence["Explanation | Versus"], options: argparse.Namespace) -> "Image":
    """All side by side, on one scale."""
    from npcam.pictures.panel import Panel

    look = (options.colormap, options.alpha, options.box)
    signed, boxes = options.signed or None, options.boxes or 0
    return Panel(shown).figure(*look, signed=signed, boxes=boxes, longest=options.max_size)
