"""Contact sheets of an evaluation: which photographs stand on them, and what is drawn of each."""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from npcam.cam import scale_box
from npcam.pictures.draw import outline
from npcam.pictures.evidence import Evidence
from npcam.pictures.lettering import WHITE
from npcam.pictures.overlay import paint
from npcam.pictures.sheet import LARGEST_CELL, Sheet

if TYPE_CHECKING:
    from PIL.Image import Image

Row = Mapping[str, Any]

MOST = 24  # photographs of a sheet
COLUMNS = 6
TRUE_BOX = (86, 180, 233)  # Okabe & Ito's sky blue: light as the found box's white, and of another colour
KEY = "true boxes are blue, the found one is white"


class Choice(NamedTuple):
    """Photographs of one sheet.

    Attributes:
        name: of its file, without a suffix.
        title: what they have in common.
        rows: theirs, the first one first.
    """

    name: str
    title: str
    rows: tuple[Row, ...]


def choose(rows: Iterable[Row], most: int = MOST) -> tuple[Choice, ...]:
    """Choose the best boxes, the worst boxes, and the mistakes that the network was surest of.

    Of equally bad boxes the ones come first whose class the network was surest of. The order of rows
    does not matter; a sheet for which there is no photograph is left out.

    Args:
        rows: of `npcam evaluate`; those that could not be read are passed over.
        most: photographs of each sheet.

    >>> rows = [{"photo": n, "iou": i, "probability_of_class": 1.0} for n, i in (("a", 0.1), ("b", 0.9))]
    >>> [row["photo"] for row in choose(rows, 1)[0].rows]
    ['b']
    """
    read = [row for row in rows if "error" not in row]
    boxed = [row for row in read if row.get("iou") is not None]
    wrong = [row for row in read if row.get("predicted") != row.get("label")]
    best = heapq.nsmallest(most, boxed, key=lambda row: (-row["iou"], row["photo"]))
    worst = heapq.nsmallest(
        most, boxed, key=lambda row: (row["iou"], -row["probability_of_class"], row["photo"])
    )
    surest = heapq.nsmallest(most, wrong, key=lambda row: (-row["probability"], row["photo"]))
    choices = (
        Choice("best", f"The best boxes; {KEY}", tuple(best)),
        Choice("worst", f"The worst boxes; {KEY}", tuple(worst)),
        Choice("mistakes", "The mistakes that the network was surest of", tuple(surest)),
    )
    return tuple(choice for choice in choices if choice.rows)


def draw_sheet(choice: Choice, picture: Callable[[Row], "Image | None"], cell: int = LARGEST_CELL) -> "Image":
    """Draw a sheet: each photograph with its map, the true boxes and the found one.

    Args:
        choice: its photographs.
        picture: gives the small picture of a row's photograph, see `thumbnail`; None for a crossed cell.
        cell: pixels of the longer side of each.

    Returns:
        An RGB image.
    """
    sheet = Sheet(len(choice.rows), cell, COLUMNS)
    for i, row in enumerate(choice.rows):
        sheet.add(i, picture(row), caption(row), row["photo"])
    return sheet.image


def caption(row: Row) -> str:
    """What a row's photograph is and was taken for, and how good its box is.

    >>> row = {"class": "cat", "predicted_class": "dog", "label": 0, "predicted": 1, "probability": 0.97}
    >>> caption({**row, "drop": 0.1})
    'dog 97%, is cat'
    """
    truth = "" if row["predicted"] == row["label"] else f", is {row['class']}"
    overlap = "" if row.get("iou") is None else f"IoU {row['iou']:.2f}, "
    sure = row["probability"]  # where there is no drop, it is no probability but a linear top's value
    shown = f"{sure:.0%}" if "drop" in row else f"{sure:.4g}"
    return f"{overlap}{row['predicted_class']} {shown}{truth}"


def thumbnail(evidence: Evidence, true_boxes: Sequence[Sequence[float]], side: int) -> "Image":
    """A photograph in small with its map, the true boxes in blue and the found one in white.

    Args:
        evidence: the photograph, its map and its box.
        true_boxes: (x0, y0, x1, y1) each, in pixels of the photograph.
        side: pixels of the longer side.

    Returns:
        An RGB image; the lines are as wide in every photograph, whatever its size.
    """
    from PIL import Image

    photo = evidence.photo
    factor = side / max(photo.size)
    size = (max(1, round(photo.width * factor)), max(1, round(photo.height * factor)))
    how = Image.Resampling.BICUBIC if factor > 1 else Image.Resampling.LANCZOS
    picture = photo.resize(size, how, reducing_gap=None if factor > 1 else 3.0)
    paint(picture, evidence.heatmap, evidence.legend().scale)
    line = max(1, side // 120)
    found = [] if evidence.box is None else [(evidence.box, WHITE)]
    for corners, colour in [*((box, TRUE_BOX) for box in true_boxes), *found]:
        left, top, right, bottom = map(round, corners)
        x0, y0, x1, y1 = scale_box((left, top, right, bottom), photo.size[::-1], size[::-1])
        inside = (max(0, x0), max(0, y0), min(size[0], x1), min(size[1], y1))
        if inside[0] < inside[2] and inside[1] < inside[3]:
            outline(picture, inside, line, colour)
    return picture
