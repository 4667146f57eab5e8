"""The boxes that were found, as COCO's evaluators read detections."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from npcam.common.files import replacing


def write_coco(
    path: str | Path,
    rows: Iterable[Mapping[str, Any]],
    image_ids: Mapping[str, Any] | None = None,
    category_ids: Mapping[int, Any] | None = None,
) -> tuple[int, int]:
    """Write the boxes as COCO results: `image_id`, `category_id`, `bbox` [x, y, width, height], `score`.

    A photograph has one detection: the box around the evidence for the class that was explained, with
    that class's probability as its score. Photographs without a box have none.

    Args:
        path: the file; the old one is replaced as a whole.
        rows: of `npcam evaluate`; they are written in their order.
        image_ids: COCO's id of each photograph, by its name; None for data sets that are not
            COCO's: `image_id` is the photograph's name then.
        category_ids: COCO's id of each class, by its index in the model; None: the index itself.

    Returns:
        How many detections were written, and how many were not because COCO has no id for their
        photograph or class.

    Raises:
        InputError: it cannot be written.

    >>> import tempfile
    >>> row = {"photo": "cat/x.jpg", "box": [10, 20, 30, 60], "explained": 2, "label": 2}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_coco(Path(folder, "a.json"), [{**row, "probability_of_class": 0.75}])
    ...     json.loads(Path(folder, "a.json").read_text())[0]
    {'image_id': 'cat/x.jpg', 'category_id': 2, 'bbox': [10, 20, 20, 40], 'score': 0.75}
    """
    count = without = 0
    with replacing(path) as unfinished, unfinished.open("w", encoding="ascii") as file:
        file.write("[")
        for row in rows:
            if row.get("box") is None:
                continue
            if (image_ids is not None and row["photo"] not in image_ids) or (
                category_ids is not None and row["explained"] not in category_ids
            ):
                without += 1
                continue
            file.write(",\n" if count else "\n")
            file.write(json.dumps(_detection(row, image_ids, category_ids), allow_nan=False))
            count += 1
        file.write("\n]\n")
    return count, without


def _detection(
    row: Mapping[str, Any], image_ids: Mapping[str, Any] | None, category_ids: Mapping[int, Any] | None
) -> dict[str, Any]:
    """One photograph's box."""
    x0, y0, x1, y1 = row["box"]
    explained = row["explained"]
    return {
        "image_id": row["photo"] if image_ids is None else image_ids[row["photo"]],
        "category_id": explained if category_ids is None else category_ids[explained],
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "score": row["probability_of_class"] if explained == row["label"] else row["probability"],
    }
