"""What `npcam verify` writes of layers that are off: pictures of where, and a script that shows it."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from npcam.common.files import make_folder, replacing
from npcam.common.text import say

if TYPE_CHECKING:
    from npcam.verify.compare import Report, Row
    from npcam.verify.photographs import Pair
    from npcam.weights import Weights


def save_heatmaps(report: "Report", folder: Path) -> None:
    """A picture for the first bad layer and for each other that is off alone, `LAYER.png`.

    Raises:
        InputError: the folder or a picture cannot be written.
    """
    from npcam.verify.heatmap import draw_place

    first = report.first_bad
    rows = [row for row in report.rows if row.place and (row is first or _off_alone(row))]
    if not rows:
        say(f"{folder}: no heat maps: no layer is off where shapes agree", error=True)
        return
    make_folder(folder, "--heatmaps")
    for row in rows:
        assert row.place is not None
        file = io.BytesIO()
        draw_place(row.name, row.shape, row.place).save(file, format="PNG")
        with replacing(folder / f"{row.name}.png") as unfinished:
            unfinished.write_bytes(file.getvalue())
    some = ", ".join(row.name for row in rows[:3]) + (", ..." if len(rows) > 3 else "")
    say(f"{folder}: where layers are off: {some}", error=True)


def save_reproducer(report: "Report", weights: "Weights", runs: "Pair | None", folder: Path) -> None:
    """The first bad layer's input, weights and outputs, and a script that needs only NumPy.

    Args:
        report: a comparison.
        weights: npcam's network.
        runs: the two runs of the photograph with the first bad layer; None where no layer is off.
        folder: where to write.

    Raises:
        InputError: the folder or a file cannot be written, or the layer's inputs do not fit it.
    """
    from npcam.verify.blame import with_logits
    from npcam.verify.reproducer import reproducer, write_reproducer

    row = report.first_bad
    if row is None or runs is None:
        say(f"{folder}: no reproducer: no layer is off", error=True)
        return
    run = runs.other if report.on_trial == "reference" else runs.npcam
    weights, trial = with_logits(row, weights, run.activations)
    if row.name not in trial:
        say(f"{folder}: no reproducer: {row.name} is not given", error=True)
        return
    worst = next((d.worst for d in (row.alone, row.found) if d and not d.ok), ())
    x = runs.npcam.activations["input_layer"]
    found = reproducer(weights, x, trial, row.name, worst[0] if worst else 0)
    make_folder(folder, "--reproducer")
    for path in write_reproducer(folder, found):
        say(f"{path}: {row.name}, to be shown without npcam", error=True)


def _off_alone(row: "Row") -> bool:
    """Whether a layer has a fault of its own."""
    return not row.ok and row.alone is not None and not row.alone.ok
