"""One photograph of many, as a row of the index: what tells it from the others."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from npcam.common.pictures import how_it_lies
from npcam.explain import Explanation, Pass
from npcam.report.explained import Options, held, shown_classes
from npcam.report.photograph import small_photograph

if TYPE_CHECKING:
    from npcam.stream.batches import Seen

THUMBNAIL = 160  # pixels of its longer side


def row(one: "Seen", options: Options) -> dict[str, Any]:
    """What the index shows of a photograph: its class, how sure that is, and what a reader should look at.

    Args:
        one: the photograph, as it went through the network.
        options: how it was read, and which class is explained.

    Returns:
        `photo`, `photo_sha256`, `index`, `name`, `probability` and `logit` of the class that is explained,
        `margin` (by how much the largest logit is larger than the second; None where there is one class),
        `evidence_in_box`, `everywhere`, `findings` (sentences) and `thumbnail` (the bytes of a JPEG).
    """
    seen = held(one.seen)
    target, _ = shown_classes(seen, options)
    e = seen.explain(target)
    picture, _ = small_photograph(seen.photo, THUMBNAIL)
    return {
        "photo": Path(one.path).name,
        "photo_sha256": one.sha256,
        "index": target,
        "name": e.label,
        "probability": e.probability,
        "logit": e.logit,
        "margin": margin(seen),
        "evidence_in_box": e.evidence_in_box,
        "everywhere": e.everywhere,
        "findings": list(_findings(e, seen)),
        "thumbnail": picture,
    }


def margin(seen: Pass) -> float | None:
    """By how much the largest logit is larger than the second; None where there is only one class."""
    if len(seen.logits) == 1:
        return None
    second, first = np.sort(seen.logits.astype(np.float64))[-2:]
    return float(first - second)


def _findings(e: Explanation, seen: Pass) -> list[str]:
    """What is unusual about a photograph and its map."""
    best = int(np.argmax(seen.logits))
    told = (
        (e.target != best, f"not the most probable class, which is {seen.label(best)}"),
        (e.box is None, "nothing speaks for the class"),
        (e.everywhere, "the evidence is everywhere: the box covers more than 90 % of the photograph"),
    )
    return [*how_it_lies(seen.photo.info.get("orientation")), *(words for found, words in told if found)]
