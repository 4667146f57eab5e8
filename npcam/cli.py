"""The commands: options in, words and files out. No arithmetic."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from npcam import __version__, cli_verify
from npcam.errors import InputError

EXAMPLES = {
    "explain": """\
examples:
  npcam explain cat.jpg                      top classes, and cat_cam.png with the heat map
  npcam explain *.jpg -o maps --json         many photographs, results as JSON
  npcam explain cat.jpg --target dog         where does it see a dog?
  npcam explain cat.jpg --weights resnet50.h5 --colormap jet""",
    "convert": """\
examples:
  npcam convert model.keras weights.h5
  npcam convert resnet50.weights.h5 weights.h5 --class-names names.txt""",
    "inspect": """\
examples:
  npcam inspect model.keras                  layers, shapes, hashes, and whether it converts
  npcam inspect strange.h5 --json""",
    "fetch": """\
examples:
  npcam fetch resnet50                       download, check, convert; then --weights resnet50 works
  npcam fetch resnet50 --from ~/.keras/models/resnet50_weights_tf_dim_ordering_tf_kernels.h5

The cache is the platform's own, or $NPCAM_CACHE.""",
    "summary": """\
examples:
  npcam summary
  npcam summary --weights resnet50.h5 | less""",
    "verify": cli_verify.VERIFY_EXAMPLES,
    "record": cli_verify.RECORD_EXAMPLES,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 fine, 2 bad usage or input, 130 interrupted.

    `npcam verify` also returns 1: it ran, and found a layer that is off.
    """
    signal.signal(signal.SIGTERM, _interrupt)  # so that unfinished files are removed then, too
    try:
        options = _parser().parse_args(arguments)
        status: int = options.run(options)
        sys.stdout.flush()
    except InputError as error:
        return _complain(str(error))
    except MemoryError:
        return _complain("not enough memory; try fewer or smaller photographs")
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output left: `npcam summary | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(f"{error.filename or 'output'}: {error.strerror or error}")
    return status


def _explain(options: argparse.Namespace) -> int:
    """`npcam explain`: one bad photograph does not stop the others."""
    from npcam.draw import check_style
    from npcam.labels import find_class
    from npcam.model import load_model

    check_style(options.colormap, options.alpha)
    model = load_model(options.weights)
    model.require_top("explain a class")
    if options.target is not None:
        find_class(options.target, model.class_names, model.classes)
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
            _complain(message)
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
    """The same in words."""
    print(found["photo"])
    for _, name, probability in top:
        print(f"  {probability:7.2%}  {name}")
    print(f"  target        {found['label']} (class {found['target']}), logit {found['logit']:.4f}")
    print(f"  box           {found['box'] or 'none: nothing speaks for this class'}")
    print(f"  completeness  {found['completeness']:+.1e} (mean of map + bias - logit)")
    print(f"  overlay       {found['overlay']}", flush=True)


def _convert(options: argparse.Namespace) -> int:
    """`npcam convert`."""
    from npcam.convert import convert

    weights = convert(
        options.source,
        options.destination,
        class_names=options.class_names,
        network=options.network,
        activation=options.activation,
    )
    layers, arrays = len(weights.tensors), sum(len(a) for a in weights.tensors.values())
    parameters = sum(a.size for arrays in weights.tensors.values() for a in arrays.values())
    print(f"{options.destination}: {layers} layers, {arrays} arrays, {parameters:,} parameters")
    for note in weights.notes:
        print(f"  note: {note}")
    return 0


def _inspect(options: argparse.Namespace) -> int:
    """`npcam inspect`."""
    from npcam.inspection import describe, inspect

    found = inspect(options.file)
    print(json.dumps(found.to_json(), indent=2) if options.json else describe(found))
    return 0


def _fetch(options: argparse.Namespace) -> int:
    """`npcam fetch`."""
    from npcam.fetch import fetch

    print(fetch(options.name, options.source))
    return 0


def _summary(options: argparse.Namespace) -> int:
    """`npcam summary`."""
    from npcam.model import load_model

    if options.plan:
        print(load_model(options.weights).plan(options.plan))
    else:
        print(load_model(options.weights, engine="reference").summary())
    return 0


def _parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = _Parser(
        prog="npcam",
        description="Keras ResNet-50 and its class activation maps in pure NumPy.",
        epilog="`npcam COMMAND --help` shows each command's options with examples.",
    )
    parser.add_argument("--version", action="version", version=f"npcam {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    explain = _command(
        commands, "explain", "what is in a photograph, and where the network sees it", _explain
    )
    explain.add_argument("photos", nargs="+", metavar="PHOTO", help="JPEG, PNG, WebP, ...")
    _weights_option(explain)
    explain.add_argument(
        "--target", metavar="NAME|INDEX", help="class to explain (default: the most probable)"
    )
    explain.add_argument("--top", type=_positive, default=5, metavar="N", help="classes to list (default: 5)")
    explain.add_argument(
        "-o", "--output", type=Path, default=Path(), metavar="DIR", help="for the pictures (default: here)"
    )
    explain.add_argument("--json", action="store_true", help="print a JSON array instead of text")
    explain.add_argument(
        "--save-map", action="store_true", help="also write the signed map itself, PHOTO_cam.npy"
    )
    explain.add_argument("--colormap", default="viridis", help="viridis (default), jet, turbo, magma or grey")
    explain.add_argument(
        "--alpha", type=float, default=0.5, help="opacity of the heat map, 0 to 1 (default: 0.5)"
    )
    explain.add_argument(
        "--no-box", dest="box", action="store_false", help="leave the box out of the picture"
    )
    explain.add_argument(
        "--interpolation", default="nearest", help="resizing: nearest (default, as Keras), bilinear, ..."
    )
    explain.add_argument(
        "--exif-transpose", action="store_true", help="turn photographs upright (Keras does not)"
    )
    explain.add_argument(
        "--align",
        choices=["corners", "centers"],
        default="corners",
        help="upsampling: corners (default, as SciPy) or centers (half-pixel)",
    )

    convert = _command(
        commands, "convert", "Keras ResNet weights to npcam's HDF5, with no Keras installed", _convert
    )
    convert.add_argument("source", metavar="SOURCE", help=".keras, .weights.h5 or .h5 that Keras wrote")
    convert.add_argument("destination", metavar="DESTINATION", help="npcam weights file to write")
    convert.add_argument(
        "--class-names", metavar="FILE", help="text (a name per line) or JSON, in index order"
    )

    convert.add_argument(
        "--network",
        choices=["keras", "2018", "2017"],
        help="which ResNet, if weights alone do not tell (2018: epsilon 1e-3; 2017: also no pool1_pad)",
    )
    convert.add_argument(
        "--activation",
        choices=["softmax", "sigmoid", "linear"],
        help="of the Dense layer, where a file of weights alone does not tell (default: softmax)",
    )

    inspect = _command(
        commands, "inspect", "what is in a weights file, and whether it would convert", _inspect
    )
    inspect.add_argument("file", metavar="FILE", help="npcam's, Keras's or any other HDF5, damaged ones too")
    inspect.add_argument("--json", action="store_true", help="print a JSON object instead of text")

    fetch = _command(commands, "fetch", "official ImageNet weights by name", _fetch)
    fetch.add_argument("name", metavar="NAME", help="resnet50, resnet101 or resnet152")
    fetch.add_argument(
        "--from", dest="source", metavar="FILE", help="a copy of the file that is already there"
    )

    summary = _command(commands, "summary", "the table of layers that Keras prints", _summary)
    _weights_option(summary)
    summary.add_argument(
        "--plan",
        nargs="?",
        const=1,
        type=_positive,
        metavar="PHOTOGRAPHS",
        help="how the engine computes each convolution, for so many photographs at once (default 1)",
    )

    verify = _command(commands, "verify", "who is off, in which layer, and by how much", cli_verify.verify)
    cli_verify.add_verify_options(verify)
    _weights_option(verify)

    record = _command(
        commands, "record", "a run's activations in a file, to verify against", cli_verify.record
    )
    cli_verify.add_record_options(record)
    _weights_option(record)
    return parser


class _Parser(argparse.ArgumentParser):
    """Bad usage is one line, too."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


def _command(
    commands: "argparse._SubParsersAction[_Parser]", name: str, about: str, run: object
) -> argparse.ArgumentParser:
    """Add a command with its examples."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + ".",
        epilog=EXAMPLES[name],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def _weights_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights",
        metavar="FILE|NAME",
        help="npcam weights file, or a fetched name (default: the bundled model)",
    )


def _positive(text: str) -> int:
    """An option's value that counts something."""
    if not text.isdecimal() or int(text) < 1:
        msg = f"expected a whole number from 1 up, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _make_folder(folder: Path) -> None:
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
    from npcam.files import replacing

    with replacing(path) as unfinished:
        image.save(unfinished, format="PNG")  # type: ignore[attr-defined]


def _save_array(array: "object", path: Path) -> None:
    """Write an .npy file that is whole or not there."""
    import numpy as np

    from npcam.files import replacing

    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, array)  # type: ignore[arg-type]


def _complain(message: str) -> int:
    """One line on standard error."""
    line = " ".join(message.split())
    print(f"npcam: {line}", file=sys.stderr)
    return 2


def _interrupt(_signum: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
