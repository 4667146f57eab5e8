"""`npcam convert`, `inspect`, `fetch` and `summary`: what one does with weights files."""

import argparse

from npcam.cli.options import Command, add_weights_option, positive, size
from npcam.common.text import say, show, to_json

CONVERT_EXAMPLES = """\
examples:
  npcam convert model.keras weights.h5
  npcam convert resnet50.weights.h5 weights.h5 --class-names names.txt
  npcam convert model.keras weights.h5 --preprocessing unit      trained on pixels / 255
  npcam convert model.weights.h5 weights.h5 --input-size 160x160 --activation sigmoid"""
INSPECT_EXAMPLES = """\
examples:
  npcam inspect model.keras                  layers, shapes, hashes, and whether it converts
  npcam inspect strange.h5 --json"""
FETCH_EXAMPLES = """\
examples:
  npcam fetch resnet50                       download, check, convert; then --weights resnet50 works
  npcam fetch resnet50 --from ~/.keras/models/resnet50_weights_tf_dim_ordering_tf_kernels.h5

The cache is the platform's own, or $NPCAM_CACHE."""
SUMMARY_EXAMPLES = """\
examples:
  npcam summary
  npcam summary --weights resnet50.h5 | less"""


def add_convert_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam convert`."""
    parser.add_argument("source", metavar="SOURCE", help=".keras, .weights.h5 or .h5 file that Keras wrote")
    parser.add_argument("destination", metavar="DESTINATION", help="npcam weights file to write")
    parser.add_argument(
        "--class-names", metavar="FILE", help="names of the classes in index order, one per line or as JSON"
    )
    parser.add_argument(
        "--network",
        choices=["keras", "2018", "2017"],
        help="which ResNet, where weights alone do not tell (2018: epsilon 1e-3; 2017: also no pool1_pad)",
    )
    parser.add_argument(
        "--activation",
        choices=["softmax", "sigmoid", "linear"],
        help="of the Dense layer, where weights alone do not tell (default: softmax)",
    )
    parser.add_argument(
        "--preprocessing",
        choices=["caffe", "tf", "torch", "unit", "none"],
        help="of photographs outside of the model: a mode of Keras's preprocess_input, unit (pixels / 255), "
        "none (RGB 0 to 255); default: none where layers of the model preprocess, else caffe",
    )
    parser.add_argument(
        "--input-size",
        type=size,
        metavar="N|HxW",
        help="of what the ResNet is given, in pixels, where the file does not tell (default: 224)",
    )


def run_convert(options: argparse.Namespace) -> int:
    """Run `npcam convert`: Keras's weights become npcam's."""
    from npcam.convert.conversion import convert

    weights = convert(
        options.source,
        options.destination,
        class_names=options.class_names,
        network=options.network,
        activation=options.activation,
        preprocessing=options.preprocessing,
        input_size=options.input_size,
    )
    layers, arrays = len(weights.tensors), sum(len(a) for a in weights.tensors.values())
    parameters = sum(a.size for arrays in weights.tensors.values() for a in arrays.values())
    say(f"{options.destination}: {layers} layers, {arrays} arrays, {parameters:,} parameters")
    for note in (*weights.notes, *weights.assumptions):
        say(f"  note: {note}")
    return 0


def add_inspect_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam inspect`."""
    parser.add_argument("file", metavar="FILE", help="npcam's, Keras's or any other HDF5, even a damaged one")
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of text")


def run_inspect(options: argparse.Namespace) -> int:
    """Run `npcam inspect`: what is in a file."""
    from npcam.convert.inspection import UNREADABLE, describe, inspect

    found = inspect(options.file)
    show(to_json(found.to_json()) if options.json else describe(found))
    return 0 if found.converts else 2 if found.format in UNREADABLE else 1


def add_fetch_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam fetch`."""
    parser.add_argument("name", metavar="NAME", help="resnet50, resnet101 or resnet152")
    parser.add_argument(
        "--from", dest="source", metavar="FILE", help="a copy of the published file that is already there"
    )


def run_fetch(options: argparse.Namespace) -> int:
    """Run `npcam fetch`: download official weights by name."""
    from npcam.convert.fetch import fetch

    say(str(fetch(options.name, options.source)))
    return 0


def add_summary_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam summary`."""
    add_weights_option(parser)
    parser.add_argument(
        "--plan",
        nargs="?",
        const=1,
        type=positive,
        metavar="PHOTOGRAPHS",
        help="how the engine computes each convolution, for so many photographs at once (default: 1)",
    )


def run_summary(options: argparse.Namespace) -> int:
    """Run `npcam summary`: print the table of layers, or the engine's plan."""
    from npcam.model import load_model

    if options.plan:
        show(load_model(options.weights).plan(options.plan))
    else:
        show(load_model(options.weights, engine="reference").summary())
    return 0


CONVERT = Command(
    "convert",
    "Keras ResNet weights to npcam's HDF5, with no Keras installed",
    add_convert_options,
    run_convert,
    CONVERT_EXAMPLES,
)
SUMMARY = Command(
    "summary", "the table of layers that Keras prints", add_summary_options, run_summary, SUMMARY_EXAMPLES
)
INSPECT = Command(
    "inspect",
    "what is in a weights file, and whether it would convert",
    add_inspect_options,
    run_inspect,
    INSPECT_EXAMPLES,
)
FETCH = Command("fetch", "official ImageNet weights by name", add_fetch_options, run_fetch, FETCH_EXAMPLES)
