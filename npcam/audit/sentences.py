"""One plain sentence of reading for each figure, which follows from the numbers by rules that stand here.

A difference is called better or worse where its interval leaves out 0; for one photograph, which has no
interval, where it is more than `CLEAR`.
"""

import math
from collections.abc import Callable, Mapping

from npcam.audit.deletion import BASELINES
from npcam.audit.numbers import Numbers
from npcam.audit.randomise import STAGES
from npcam.audit.road import SHARES
from npcam.audit.stability import CHANGES
from npcam.localise.intervals import Share

CLEAR = 0.02  # of a difference of one photograph, which has no interval
ALIKE = 0.5  # rank correlation from which on two maps are called alike
STEADY = 0.9  # correlation from which on a map is said to stay as it is
SPREAD, GATHERED = 0.4, 0.7  # Gini indices between which a map is neither
BLANKS = {"zero": "the zero baseline", "blur": "the blurred one"}
ORDERS = {"random": "a random order", "centred": "the order from the middle outwards"}
CHANGED = {
    "shift": "a shift by one pixel",
    "flip": "a mirror",
    "jpeg": "JPEG at quality 50",
    "resizing": "the other way to resize",
    "alignment": "the other alignment",
}


def verdict(difference: Share) -> int:
    """1 where a difference is above 0, -1 where it is below, 0 where it cannot be told.

    >>> verdict(Share(0.1, 0.02, 0.2)), verdict(Share(0.1, -0.02, 0.2))
    (1, 0)
    >>> verdict(Share(-0.1, math.nan, math.nan))
    -1
    """
    value, low, high = difference
    if math.isnan(low) or math.isnan(high):
        low, high = value - CLEAR, value + CLEAR
    return int(low > 0) - int(high < 0)


def of_deletion(n: Numbers) -> str:
    """How low the probability is on the way, and against which order that is better."""
    return _of_curves(n, "deletion", "are removed", "lower")


def of_insertion(n: Numbers) -> str:
    """How high the probability is on the way, and against which order that is better."""
    return _of_curves(n, "insertion", "come back", "higher")


def of_drop(n: Numbers) -> str:
    """How much of the probability is lost where only the map's place is seen."""
    lost = f"{n['drop'].value:.1%} of the class's probability is lost (Average Drop; lower is better)"
    if _is_many(n):
        rises = f", and in {_share(n['increase'])} of the photographs it rises (Increase; higher is better)"
    else:
        rises = ", and it rises (Increase)" if n["increase"].value else ""
    least = n["drop"].high if _is_many(n) else n["drop"].value
    keeps = "most of what the class needs is where the map is high" if least < 0.5 else ""
    keeps = keeps or "the map leaves out much that the class needs, or its dimming disturbs the network"
    return f"Where the input is dimmed by the map, {lost}{rises}: {keeps}."


def of_road(n: Numbers) -> str:
    """Whether what the map marks most is needed more than what it marks least."""
    shares = ", ".join(f"{round(100 * s)}" for s in SHARES[:-1]) + f" and {round(100 * SHARES[-1])} %"
    gap = n["road"]
    what = {
        1: "the map tells pixels that the class needs from others",
        0: "the map does not tell pixels that the class needs from others",
        -1: "the map marks least what the class needs most",
    }[verdict(gap)]
    more = "more" if gap.value >= 0 else "less"
    start = f"Without the {shares} of the pixels that the map marks least, the class's probability is "
    return f"{start}{abs(gap.value):.2f} {more} than without those that it marks most, on average: {what}."


def of_randomisation(n: Numbers) -> str:
    """Whether the map becomes another one when the network forgets what it learnt."""
    top, bottom = (n[f"randomisation.{stage}.spearman"].value for stage in (STAGES[0], STAGES[-1]))
    changes = abs(bottom) < ALIKE
    what = (
        "the map depends on what was learnt"
        if changes
        else "much of the map is there without what was learnt"
    )
    should = "A map that depends on what the network learnt loses its likeness when the weights are random"
    top_words = f"with the last layer random its rank correlation with the first map is {top:.2f}"
    return f"{should}; {top_words}, with all layers random {bottom:.2f} (1 is the same, 0 unrelated): {what}."


def of_labels(n: Numbers) -> str:
    """Whether another class has another map."""
    value = n["labels"].value
    what = "the map is this class's own" if value < ALIKE else "the maps of both classes are much alike"
    start = "The map's rank correlation with that of the next most probable class is"
    return f"{start} {value:.2f} (1 is the same, 0 unrelated, -1 the opposite): {what}."


def of_stability(n: Numbers) -> str:
    """Which change moves the map most, and whether it moves it far."""
    worst = min(CHANGES, key=lambda change: n[f"stability.{change}.correlation"].value)
    value = n[f"stability.{worst}.correlation"].value
    boxes = min(CHANGES, key=lambda change: n[f"stability.{change}.iou"].value)
    overlap = n[f"stability.{boxes}.iou"].value
    what = "the map stays as it is" if value >= STEADY else "the map moves though the content stays"
    start = (
        f"Of five changes that leave the content as it is, {CHANGED[worst]} moves the map most (correlation "
    )
    box = f"the box most with {CHANGED[boxes]} (IoU {overlap:.2f})" if overlap < 1 else "none the box (IoU 1)"
    return f"{start}{value:.2f}), and {box}: {what}."


def of_sparseness(n: Numbers) -> str:
    """On how few cells the map stands."""
    value, entropy = n["gini"].value, n["complexity"].value
    what = "in between"
    if value < SPREAD:
        what = "the map is spread over the photograph"
    elif value > GATHERED:
        what = "the map stands on few cells"
    start = f"The Gini index of the map's cells is {value:.2f} (0: all cells alike, 1: one cell has all)"
    return f"{start}, their entropy {entropy:.0%} of the largest that there can be: {what}."


def of_inside(n: Numbers) -> str:
    """Whether the evidence lies in the true boxes more than by chance."""
    what = {
        1: "the evidence lies in the object more than by chance",
        0: "no more than by chance",
        -1: "the evidence avoids the object",
    }[verdict(n["inside.gain"])]
    start = f"{_share(n['inside.mass'])} of the positive evidence lies in the true boxes, which cover "
    rank = f"of as many of the largest pixels, {_share(n['inside.rank'])} lie inside"
    return f"{start}{_share(n['inside.area'])} of the photograph; {rank}: {what}."


SENTENCES: Mapping[str, Callable[[Numbers], str]] = {
    "deletion": of_deletion,
    "insertion": of_insertion,
    "drop": of_drop,
    "road": of_road,
    "randomisation": of_randomisation,
    "labels": of_labels,
    "stability": of_stability,
    "sparseness": of_sparseness,
    "inside": of_inside,
}


def _of_curves(n: Numbers, test: str, happens: str, better: str) -> str:
    """The areas with both baselines, and the verdict on each other order with each baseline."""
    areas = " and ".join(f"{n[f'{test}.{b}.map'].value:.2f} with {BLANKS[b]}" for b in BASELINES)
    verdicts = "; ".join(_against(n, test, order) for order in ORDERS)
    start = f"As pixels {happens} in the map's order, the class's probability is on average {areas}"
    return f"{start} ({better} is better): {verdicts}."


def _against(n: Numbers, test: str, order: str) -> str:
    """How the map's order does against another one with each baseline."""
    words = {1: "better than", 0: "not told apart from", -1: "worse than"}
    found = {b: words[verdict(n[f"{test}.{b}.gain_over_{order}"])] for b in BASELINES}
    first, second = found.values()
    if first == second:
        return f"{first} {ORDERS[order]}"
    zero, blur = BLANKS.values()
    return f"{first} {ORDERS[order]} with {zero} and {second} it with {blur}"


def _is_many(n: Numbers) -> bool:
    """Whether the numbers are of many photographs, and have intervals."""
    return not math.isnan(n["drop"].low)


def _share(value: Share) -> str:
    return f"{value.value:.0%}"
