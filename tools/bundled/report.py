"""What a training run says of itself: lines while it runs, a CSV file, and the learning curve."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from npcam.common.files import replacing

Row = dict[str, float]  # one per report; what was not measured is missing

COLUMNS = (
    "step", "epoch", "size", "rate", "loss", "box_loss", "accuracy",
    "validation_accuracy", "validation_box_loss", "photographs_per_second", "seconds",
)  # fmt: skip

# What the picture shows of them: column, label, colour; the ones measured on --validate are darker.
LINES = (
    ("accuracy", "right, training crops", "#9ecae1"),
    ("validation_accuracy", "right, validation", "#08519c"),
    ("box_loss", "box loss, training crops", "#fdae6b"),
    ("validation_box_loss", "box loss, validation", "#a63603"),
)


def say(text: str, end: str = "\n") -> None:
    """Print to standard error at once: standard output is left to results."""
    print(text, end=end, file=sys.stderr, flush=True)


def line(row: Row, total: int, minutes_left: float) -> str:
    """One report in words."""
    words = [f"step {row['step']:.0f}/{total}", f"{row['size']:.0f} px", f"loss {row['loss']:.4f}"]
    if "box_loss" in row:
        words.append(f"box {row['box_loss']:.4f}")
    words.append(f"right {row['accuracy']:.4f}")
    if "validation_accuracy" in row:
        words.append(f"validation {row['validation_accuracy']:.4f}")
    if "validation_box_loss" in row:
        words.append(f"box {row['validation_box_loss']:.4f}")
    return "  ".join([*words, f"{row['photographs_per_second']:.0f}/s", f"{minutes_left:.0f} min left"])


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write the log; a cell is empty where nothing was measured."""
    with replacing(path) as unfinished, unfinished.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in rows)


def write_curve(path: Path, rows: Sequence[Row], size: tuple[int, int] = (900, 480)) -> None:
    """Draw the share of right answers and the box losses over the epochs, both 0 to 1."""
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(14)
    left, top, right, bottom = 56, 20, size[0] - 20, size[1] - 92
    last = max((row["epoch"] for row in rows), default=1.0)

    def place(epoch: float, value: float) -> tuple[float, float]:
        return left + (right - left) * epoch / last, bottom - (bottom - top) * min(1.0, value)

    for tenth in range(0, 11, 2):
        x, y = place(0, tenth / 10)
        draw.line([(x, y), (right, y)], fill="#dddddd")
        draw.text((x - 8, y), f"{tenth / 10:.1f}", fill="black", font=font, anchor="rm")
    for before, row in pairwise(rows):
        if before["size"] != row["size"]:  # a new phase
            x, _ = place(before["epoch"], 0)
            draw.line([(x, top), (x, bottom)], fill="#bbbbbb")
            draw.text((x + 4, top), f"{row['size']:.0f} px", fill="#777777", font=font)
    for number, (column, label, colour) in enumerate(LINES):
        points = [place(row["epoch"], row[column]) for row in rows if column in row]
        if points:
            draw.line(points, fill=colour, width=2, joint="curve")
            for x, y in points if column.startswith("validation") else []:
                draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=colour)
        x, y = left + 300 * (number % 2), bottom + 44 + 22 * (number // 2)
        draw.line([(x, y), (x + 24, y)], fill=colour, width=3)
        draw.text((x + 32, y), label, fill="black", font=font, anchor="lm")
    draw.text(
        ((left + right) / 2, bottom + 16), f"epochs, 0 to {last:g}", fill="black", font=font, anchor="mm"
    )
    with replacing(path) as unfinished:
        picture.save(unfinished, format="PNG")
