"""`npcam verify` and `npcam record`: where two programs part, and what one of them computed."""

import argparse
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from npcam.cli.faults import save_heatmaps, save_reproducer
from npcam.cli.options import Command, add_weights_option
from npcam.common.errors import InputError
from npcam.common.files import require_apart, same_place
from npcam.common.text import say, show, to_json

if TYPE_CHECKING:
    from npcam.verify.compare import Report
    from npcam.verify.photographs import Pair
    from npcam.verify.record import Record

VERIFY_EXAMPLES = """\
examples:
  npcam verify cat.jpg --against model.keras --weights model.h5      every layer against live Keras
  npcam verify cat.jpg --against keras --backend torch               Keras, built from npcam's weights
  npcam verify batch.npy --against run.h5 --isolated                 a record, each layer alone
  npcam verify cat.jpg --against reference --engine fast --plot error.png
  npcam verify cat.jpg --against run.npz --names torchvision         arrays that any program saved
  npcam verify *.jpg --against model.keras --junit verify.xml        several photographs, one verdict
  npcam verify cat.jpg --against run.h5 --precision float16           a port in half precision
  npcam verify cat.jpg --against run.h5 --heatmaps maps --reproducer fault

--against takes reference (npcam in float64), fast (npcam's fast engine), keras (a Keras model built
from the same weights), a .keras or .h5 file of Keras's, a record that `npcam record` made, another
npcam weights file, or arrays of any program: an .npz, a folder of .npy files, or a plain .h5, NHWC or
NCHW. A whole model is loaded by Keras, in its safe mode; all else is read as data.

A photograph is prepared as the network's author does it; a Keras model that preprocesses by itself is
given its pixels.

exit status: 0 every layer was compared, and rounding explains it; 1 not so; 2 bad usage or input"""
RECORD_EXAMPLES = """\
examples:
  npcam record cat.jpg --keras model.keras -o run.h5 --backend tensorflow
  npcam record cat.jpg --weights model.h5 --dtype float64 -o run.h5
  npcam record cat.jpg --layers conv5_block3_out,predictions -o run.h5"""


def add_verify_options(parser: argparse.ArgumentParser) -> None:
    """The options of `npcam verify`."""
    parser.add_argument("input", nargs="+", metavar="PHOTO|X.npy", help=_INPUT)
    parser.add_argument(
        "--against", required=True, metavar="WHAT", help="reference, fast, keras, or a file (see below)"
    )
    parser.add_argument("--engine", choices=["reference", "fast"], default="reference", help=_ENGINE)
    _backend_option(parser)
    parser.add_argument(
        "--isolated",
        action="store_true",
        help="show each layer alone, from the input that the run on trial has",
    )
    parser.add_argument(
        "--partial", action="store_true", help="allow layers that the other run lacks; the rest is judged"
    )
    names = parser.add_mutually_exclusive_group()
    names.add_argument("--names", metavar="WHOSE", help=_NAMES)
    names.add_argument("--by-order", action="store_true", help=_BY_ORDER)
    parser.add_argument("--precision", default="float32", metavar="NAME", help=_PRECISION)
    parser.add_argument("--ignore", action="append", metavar="LAYER", help=_IGNORE)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--all", action="store_true", help="print a row for every layer")
    shown.add_argument("--quiet", action="store_true", help="print the verdict and the cause, in one line")
    shown.add_argument("--json", action="store_true", help="print a JSON object instead of a table")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML, a case a layer")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the table as CSV")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw error against depth, PNG")
    parser.add_argument(
        "--heatmaps", type=Path, metavar="DIR", help="also draw where layers are off, a picture for each"
    )
    parser.add_argument(
        "--reproducer",
        type=Path,
        metavar="DIR",
        help="also write the first bad layer's input, weights and outputs, and a script for NumPy alone",
    )
    add_weights_option(parser)


def add_record_options(parser: argparse.ArgumentParser) -> None:
    """The options of `npcam record`."""
    parser.add_argument("input", metavar="PHOTO|X.npy", help="a photograph, or a preprocessed batch")
    parser.add_argument("--keras", metavar="MODEL", help="record Keras running this .keras or .h5 model")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="RECORD.h5", help="where to write"
    )
    parser.add_argument("--layers", metavar="NAME,...", help="what to record (default: all, and the logits)")
    parser.add_argument("--engine", choices=["reference", "fast"], default="reference", help=_ENGINE)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32", help=_DTYPE)
    _backend_option(parser)
    add_weights_option(parser)


_ENGINE = "npcam's engine: reference (default; it has every layer) or fast (it has the stages)"
_INPUT = "photographs, or preprocessed batches; several are judged together"
_NAMES = "whose names arrays have: keras, torchvision, or a JSON file (default: told from the names)"
_BY_ORDER = "tell arrays by their order and shapes, without their names"
_PRECISION = "what the other run multiplies and stores in: float32 (default), tf32, bfloat16 or float16"
_IGNORE = "do not judge this layer; may be given again; what comes after it is judged alone"
_DTYPE = "the float type that npcam computes in (default: float32)"


def _backend_option(parser: argparse.ArgumentParser) -> None:
    text = "Keras's backend: tensorflow, jax or torch (default: $KERAS_BACKEND, or an installed one)"
    parser.add_argument("--backend", metavar="NAME", help=text)


def verify(options: argparse.Namespace) -> int:
    """Run `npcam verify`; returns the exit status."""
    from npcam.model import load_model
    from npcam.verify.blame import with_cause
    from npcam.verify.compare import verify as compare
    from npcam.verify.junit import as_junit
    from npcam.verify.photographs import first_off, pairs, together
    from npcam.verify.precision import find_precision
    from npcam.verify.report import as_csv, as_json, as_text, verdict
    from npcam.verify.telling import Naming

    precision = find_precision(options.precision)
    if options.backend and options.against in ("reference", "fast"):
        raise InputError(f"--backend is Keras's, and --against {options.against} runs npcam; leave it out")
    _check_outputs(options)
    weights = load_model(options.weights, engine="reference").weights
    naming = Naming(options.names, options.by_order) if options.names or options.by_order else None
    on_trial = "npcam" if options.against == "reference" else "reference"
    other_side = {"reference": "float64", "fast": "fast"}.get(options.against, "yours")
    reports: dict[str, Report] = {}
    off: Pair | None = None  # the one to look into: where the first of all bad layers is furthest off
    for pair in pairs(options.input, weights, options.against, options.engine, options.backend, naming):
        photo, own, reference = pair
        found = compare(
            weights,
            own,
            reference,
            isolated=options.isolated,
            on_trial=on_trial,
            partial=options.partial,
            precision=precision,
            ignore=options.ignore or (),
        )
        found = with_cause(found, weights, own, reference, precision)
        reports[photo] = replace(found, other=other_side)
        off = pair if first_off(reports) == photo else off
        runs = {"npcam": own.provenance, "yours": reference.provenance | _found_out(reference)}
        origins = [*_origin("npcam:", own), *_origin(f"{other_side}:", reference)]
    report = together(reports)
    if options.csv:
        _write(options.csv, as_csv(report).encode())
    if options.junit:
        _write(options.junit, as_junit(reports))
    if options.plot:
        _write(options.plot, _picture(report))
    if options.heatmaps:
        save_heatmaps(report, options.heatmaps)
    if options.reproducer:
        save_reproducer(report, weights, off, options.reproducer)
    if options.json:
        wanted = ("ok", "first_bad", "cause")
        plain = {photo: as_json(r) for photo, r in reports.items()}
        each = [{"photo": photo, **{key: r[key] for key in wanted}} for photo, r in plain.items()]
        show(to_json(as_json(report) | {"runs": runs, "photos": each}))
    elif options.quiet:
        say(verdict(report))
    else:
        show(as_text(report, [*_photos(reports), *origins], options.all))
    return 0 if report.ok else 1


def record(options: argparse.Namespace) -> int:
    """Run `npcam record`; returns the exit status."""
    from npcam.model import load_model
    from npcam.verify.against import run_keras_file
    from npcam.verify.prepare import prepare_npcam
    from npcam.verify.record import write_record
    from npcam.verify.run_npcam import run_npcam

    if options.keras and options.weights:
        raise InputError("give --weights for npcam or --keras for Keras, not both; see npcam record --help")
    if options.backend and not options.keras:
        raise InputError("--backend is Keras's, and npcam runs without --keras; leave it out")
    inputs = [options.input, options.keras, *_weights_files(options)]
    require_apart(options.output, inputs, "choose another place for the record")
    names = None if options.layers is None else options.layers.split(",")
    if options.keras:
        found = run_keras_file(options.keras, options.input, options.backend, layers=names)
    else:
        weights = load_model(options.weights, engine="reference").weights
        x, how = prepare_npcam(options.input, weights)
        found = run_npcam(weights, x, options.engine, options.dtype, how, names)
    found.provenance["input"] = Path(options.input).name
    write_record(options.output, found)
    size = sum(array.size for array in found.activations.values())
    say(f"{options.output}: {len(found.activations)} layers, {size:,} numbers")
    for line in _origin("  from", found):
        say(line)
    return 0


def _check_outputs(options: argparse.Namespace) -> None:
    """Raise InputError where `npcam verify` would write over what it reads, or two things to one place."""
    inputs: list[str | Path | None] = [*options.input, options.against, *_weights_files(options)]
    outputs = [output for output in (options.csv, options.plot, options.junit) if output]
    if options.names and options.names not in ("keras", "torchvision"):
        inputs.append(options.names)
    for i, output in enumerate(outputs):
        require_apart(output, inputs, "choose another place")
        if any(same_place(output, other) for other in outputs[:i]):
            raise InputError(
                f"{output}: two of --csv, --plot and --junit go to the same file; choose two places"
            )


def _weights_files(options: argparse.Namespace) -> list[str | Path | None]:
    """The file of npcam's weights; a name that is no file does no harm."""
    from npcam.common.where import bundled_path

    return [options.weights or bundled_path()]


def _origin(label: str, run: "Record") -> list[str]:
    """Where a run is from, what its network was given, and what was found out of a port's arrays."""
    from npcam.verify.record import describe

    how = run.provenance.get("preprocessing")
    lines = [describe(run.provenance), *([f"preprocessing: {how}"] if how else []), *run.notes]
    return [f"{'' if i else label:{max(len('npcam:'), len(label))}} {line}" for i, line in enumerate(lines)]


def _found_out(run: "Record") -> dict[str, list[str]]:
    """What was found out of a port's arrays, for JSON."""
    return {"notes": list(run.notes)} if run.fused else {}


def _photos(reports: "Mapping[str, Report]") -> list[str]:
    """What came of each of several photographs."""
    if len(reports) == 1:
        return []
    lines = []
    for photo, report in reports.items():
        bad = report.first_bad
        said = f"first beyond rounding: {bad.name}; cause: {report.cause}" if bad else "within rounding"
        lines.append(f"{photo}: {said}")
    return [*lines, ""]


def _picture(report: "Report") -> bytes:
    """The picture of `--plot`, as the bytes of a PNG file."""
    from npcam.verify.plot import plot_errors
    from npcam.verify.report import error_lines, finding

    bad = report.first_bad
    names = [row.name for row in report.rows]
    image = plot_errors(error_lines(report), names, finding(report)[0][:120], bad.name if bad else None)
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def _write(path: Path, data: bytes) -> None:
    """Write a file that is whole or not there."""
    from npcam.common.files import replacing

    with replacing(path) as unfinished:
        unfinished.write_bytes(data)


VERIFY = Command(
    "verify", "who is off, in which layer, and by how much", add_verify_options, verify, VERIFY_EXAMPLES
)
RECORD = Command(
    "record", "a run's activations in a file, to verify against", add_record_options, record, RECORD_EXAMPLES
)
