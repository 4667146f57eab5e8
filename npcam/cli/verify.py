"""`npcam verify` and `npcam record`: where two programs part, and what one of them computed."""

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING

from npcam.cli.faults import save_heatmaps, save_reproducer
from npcam.cli.options import Command, add_weights_option
from npcam.common.errors import InputError
from npcam.common.files import require_apart, same_place
from npcam.common.text import printable, say, show, to_json

if TYPE_CHECKING:
    from npcam.verify.compare import Report
    from npcam.verify.record import Record

VERIFY_EXAMPLES = """\
examples:
  npcam verify cat.jpg --against model.keras --weights model.h5      every layer against live Keras
  npcam verify cat.jpg --against keras --backend torch               Keras, built from npcam's weights
  npcam verify batch.npy --against run.h5 --isolated                 a record, each layer alone
  npcam verify cat.jpg --against reference --engine fast --plot error.png
  npcam verify cat.jpg --against run.h5 --precision float16           a port in half precision
  npcam verify cat.jpg --against run.h5 --heatmaps maps --reproducer bug

--against takes reference (npcam in float64), fast (npcam's fast engine), keras (a Keras model built
from the same weights), a .keras or .h5 file of Keras's, a record that `npcam record` made, or another
npcam weights file. A whole model is loaded by Keras, in its safe mode; all else is read as data.

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
    parser.add_argument("input", metavar="PHOTO|X.npy", help="a photograph, or a preprocessed batch")
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
        "--partial", action="store_true", help="allow layers that the other run lacks: judge only the rest"
    )
    parser.add_argument(
        "--precision",
        default="float32",
        metavar="NAME",
        help="what the other run multiplies and stores in: float32 (default), tf32, bfloat16 or float16",
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="LAYER",
        help="do not judge this layer; may be given again; what comes after it is judged alone",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of a table")
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
_DTYPE = "the float type that npcam computes in (default: float32)"


def _backend_option(parser: argparse.ArgumentParser) -> None:
    text = "Keras's backend: tensorflow, jax, torch or numpy (default: $KERAS_BACKEND, or an installed one)"
    parser.add_argument("--backend", metavar="NAME", help=text)


def verify(options: argparse.Namespace) -> int:
    """Run `npcam verify`; returns the exit status."""
    from npcam.model import load_model
    from npcam.verify.against import Source, other_run
    from npcam.verify.blame import with_cause
    from npcam.verify.compare import verify as compare
    from npcam.verify.precision import find_precision
    from npcam.verify.prepare import prepare_npcam
    from npcam.verify.report import as_csv, as_json, as_text
    from npcam.verify.run_npcam import run_npcam

    precision = find_precision(options.precision)
    inputs = _inputs(options, options.against)
    for output in (options.csv, options.plot):
        if output:
            require_apart(output, inputs, "choose another place")
    if options.csv and options.plot and same_place(options.csv, options.plot):
        raise InputError(f"{options.plot}: the table and the picture go to the same file; choose two places")
    weights = load_model(options.weights, engine="reference").weights
    x, how = prepare_npcam(options.input, weights)
    own = run_npcam(weights, x, options.engine, preprocessing=how)
    reference = other_run(options.against, Source(options.input, x, weights, how), options.backend)
    on_trial = "npcam" if options.against == "reference" else "reference"
    report = compare(
        weights,
        own,
        reference,
        isolated=options.isolated,
        on_trial=on_trial,
        partial=options.partial,
        precision=precision,
        ignore=options.ignore,
    )
    report = with_cause(report, weights, own, reference, precision)
    if options.csv:
        _write(options.csv, as_csv(report).encode())
    if options.plot:
        _write(options.plot, _picture(report))
    if options.heatmaps:
        save_heatmaps(report, options.heatmaps)
    if options.reproducer:
        save_reproducer(report, weights, own, reference, options.reproducer)
    if options.json:
        runs = {"npcam": own.provenance, "reference": reference.provenance}
        show(to_json(as_json(report) | {"runs": runs}))
    else:
        show(_origin("npcam:     ", own) + _origin("reference: ", reference))
        show(as_text(report))
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
    require_apart(options.output, _inputs(options, options.keras), "choose another place for the record")
    names = options.layers.split(",") if options.layers else None
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
    show(_origin("  from ", found).rstrip("\n"))
    return 0


def _inputs(options: argparse.Namespace, other: str | None) -> list[str | Path | None]:
    """The files that a command reads; the names of weights and runs that are no files do no harm."""
    from npcam.model import bundled_path

    return [options.input, other, options.weights or bundled_path()]


def _origin(label: str, run: "Record") -> str:
    """Where a run is from and what its network was given: one line, or two where that is known."""
    from npcam.verify.record import describe

    how = run.provenance.get("preprocessing")
    given = f"{' ' * len(label)}preprocessing: {printable(how)}\n" if how else ""
    return f"{label}{printable(describe(run.provenance))}\n{given}"


def _picture(report: "Report") -> bytes:
    """The picture of `--plot`, as the bytes of a PNG file."""
    from npcam.verify.plot import plot_errors
    from npcam.verify.report import error_lines

    image = plot_errors(error_lines(report), [row.name for row in report.rows])
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
