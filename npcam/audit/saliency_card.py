"""A saliency card, filled in from what was measured.

Boggust et al. 2022, "Saliency Cards: A Framework to Characterize and Compare Saliency Methods"
(arXiv:2206.02958): ten attributes of a method, in three groups. Each is answered with numbers of the audit
at hand; what was not measured is said to be so.
"""

from typing import NamedTuple

from npcam.audit.numbers import Numbers
from npcam.localise.intervals import Share


class Answer(NamedTuple):
    """One attribute: its group, its name, and what was found."""

    group: str
    attribute: str
    answer: str


METHOD, SENSITIVITY, PERCEPTION = "Methodology", "Sensitivity testing", "Perceptibility testing"


def saliency_card(
    numbers: Numbers, grid: tuple[int, ...], channels: int, photographs: int
) -> list[dict[str, str]]:
    """The card's ten rows.

    Args:
        numbers: of all photographs.
        grid: (rows, columns) of the maps.
        channels: how many activations a map sums.
        photographs: how many were measured.

    Returns:
        {"group", "attribute", "answer"} each.
    """
    rows, columns = grid
    cells = rows * columns
    same = numbers["same_bits"].value
    alike = f"in {same:.0%} of {photographs:,} photographs" if photographs > 1 else ("yes" if same else "no")
    answers = [
        Answer(METHOD, "Determinism", f"The same input run twice gives the same bits: {alike}."),
        Answer(
            METHOD,
            "Hyperparameter dependence",
            "Two choices, with no others: the other alignment leaves a correlation of "
            f"{_shown(numbers, 'stability.alignment.correlation')} of the map, the other way to resize "
            f"{_shown(numbers, 'stability.resizing.correlation')}.",
        ),
        Answer(
            METHOD,
            "Model agnosticism",
            "None: it needs a network that ends in global average pooling and one dense layer, as this "
            "one does.",
        ),
        Answer(
            METHOD,
            "Computational efficiency",
            f"One forward pass, which the prediction takes anyway, and {cells * channels:,} multiplications "
            f"({rows} x {columns} cells of {channels:,} activations) for each class.",
        ),
        Answer(
            METHOD,
            "Semantic directness",
            "A cell is what it adds to the logit: the map's mean and the bias are the logit, with a largest "
            f"gap of {numbers['completeness'].value:.1e}.",
        ),
        Answer(SENSITIVITY, "Input sensitivity", _input_sensitivity(numbers)),
        Answer(
            SENSITIVITY,
            "Label sensitivity",
            f"Rank correlation with the map of the next most probable class: {_shown(numbers, 'labels')}."
            if "labels" in numbers
            else "Not measured: the network has one class.",
        ),
        Answer(
            SENSITIVITY,
            "Model sensitivity",
            "Rank correlation with the map of a network with the last layer random: "
            f"{_shown(numbers, 'randomisation.predictions.spearman')}; with all layers random: "
            f"{_shown(numbers, 'randomisation')}.",
        ),
        Answer(
            PERCEPTION,
            "Minimality",
            f"Gini index of the cells: {_shown(numbers, 'gini')} (0: all alike, 1: one has all).",
        ),
        Answer(PERCEPTION, "Perceptual correspondence", _correspondence(numbers)),
    ]
    return [answer._asdict() for answer in answers]


def _input_sensitivity(numbers: Numbers) -> str:
    if "road" not in numbers:
        return "Not measured: the network's outputs are no probabilities."
    gains = ", ".join(
        f"{_shown(numbers, f'{test}.{baseline}.gain_over_random')} ({test}, {baseline})"
        for test in ("deletion", "insertion")
        for baseline in ("zero", "blur")
    )
    start = "Areas under the curves against those of a random order (above 0 is better):"
    return f"{start} {gains}; ROAD: {_shown(numbers, 'road')}."


def _correspondence(numbers: Numbers) -> str:
    if "inside.mass" not in numbers:
        return "Not measured: no true boxes."
    mass, area = (_shown(numbers, name) for name in ("inside.mass", "inside.area"))
    start = f"Share of the positive evidence in the true boxes: {mass}"
    return f"{start}, where the boxes' share of the area is {area}."


def _shown(numbers: Numbers, name: str) -> str:
    """A number with two digits, and its interval where it has one."""
    return in_words(numbers[name])


def in_words(share: Share) -> str:
    """A number with two digits, and its interval where it has one.

    >>> in_words(Share(0.5, 0.25, 0.75)), in_words(Share(0.5, float("nan"), float("nan")))
    ('0.50 (0.25 to 0.75)', '0.50')
    """
    value, low, high = (f"{v:.2f}" for v in share)
    return value if low == "nan" else f"{value} ({low} to {high})"
