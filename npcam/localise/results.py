"""The results of an evaluation, written where people and programs look for them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npcam.common.errors import InputError
from npcam.common.files import replacing
from npcam.common.text import to_json
from npcam.localise.charts import confusion_chart, curve_chart, reliability_chart
from npcam.localise.evaluation import picture_path
from npcam.localise.index_page import Picture, write_index
from npcam.localise.matrix import confusion_matrix
from npcam.localise.per_photo import is_right, write_per_photo
from npcam.localise.table import class_keys
from npcam.pictures.saved import Origin, save_picture
from npcam.pictures.sheet import Sheet

if TYPE_CHECKING:
    from PIL.Image import Image

Row = Mapping[str, Any]
ON_A_SHEET = 48  # photographs
GREEN = "green: the true boxes; white in black: the box around the evidence"


def write_results(
    folder: Path, found: Mapping[str, Any], rows: Sequence[Row], title: str, notes: Sequence[str]
) -> list[str]:
    """Write `metrics.json`, `per_photo.csv`, charts, contact sheets and `index.html`.

    Args:
        folder: where to; small pictures lie in its folder `pictures`, if there are any.
        found: what `npcam.localise.accuracy.metrics` gives, and its provenance.
        rows: of all photographs.
        title: what was evaluated on what.
        notes: what was assumed or left out.

    Returns:
        What could not be written and why: charts and page need other libraries.

    Raises:
        InputError: something cannot be written.
    """
    with replacing(folder / "metrics.json") as unfinished:
        unfinished.write_text(f"{to_json(found)}\n", encoding="utf-8")
    write_per_photo(folder / "per_photo.csv", rows)
    left_out = []
    try:
        charts = _write_charts(folder, found)
    except InputError as error:
        charts, left_out = [], [str(error)]
    sheets = _write_sheets(folder, rows)
    there = [row["photo"] for row in rows if picture_path(folder / "pictures", row["photo"]).is_file()]
    thumbnails = {name: picture_path(Path("pictures"), name).as_posix() for name in there}
    names = {int(row["label"]): str(row["class"]) for row in rows if "error" not in row}
    names |= {int(row["predicted"]): str(row["predicted_class"]) for row in rows if "error" not in row}
    try:
        write_index(
            folder / "index.html",
            found,
            rows,
            class_keys(names),
            title=title,
            charts=charts,
            sheets=sheets,
            thumbnails=thumbnails,
            notes=notes,
        )
    except InputError as error:
        left_out.append(str(error))
    return left_out


def _write_charts(folder: Path, found: Mapping[str, Any]) -> list[Picture]:
    """The curve, the confusion matrix, the reliability diagram: those that there is something for."""
    charts = []
    if found["curve"]:
        centred = found["centred_box"]["value"]
        _write(folder / "curve.png", curve_chart(found["curve"], centred))
        words = "box accuracy at each threshold, and that of a box drawn blind"
        charts.append(Picture("curve.png", "Box accuracy over the threshold", words))
    if found["confusion"]:
        _write(folder / "confusion.png", confusion_chart(confusion_matrix(found["confusion"])))
        words = "how many photographs of each class were taken for which"
        charts.append(Picture("confusion.png", "Confusion matrix", words))
    if found["calibration"]:
        error = found["expected_calibration_error"]
        _write(folder / "reliability.png", reliability_chart(found["calibration"], error))
        words = "how often predictions of each probability are right"
        charts.append(Picture("reliability.png", "Reliability", words))
    return charts


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)


def _write_sheets(folder: Path, rows: Sequence[Row]) -> list[Picture]:
    """The best, the worst and the most confident mistakes, where there are small pictures."""
    read = [row for row in sorted(rows, key=lambda row: str(row["photo"])) if "error" not in row]
    boxed = [row for row in read if row.get("iou") is not None]
    by = (lambda row: -row["iou"]) if boxed else (lambda row: -row["probability_of_class"])
    ranked = sorted(boxed or read, key=by)
    wrong = sorted((row for row in read if not is_right(row)), key=lambda row: -row["probability"])
    what = "box" if boxed else "probability of the true class"
    sheets = []
    for name, title, chosen in (
        ("best.png", f"Best, by {what}", ranked[:ON_A_SHEET]),
        ("worst.png", f"Worst, by {what}", ranked[::-1][:ON_A_SHEET]),
        ("mistakes.png", "Most confident mistakes", wrong[:ON_A_SHEET]),
    ):
        paths = [picture_path(folder / "pictures", row["photo"]) for row in chosen]
        if not chosen or not all(path.is_file() for path in paths):
            (folder / name).unlink(missing_ok=True)
            continue
        sheet = Sheet(len(chosen))
        for i, (row, path) in enumerate(zip(chosen, paths, strict=True)):
            sheet.add(i, _opened(path), *_caption(row))
        save_picture(sheet.image, folder / name, Origin())
        sheets.append(Picture(name, title, f"{len(chosen)} photographs with their maps; {GREEN}"))
    return sheets


def _opened(path: Path) -> "Image":
    from PIL import Image

    with Image.open(path, formats=("JPEG",)) as picture:
        return picture.convert("RGB")


def _caption(row: Row) -> tuple[str, str]:
    """What stands under a photograph: what it is and was taken for, and how well its box fits."""
    told = row["predicted_class"].replace("_", " ")
    sure = row["probability"]  # where there is no drop, it is no probability but a linear top's value
    first = f"{told} {sure:.0%}" if "drop" in row else f"{told} {sure:.4g}"
    if not is_right(row):
        first += f", not {row['class'].replace('_', ' ')}"
    iou = row.get("iou")
    return first, str(row["photo"]) if iou is None else f"IoU {iou:.2f}  {row['photo']}"
