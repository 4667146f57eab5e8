"""The results of an evaluation, written where people and programs look for them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npcam.common.errors import InputError
from npcam.common.files import replacing
from npcam.common.text import to_json
from npcam.localise.charts import confusion_chart, curve_chart, reliability_chart
from npcam.localise.evaluation import picture_path
from npcam.localise.index_page import Picture, write_index
from npcam.localise.matrix import confusion_matrix
from npcam.localise.per_photo import write_per_photo
from npcam.localise.sheets import choose, draw_sheet
from npcam.localise.table import class_keys
from npcam.pictures.saved import Origin, save_picture

if TYPE_CHECKING:
    from PIL.Image import Image

Row = Mapping[str, Any]
CHARTS = ("curve.png", "confusion.png", "reliability.png")
SHEETS = ("best.png", "worst.png", "mistakes.png")


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
    _remove_old(folder, CHARTS, charts)
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
        (folder / "index.html").unlink(missing_ok=True)
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
    """The best boxes, the worst ones, the surest mistakes, where there are small pictures."""
    sheets = []
    for choice in choose(rows):
        name = f"{choice.name}.png"
        pictures = {row["photo"]: _small(folder, row) for row in choice.rows}
        if any(pictures.values()):
            drawn = draw_sheet(choice, lambda row, found=pictures: found[row["photo"]])  # type: ignore[misc]
            save_picture(drawn, folder / name, Origin())
            sheets.append(Picture(name, choice.title, f"{len(choice.rows)} photographs with their maps"))
    _remove_old(folder, SHEETS, sheets)
    return sheets


def _remove_old(folder: Path, names: Collection[str], pictures: Sequence[Picture]) -> None:
    """Remove what an earlier run drew and this one did not: it would be shown as if it were of this one."""
    for name in {*names} - {picture.file for picture in pictures}:
        (folder / name).unlink(missing_ok=True)


def _small(folder: Path, row: Row) -> "Image | None":
    """The small picture of a photograph, if it is there."""
    from PIL import Image

    path = picture_path(folder / "pictures", row["photo"])
    if not path.is_file():
        return None
    with Image.open(path, formats=("JPEG",)) as picture:
        return picture.convert("RGB")
