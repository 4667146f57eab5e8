"""`npcam explain`: what is in photographs, and where the network sees it."""

import argparse
import sys
from contextlib import closing
from pathlib import Path

from npcam.cli.drawing import add_drawing_options, check_drawing, makes_several
from npcam.cli.explaining import Explaining, options_in_json
from npcam.cli.names import Names, names_a_picture
from npcam.cli.options import (
    Command,
    add_explaining_options,
    add_reading_options,
    add_weights_option,
    complain,
    positive,
)
from npcam.cli.sharing import add_sharing_options, check_sharing, shared
from npcam.cli.telling import Told, add_telling_options, check_table
from npcam.common.errors import InputError
from npcam.common.files import make_folder, require_apart
from npcam.common.meanwhile import while_waiting
from npcam.common.text import say
from npcam.common.unused import import_ndimage
from npcam.common.version import __version__
from npcam.common.weights_hash import hash_meanwhile
from npcam.common.where import weights_path

EXAMPLES = """\
examples:
  npcam explain cat.jpg                      top classes, and cat_cam.png with the heat map
  npcam explain photos -o maps --csv t.csv   a folder and all below it, and a table
  find . -name '*.jpg' | npcam explain -     a list on standard input
  npcam explain photos --jsonl | head -3     a JSON object a line, as they come
  npcam explain cat.jpg --target dog         where does it see a dog?
  npcam explain cat.jpg --target top3        the three most probable classes, side by side
  npcam explain cat.jpg --versus dog         why a cat, and not a dog?
  npcam explain photos --workers 4           processes, or --scheduler tcp://HOST:8786
  npcam explain cat.jpg --weights resnet50.h5 --colormap jet"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam explain`."""
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO",
        help="photographs, as JPEG, PNG, WebP, ...; folders, with all below them; patterns ('**/*.jpg'); "
        "- for a list on standard input, a path a line",
    )
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
        "-o",
        "--output",
        type=Path,
        default=Path(),
        metavar="DIR|FILE",
        help="folder of the pictures, or the one picture's name, as .png or .jpg (default: .)",
    )
    add_telling_options(parser)
    parser.add_argument(
        "--digits", action="store_true", help="also say what rounding may do to logit, class and box (slow)"
    )
    parser.add_argument(
        "--save-map", action="store_true", help="also write the signed map itself, PHOTO_cam.npy"
    )
    add_drawing_options(parser)
    add_explaining_options(parser)
    add_reading_options(parser)
    add_sharing_options(parser)


def explain_photographs(options: argparse.Namespace) -> int:
    """Run `npcam explain`; one bad photograph does not stop the others."""
    from npcam.explain import check_threshold
    from npcam.images.preprocess import check_interpolation
    from npcam.model import load_model
    from npcam.stream.batches import Batches, Reading, cut
    from npcam.stream.listing import list_photographs

    check_drawing(options)
    check_threshold(options.threshold)
    check_interpolation(options.interpolation)
    check_table(options)
    check_sharing(options)
    listing = list_photographs(options.photos, getattr(sys.stdin, "buffer", None))
    photos = listing.photos
    if names_a_picture(options.output) and (len(photos) > 1 or makes_several(options)):
        found = f"{len(photos):,} photographs" if len(photos) > 1 else "several pictures or maps"
        raise InputError(f"{options.output}: is one picture's name, and there are {found}; give -o a folder")
    weights = weights_path(options.weights)
    hashed = hash_meanwhile(weights)
    while_waiting(import_ndimage)  # for the map
    model = load_model(weights, threads=1 if len(photos) > 1 else None)
    if not model.has_top:
        reason = "holds a network without a top (include_top=False), so there is no class to explain"
        raise InputError(f"{options.weights}: {reason}; convert the model that has its last layers")
    if options.target is not None:
        model.class_indices(options.target)
    if options.versus is not None:
        model.class_index(options.versus)
    folder = options.output.parent if names_a_picture(options.output) else options.output
    make_folder(folder, "-o")
    for note in (*model.weights.assumptions, *listing.notes):
        say(f"npcam: note: {note}", error=True)
    for _, message in listing.errors:
        complain(message)

    sha256 = hashed()
    provenance: dict[str, object] = {
        "npcam": __version__,
        "weights_sha256": sha256,
        "options": options_in_json(options),
    }
    for path, option in ((options.csv, "--csv"), (options.contact_sheet, "--contact-sheet")):
        if path is not None:
            require_apart(path, photos, f"choose another {option}")
            make_folder(path.parent, option)
    names = Names(photos, options.output, weights.stem, options.format)
    reading = Reading(options.interpolation, options.exif_transpose, options.align, options.threshold)
    work = Batches(model, photos, reading, Explaining(options, names, sha256, provenance))
    batches = cut(len(photos))
    with Told(options, len(photos)) as told, shared(options, len(batches), folder) as in_order:
        for name, message in listing.errors:
            told.add({"photo": name, "error": message})
        with closing(in_order(work, batches)) as results:
            for found in results:
                for one in found:
                    told.take(one)
    return 2 if told.failed else 0


EXPLAIN = Command(
    "explain",
    "what is in a photograph, and where the network sees it",
    add_options,
    explain_photographs,
    EXAMPLES,
)
