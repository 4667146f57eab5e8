"""Measure a model on labelled photographs: how often it is right, and whether its maps find the object.

Photographs are read as `npcam explain` reads them. With boxes, the box drawn around the map of the TRUE
class (20 % rule) counts as a hit at an overlap (IoU) of at least 0.5 with any box of that class; the
baseline is a centred box of 85 % of the picture's sides, drawn blind. The map's peak counts as a hit within
15 pixels of such a box, at the input's size. Intervals are 95 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from bundled.photos import Photographs
from bundled.statistics import Bin, Share, calibration, gain, near, overlap, share

import npcam

EXAMPLES = """\
examples:
  python tools/measure_bundled.py photos/dev --boxes photos/boxes.json
  python tools/measure_bundled.py photos/dev --boxes photos/boxes.json --interpolation bilinear
  python tools/measure_bundled.py my_photos --weights mine.h5 --json > measured.json"""

BATCH = 16  # photographs a forward pass
MARGIN = 15  # pixels that a peak may lie outside a box
ENOUGH = 0.5  # overlap of two boxes that count as the same
CENTRED = (0.075, 0.075, 0.925, 0.925)  # the box drawn blind, as fractions of the picture


@dataclass
class Found:
    """What was found on all photographs, in their order; the last four of those with boxes only."""

    top: list[float] = field(default_factory=list)  # probability of the top class
    right: list[bool] = field(default_factory=list)
    boxed: list[int] = field(default_factory=list)  # indices of photographs with boxes
    box: list[bool] = field(default_factory=list)
    peak: list[bool] = field(default_factory=list)
    centred: list[bool] = field(default_factory=list)
    completeness: float = 0.0  # largest |mean(M_c) + b_c - logit_c|


def look(model: npcam.Model, photographs: Photographs, interpolation: str, align: str) -> Found:
    """Run the model over all photographs."""
    found = Found()
    for index, outputs in _forward(model, photographs, interpolation):
        probabilities = outputs.probabilities  # (N, classes)
        features = outputs.activations[model.last_activation]  # (N, h, w, K)
        for row, photo in enumerate(index):
            label = int(photographs.labels[photo])
            found.top.append(float(probabilities[row].max()))
            found.right.append(int(outputs.logits[row].argmax()) == label)
            if len(photographs.boxes[photo]):
                weights, bias = model.class_weights(label)
                cam = npcam.class_activation_map(features[row], weights)  # (h, w)
                rest = float(cam.mean(dtype=np.float64)) + bias - float(outputs.logits[row, label])
                found.completeness = max(found.completeness, abs(rest))
                heatmap = npcam.upsample_map(cam, model.input_size, align)  # (H, W)
                _judge(found, photo, heatmap, photographs.boxes[photo])
    return found


def _judge(found: Found, photo: int, heatmap: np.ndarray, boxes: np.ndarray) -> None:
    """Compare one map with the boxes, both in pixels of the network's input."""
    height, width = heatmap.shape
    scale = np.array([width, height, width, height])
    drawn = npcam.bounding_box(heatmap)
    y, x = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    found.boxed.append(photo)
    found.box.append(drawn is not None and max(overlap(drawn, b * scale) for b in boxes) >= ENOUGH)
    found.peak.append(drawn is not None and near((x + 0.5, y + 0.5), boxes * scale, MARGIN))
    found.centred.append(max(overlap(CENTRED, b) for b in boxes) >= ENOUGH)


def _forward(model: npcam.Model, photographs: Photographs, interpolation: str) -> Iterator[tuple[range, Any]]:
    for start in range(0, len(photographs), BATCH):
        index = range(start, min(start + BATCH, len(photographs)))
        pixels = [npcam.load_image(photographs.pictures[i], model.input_size, interpolation) for i in index]
        yield index, model.run(npcam.preprocess_input(np.stack(pixels)), [model.last_activation])
        print(f"\r{interpolation}: {index.stop}/{len(photographs)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def summarise(found: Found, photographs: Photographs) -> dict[str, Any]:
    """All shares, over all photographs and per class."""
    labels, right = photographs.labels, np.array(found.right)
    boxed = np.array(found.boxed, int)
    hits = {name: np.array(getattr(found, name), bool) for name in ("box", "peak", "centred")}
    both = hits["box"] & right[boxed]

    def of(everything: np.ndarray, with_boxes: np.ndarray) -> dict[str, Share]:
        shares = {name: share(values[with_boxes]) for name, values in hits.items()}
        return {"right": share(right[everything]), **shares, "box_and_right": share(both[with_boxes])}

    classes = {
        name: of(labels == label, labels[boxed] == label)
        for label, name in enumerate(photographs.class_names)
    }
    table, error = calibration(np.array(found.top), right)
    result: dict[str, Any] = {
        "all": of(np.ones(len(labels), bool), np.ones(len(boxed), bool)),
        "mean_of_classes": {
            name: float(np.nanmean([shares[name].value for shares in classes.values()]))
            for name in (("right", "box", "peak") if len(boxed) else ("right",))
        },
        "classes": classes,
        "calibration": table,
        "expected_calibration_error": float(error),
        "completeness": found.completeness,
    }
    if len(boxed) > 1:
        result["box_above_centred"] = gain(hits["box"], hits["centred"])
    return result


def print_table(result: dict[str, Any]) -> None:
    """The same for people, as Markdown."""
    columns = ("right", "box", "centred", "peak", "box_and_right")
    print("| | top class right | box | centred box | peak | box and class right |")
    print("|---|---|---|---|---|---|")
    for name, shares in (("**all**", result["all"]), *result["classes"].items()):
        print("| " + " | ".join([name, *(str(shares[column]) for column in columns)]) + " |")
    means = result["mean_of_classes"]
    print("\nmean of the classes: " + ", ".join(f"{name} {value:.3f}" for name, value in means.items()))
    if "box_above_centred" in result:
        print(f"box above the centred box, paired: {result['box_above_centred']}")
    print(f"largest |mean(map) + bias - logit|: {result['completeness']:.1e}")
    print("\n| top probability | photographs | mean probability | right |\n|---|---|---|---|")
    for row in result["calibration"]:
        print(f"| {row.low:.1f}-{row.high:.1f} | {row.n} | {row.confidence:.3f} | {row.right} |")
    print(f"\nexpected calibration error: {result['expected_calibration_error']:.3f}")


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 measured, 2 bad input."""
    parser = argparse.ArgumentParser(
        prog="measure_bundled",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", help="folder that holds one folder of photographs per class")
    parser.add_argument(
        "--boxes", metavar="JSON", help="boxes of the objects; keys are paths beside the file"
    )
    parser.add_argument("--weights", metavar="FILE", help="npcam weights file (default: the bundled model)")
    parser.add_argument("--interpolation", choices=("nearest", "bilinear"), default="nearest")
    parser.add_argument("--align", choices=("corners", "centers"), default="corners")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    args = parser.parse_args(argv)
    try:
        model = npcam.load_model(args.weights)
        model.require_top("tell classes apart")
        photographs = Photographs(args.photos, args.boxes, model.class_names, largest=None)
        if model.class_names is None and len(photographs.class_names) != model.classes:
            folders = len(photographs.class_names)
            msg = f"{args.photos}: {folders} folders, but the model has {model.classes} classes"
            raise npcam.InputError(msg)
    except (npcam.InputError, OSError) as error:
        print(f"measure_bundled: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    result = summarise(look(model, photographs, args.interpolation, args.align), photographs)
    if args.json:
        print(json.dumps(_plain(result), indent=1))
    else:
        boxed = result["all"]["box"].n
        print(f"{args.interpolation}, {args.align}: {len(photographs)} photographs, {boxed} with boxes\n")
        print_table(result)
    return 0


def _plain(value: Any) -> Any:
    """Named tuples as objects with names: JSON would make lists of them."""
    if isinstance(value, (Share, Bin)):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return None if isinstance(value, float) and np.isnan(value) else value


if __name__ == "__main__":
    sys.exit(main())
