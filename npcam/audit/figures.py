"""The figures of an audit: which there are, their titles and papers, and what an entry of one is made of."""

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from npcam.audit.deletion import BASELINES
from npcam.audit.numbers import Numbers
from npcam.audit.randomise import STAGES
from npcam.audit.sentences import SENTENCES
from npcam.audit.stability import CHANGES

CAVEAT = (
    "Not proof, not causal: these numbers tell how the map and the network behave under changes that were "
    "made here; a map that passes may still mislead, and where evidence lies is not why a class was chosen."
)


class Figure(NamedTuple):
    """One question that is asked of a map.

    Attributes:
        key: its name.
        title: what is measured.
        paper: who asked it first.
        number: the name of its number.
        spread: the names of the numbers between whose least and largest one photograph's interval reaches.
        over: what that interval is over.
    """

    key: str
    title: str
    paper: str
    number: str
    spread: tuple[str, ...] = ()
    over: str = ""


FIGURES = (
    Figure(
        "deletion",
        "Deletion: pixels removed in the map's order",
        "Petsiuk, Das & Saenko 2018, RISE, arXiv:1806.07421",
        "deletion",
        tuple(f"deletion.{b}.map" for b in BASELINES),
        "from one baseline to the other",
    ),
    Figure(
        "insertion",
        "Insertion: pixels added in the map's order",
        "Petsiuk, Das & Saenko 2018, RISE, arXiv:1806.07421",
        "insertion",
        tuple(f"insertion.{b}.map" for b in BASELINES),
        "from one baseline to the other",
    ),
    Figure(
        "drop",
        "Average Drop and Increase",
        "Chattopadhay et al. 2018, Grad-CAM++, arXiv:1710.11063",
        "drop",
    ),
    Figure(
        "road",
        "ROAD: pixels removed so that little tells it",
        "Rong et al. 2022, arXiv:2202.00449",
        "road",
    ),
    Figure(
        "randomisation",
        "Model randomisation from the top down",
        "Adebayo et al. 2018, arXiv:1810.03292",
        "randomisation",
        tuple(f"randomisation.{stage}.spearman" for stage in STAGES),
        "from the lowest stage to the highest",
    ),
    Figure(
        "labels",
        "Another class, another map",
        "Boggust et al. 2022, Saliency Cards, arXiv:2206.02958",
        "labels",
        tuple(f"labels.{place}" for place in (2, 3, 4, 5)),
        "over the most probable other classes",
    ),
    Figure(
        "stability",
        "Stability under changes that leave the content as it is",
        "Alvarez-Melis & Jaakkola 2018, arXiv:1806.08049",
        "stability",
        tuple(f"stability.{change}.correlation" for change in CHANGES),
        "over five changes",
    ),
    Figure(
        "sparseness",
        "Sparseness and complexity of the map",
        "Chalasani et al. 2020, arXiv:1810.06583; Bhatt et al. 2020, arXiv:2005.00631",
        "gini",
    ),
    Figure(
        "inside",
        "Evidence in the true boxes",
        "Arras, Osman & Samek 2022, CLEVR-XAI, arXiv:2003.07258",
        "inside.mass",
    ),
)
KEYS = tuple(figure.key for figure in FIGURES)


def entries(numbers: Numbers, pictures: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """An entry for each figure that there are numbers for.

    Args:
        numbers: of `of_one` or `of_many`.
        pictures: a PNG by figure; those that cannot be drawn are missing.

    Returns:
        {"key", "title", "sentence", "paper", "value", "low", "high", "interval": what low and high are,
        "picture": {"mime", "base64"} or None} each. `low` and `high` are the bootstrap interval of 95 %; for
        one photograph the range that `interval` names, or None.
    """
    return [
        _entry(figure, numbers, pictures.get(figure.key)) for figure in FIGURES if figure.number in numbers
    ]


def _entry(figure: Figure, numbers: Numbers, picture: bytes | None) -> dict[str, Any]:
    value, low, high = numbers[figure.number]
    interval: str | None = "95 % over photographs"
    if math.isnan(low):
        spread = [numbers[name].value for name in figure.spread if name in numbers]
        low, high = (min(spread), max(spread)) if spread else (None, None)  # type: ignore[assignment]
        interval = figure.over if spread else None
    coded = None if picture is None else {"mime": "image/png", "base64": base64.b64encode(picture).decode()}
    return {
        "key": figure.key,
        "title": figure.title,
        "sentence": SENTENCES[figure.key](numbers),
        "paper": figure.paper,
        "value": value,
        "low": low,
        "high": high,
        "interval": interval,
        "picture": coded,
    }


def worst(rows: Sequence[Mapping[str, Any]], most: int = 4) -> dict[str, list[dict[str, Any]]]:
    """The photographs with the worst number of each figure of which one can be called worst.

    Args:
        rows: of the photographs that could be read.
        most: how many of each.

    Returns:
        {name of the number: [{"photo", "value"}, the worst first]}; of equal ones in the order of names.
    """
    found = {}
    for name, sign in WORST.items():
        having = [row for row in rows if name in row["numbers"]]
        chosen = sorted(having, key=lambda row: (sign * row["numbers"][name], row["photo"]))[:most]
        if chosen:
            found[name] = [{"photo": row["photo"], "value": row["numbers"][name]} for row in chosen]
    return found


# 1: the least is the worst; -1: the largest is.
WORST = {"deletion": -1, "insertion": 1, "drop": -1, "road": 1, "stability": 1, "inside.gain": 1}
