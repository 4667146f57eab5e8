"""`npcam explore`: a network in a page, where it runs and shows where each number comes from."""

import argparse
import shlex
from pathlib import Path

from npcam.cli.options import Command, add_weights_option
from npcam.common.errors import InputError
from npcam.common.files import make_folder, require_apart
from npcam.common.text import printable, say, show
from npcam.common.where import weights_path

EXAMPLES = """\
examples:
  npcam explore cat.jpg -o explore.html                   the bundled model, with a photograph to begin with
  npcam explore -o explore.html --weights mine.h5         a network of one's own, waiting for a photograph
open the page in any browser of today; it needs no network, and nothing leaves it"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam explore`."""
    parser.add_argument("photo", nargs="?", metavar="PHOTO", help="the photograph that the page opens with")
    add_weights_option(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PAGE", help="the page, as .html")


def explore(options: argparse.Namespace) -> int:
    """Run `npcam explore`."""
    from npcam.explore.page import write_explorer
    from npcam.model import load_model

    weights = weights_path(options.weights)
    if options.output.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"-o {options.output}: is no page's name; give one that ends in .html")
    require_apart(options.output, [options.photo, weights], "choose another -o")
    model = load_model(options.weights)
    for note in model.weights.assumptions:
        say(f"npcam: note: {note}", error=True)
    make_folder(options.output.parent, "-o")
    same = f"--weights {shlex.quote(printable(options.weights))}" if options.weights else ""
    write_explorer(options.output, model, options.photo, weights.stem, same)
    show(str(options.output))
    return 0


EXPLORE = Command(
    "explore",
    "the network alive in one page: drop a photograph in, and see where every number comes from",
    add_options,
    explore,
    EXAMPLES,
)
