"""`npcam layers`: what happens inside the network, as a slide."""

import argparse
from pathlib import Path

from npcam.cli.names import require_picture
from npcam.cli.options import Command, add_weights_option, positive
from npcam.common.errors import InputError
from npcam.common.files import open_file, replacing, require_apart
from npcam.common.hashes import sha256_file
from npcam.common.text import say
from npcam.common.version import __version__
from npcam.common.where import weights_path
from npcam.pictures.saved import Origin, save_picture

EXAMPLES = """\
examples:
  npcam layers cat.jpg -o strip.png                               from the photograph to its class
  npcam layers cat.jpg --layer conv2_block3_out -o maps.png       the strongest 16 maps of a layer
  npcam layers cat.jpg --layer conv1_relu --top 64 -o stem.svg    an SVG, whose words stay words

`npcam summary` lists the layers' names. A slide has 1920x1080 pixels."""
MARK = "npcam "  # what an SVG of npcam's says first, in a comment
HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- {MARK}'.encode()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam layers`."""
    parser.add_argument("photo", metavar="PHOTO", help="a photograph, as JPEG, PNG, WebP, ...")
    parser.add_argument(
        "--layer",
        metavar="NAME",
        help="draw this layer's maps, `conv2_block3_out` (default: all stages, with their shapes, times "
        "and multiplications)",
    )
    parser.add_argument(
        "--top", type=positive, metavar="N", help="how many maps, the strongest first (default: 16)"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE.png|FILE.svg",
        help="where to write the slide",
    )
    add_weights_option(parser)
    parser.add_argument(
        "--interpolation",
        default="nearest",
        help="how to resize: nearest, as Keras does, bilinear, ... (default: nearest)",
    )
    parser.add_argument(
        "--exif-transpose", action="store_true", help="turn the photograph as its EXIF orientation says"
    )


def draw_layers(options: argparse.Namespace) -> int:
    """Run `npcam layers`; returns the exit status."""
    output: Path = options.output
    if output.suffix.lower() not in (".png", ".svg"):
        raise InputError(f"{output}: expected a name that ends in .png or .svg; choose another -o")
    if options.top and not options.layer:
        raise InputError("--top says how many maps of a layer to draw; add --layer NAME, or leave it out")
    weights = weights_path(options.weights)
    require_apart(output, [options.photo, weights], "choose another -o")
    _require_own(output)
    from npcam.model import load_model
    from npcam.pictures.slide import as_image, as_svg
    from npcam.slides import layer_slide, strip_slide

    model = load_model(options.weights)
    reading = {"interpolation": options.interpolation, "exif_transpose": options.exif_transpose}
    if options.layer:
        items = layer_slide(model, options.photo, options.layer, options.top or 16, **reading)
    else:
        items = strip_slide(model, options.photo, Path(options.photo).name, **reading)
    origin = Origin(sha256_file(options.photo), sha256_file(weights))
    if output.suffix.lower() == ".png":
        save_picture(as_image(items), output, origin)
    else:
        mark = f"{MARK}{__version__}; photo {origin.photo}; weights {origin.weights}"
        with replacing(output, durable=False) as unfinished:
            unfinished.write_text(as_svg(items, mark), encoding="utf-8")
    say(f"{output}: {options.layer or 'from the photograph to its class'}")
    return 0


def _require_own(output: Path) -> None:
    """See to it that nothing but a slide or a picture of npcam's is written over.

    Raises:
        InputError: another program's file is there, or nobody can tell whose it is.
    """
    if output.suffix.lower() == ".png":
        require_picture(output)
    elif output.exists():
        with open_file(output, "choose another -o") as file:
            head = file.read(len(HEAD))
        if head != HEAD:
            raise InputError(f"{output}: is there, and npcam did not make it; move it or choose another -o")


LAYERS = Command("layers", "what happens inside the network, as a slide", add_options, draw_layers, EXAMPLES)
