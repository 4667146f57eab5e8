"""`npcam evaluate`: how often a network is right on labelled photographs, and whether maps find objects."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npcam.cli.measured import measured
from npcam.cli.options import Command, add_reading_options, add_weights_option
from npcam.cli.sharing import add_sharing_options, check_sharing
from npcam.common.errors import InputError
from npcam.common.files import make_folder, require_apart, require_outside, same_place
from npcam.common.text import say, show, to_json
from npcam.common.version import __version__
from npcam.common.weights_hash import hash_meanwhile
from npcam.common.where import weights_path

if TYPE_CHECKING:
    from npcam.datasets.photographs import Dataset
    from npcam.localise.evaluation import Evaluating
    from npcam.localise.journal import Rows
    from npcam.model import Model

EXAMPLES = """\
examples:
  npcam evaluate photos -o results                          photos/CLASS/*.jpg; top-1, top-5, mistakes
  npcam evaluate photos --boxes boxes.json -o results       and whether the maps find the objects
  npcam evaluate VOCdevkit/VOC2012 -o results               a tree of PASCAL VOC or ILSVRC, with its XML
  npcam evaluate val2017 --boxes instances_val2017.json -o results
  npcam evaluate photos --boxes boxes.csv --weights mine.h5 -o results --json
a run that was stopped goes on where it was: give the same command again"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam evaluate`."""
    parser.add_argument("folder", metavar="FOLDER", help="labelled photographs; see docs/evaluate.md")
    parser.add_argument(
        "--boxes",
        metavar="FILE",
        help="boxes of the objects: CSV, JSON, COCO's, or a folder of XML",
    )
    add_weights_option(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="RESULTS", help="folder of the results"
    )
    parser.add_argument("--json", action="store_true", help="print metrics.json instead of tables")
    parser.add_argument("--coco", type=Path, metavar="FILE", help="also write the boxes as COCO results")
    parser.add_argument(
        "--score-maps",
        type=Path,
        metavar="DIR",
        help="also write the maps as wsolevaluation reads them, for other people's evaluators",
    )
    parser.add_argument(
        "--map-of",
        choices=("true", "predicted"),
        default="true",
        help="the class whose map is held against the boxes: the photograph's own, or the most probable one "
        "(default: true)",
    )
    parser.add_argument(
        "--thresholds",
        choices=("min-max", "raw"),
        default="min-max",
        help="thresholds are shares of a map's range (usual), or of its maximum (default: min-max)",
    )
    add_reading_options(parser)
    parser.add_argument(
        "--no-pictures",
        dest="pictures",
        action="store_false",
        help="draw no small picture of each photograph, and so no contact sheets",
    )
    add_sharing_options(parser)


def evaluate(options: argparse.Namespace) -> int:
    """Run `npcam evaluate`; photographs that cannot be read are listed, and end it with status 2."""
    from npcam.datasets.read import read_dataset
    from npcam.images.preprocess import check_interpolation
    from npcam.localise.accuracy import metrics
    from npcam.localise.results import CHARTS, SHEETS, write_results
    from npcam.model import load_model

    check_interpolation(options.interpolation)
    check_sharing(options)
    model = load_model(options.weights, threads=1)
    dataset = read_dataset(options.folder, options.boxes, model)
    work = _work(options, model, dataset)
    inputs = [one for one in (options.folder, options.boxes, options.weights) if one is not None]
    require_outside(options.output, options.folder, "-o")
    for path, option in ((options.coco, "--coco"), (options.score_maps, "--score-maps")):
        if path is not None:
            require_apart(path, inputs, f"choose another {option}")
    own = ("metrics.json", "per_photo.csv", "rows.jsonl", "index.html", *CHARTS, *SHEETS)
    if options.coco and any(same_place(options.coco, options.output / name) for name in own):
        raise InputError(f"{options.coco}: is one of the results; choose another --coco")
    make_folder(options.output, "-o")
    if options.coco is not None:
        make_folder(options.coco.parent, "--coco")
    if options.score_maps is not None:
        make_folder(options.score_maps, "--score-maps")
    notes = (*model.weights.assumptions, *dataset.notes)
    for note in notes:
        say(f"npcam: note: {note}", error=True)
    provenance = _provenance(options, dataset)
    rows = _measure(options, work, provenance)
    found = {**metrics(rows), "provenance": {**provenance, "notes": list(notes)}}
    title = f"{weights_path(options.weights).name} on {Path(options.folder).resolve().name}"
    left_out = write_results(options.output, found, rows, title, notes)
    left_out += _for_others(options, dataset, rows)
    for row in rows:
        if "error" in row:
            say(f"npcam: {row['error']}", error=True)
    for reason in left_out:
        say(f"npcam: note: {reason}", error=True)
    if options.json:
        show(to_json(found))
    else:
        _say_tables(found, options.output)
    return 2 if any("error" in row for row in rows) else 0


def _provenance(options: argparse.Namespace, dataset: "Dataset") -> dict[str, Any]:
    """What results depend on."""
    from npcam.localise.journal import digest

    weights = weights_path(options.weights)
    return {
        "npcam": __version__,
        "weights": weights.name,
        "weights_sha256": hash_meanwhile(weights)(),
        "dataset": {
            "folder": str(Path(options.folder)),
            "boxes": options.boxes and str(options.boxes),
            "kind": dataset.kind,
            "photographs": len(dataset.photographs),
            "sha256": digest(dataset.photographs),
        },
        "options": {
            "map_of": options.map_of,
            "thresholds": options.thresholds,
            "align": options.align,
            "interpolation": options.interpolation,
        },
    }


def _work(options: argparse.Namespace, model: "Model", dataset: "Dataset") -> "Evaluating":
    """What is done with each batch of photographs."""
    from npcam.localise.evaluation import Evaluating, Settings
    from npcam.stream.batches import Reading

    settings = Settings(
        predicted=options.map_of == "predicted",
        raw=options.thresholds == "raw",
        pictures=options.output / "pictures" if options.pictures else None,
        score_maps=options.score_maps,
    )
    reading = Reading(options.interpolation, align=options.align)
    return Evaluating(model, dataset.photographs, reading, settings)


def _measure(options: argparse.Namespace, work: "Evaluating", provenance: Mapping[str, Any]) -> "Rows":
    """A row for each photograph; those that an earlier run has measured are taken from it."""
    from npcam.stream.batches import BATCH, cut

    photographs = work.photographs
    batches = cut(len(photographs), first=BATCH)
    # What tells one evaluation from another, wherever its files lie: not the paths.
    dataset = {key: value for key, value in provenance["dataset"].items() if key not in ("folder", "boxes")}
    written = {"pictures": options.pictures, "score_maps": options.score_maps is not None}
    about = {**provenance, "dataset": dataset, "written": written}
    return measured(options, work, about, photographs, batches, work.require_written)


def _for_others(options: argparse.Namespace, dataset: "Dataset", rows: "Rows") -> list[str]:
    """What other people's evaluators read; what a user should know of it."""
    from npcam.localise.coco_results import write_coco
    from npcam.localise.score_maps import write_metadata

    notes: list[str] = []
    if options.coco:
        _, without = write_coco(options.coco, rows, dataset.image_ids, dataset.category_ids)
        if without:
            notes.append(f"{options.coco}: {without:,} boxes are left out, for which the data set has no id")
    if options.score_maps:
        notes += write_metadata(options.score_maps, rows)
    return notes


def _say_tables(found: Mapping[str, Any], folder: Path) -> None:
    """Every figure with its interval, as Markdown, which is legible as it is."""
    from npcam.localise.words import in_markdown

    show(in_markdown(found))
    page = folder / "index.html"
    show(f"\n{page if page.is_file() else folder / 'metrics.json'}")


EVALUATE = Command(
    "evaluate",
    "how often a network is right on labelled photographs, and whether its maps find the object",
    add_options,
    evaluate,
    EXAMPLES,
)
