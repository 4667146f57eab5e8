"""The usual mistakes in a network's input: channels, mean and scale, the order of the axes, the photograph.

From the right input its pixels are worked out, by undoing the network's preprocessing; each mistake
prepares them in another way.
"""

from collections.abc import Callable, Iterator

import numpy as np

from npcam.preprocessing import MODES, Preprocessing, Step
from npcam.shapes import Array
from npcam.verify.rounding import Estimate

LIKE = 0.8  # the correlation of two pictures from which on they are taken for the same one
PIXELS_OFF = 0.02  # of a pixel's value: what is closer to whole numbers than that are pixels
INVERSE = {
    "add": np.subtract,
    "subtract": np.add,
    "multiply": np.divide,
    "divide": np.multiply,
}
FORWARD = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
}


def pixels(x: Array, preprocessing: Preprocessing) -> Array | None:
    """Undo a preprocessing.

    Args:
        x: a preprocessed batch, (N, H, W, 3).
        preprocessing: what was done to it.

    Returns:
        RGB, or grey in three channels, 0 to 255, in float64 and of the size of `x`; None where it
        cannot be undone.

    >>> pixels(np.zeros((1, 1, 1, 3)), MODES["caffe"]).ravel().tolist()
    [123.68, 116.779, 103.939]
    """
    found = np.asarray(x, np.float64)
    for step in reversed(preprocessing.steps):
        values = np.array(step.values)
        if step.operation in INVERSE:
            found = INVERSE[step.operation](found, values)
        elif step.operation == "channels" and not preprocessing.grey:
            if sorted(step.values) != [0, 1, 2]:
                return None
            found = found[..., np.argsort(values)]
    return found


def prepared(rgb: Array, steps: tuple[Step, ...]) -> Array:
    """Put pixels through the steps of a preprocessing, in float64; they keep their size."""
    for step in steps:
        values = np.array(step.values)
        if step.operation in FORWARD:
            rgb = FORWARD[step.operation](rgb, values)
        elif step.operation == "channels" and len(step.values) == 3:
            rgb = rgb[..., [int(v) for v in step.values]]
    return rgb


def inputs(x: Array, preprocessing: Preprocessing) -> Iterator[tuple[str, Array]]:
    """An input with each of the usual mistakes in it, in words and in numbers.

    Args:
        x: the right one, (N, H, W, 3).
        preprocessing: the network's.
    """
    x = np.asarray(x, np.float64)
    bgr = any(s.operation == "channels" and s.values == (2, 1, 0) for s in preprocessing.steps)
    channels = "channels reversed (RGB for BGR)" if bgr else "channels reversed (BGR for RGB)"
    rgb = None if preprocessing.grey else pixels(x, preprocessing)
    tried = [("", x), (channels, x[..., ::-1])]
    if rgb is not None:
        for ways in (_changed_steps(rgb, preprocessing, channels), _other_modes(rgb, preprocessing)):
            found = list(ways)
            tried += found + [(f"{words}; {channels}", other[..., ::-1]) for words, other in found]
    yield from tried[1:]
    for words, layout in LAYOUTS.items():
        for before, other in tried:
            moved = layout(other)
            if moved.shape == x.shape:
                yield f"{words}; {before}".removesuffix("; "), moved


def _changed_steps(rgb: Array, preprocessing: Preprocessing, channels: str) -> Iterator[tuple[str, Array]]:
    """Pixels prepared without one of the steps, with one of them twice, or with one turned around."""
    steps = preprocessing.steps
    arithmetic = [i for i, step in enumerate(steps) if step.operation in FORWARD]
    for i in arithmetic:
        yield _without(steps[i]), prepared(rgb, (*steps[:i], *steps[i + 1 :]))
        yield f"{_without(steps[i], ' twice')}", prepared(rgb, (*steps[:i], steps[i], *steps[i:]))
    if len(arithmetic) > 1:
        yield (
            "mean not subtracted and scale not changed",
            prepared(rgb, tuple(step for step in steps if step.operation not in FORWARD)),
        )
    for i, step in enumerate(steps):
        if step.operation == "channels":
            words = f"{channels}, but the mean's not" if arithmetic else channels
            yield words, prepared(rgb, (*steps[:i], *steps[i + 1 :]))
        elif step.operation in FORWARD and len(set(step.values)) > 1:
            turned = Step(step.operation, step.values[::-1])
            yield "the mean's channels reversed", prepared(rgb, (*steps[:i], turned, *steps[i + 1 :]))


def _other_modes(rgb: Array, preprocessing: Preprocessing) -> Iterator[tuple[str, Array]]:
    """Pixels prepared as other networks want them."""
    steps = preprocessing.steps
    for mode in MODES.values():
        if mode.steps != steps and not mode.grey:
            yield f"prepared as {mode.name} ({mode.describe()})", prepared(rgb, mode.steps)
    unit = Step("divide", (255.0,))
    yield "divided by 255, then prepared", prepared(rgb / 255, steps)
    yield "prepared, then divided by 255", prepared(rgb, (*steps, unit))


def _without(step: Step, how: str = " not") -> str:
    """What it is called when a step was left out, or taken twice."""
    verb = {"subtract": "subtracted", "add": "added", "divide": "divided by", "multiply": "multiplied by"}
    values = ", ".join(f"{value:g}" for value in step.values)
    if step.operation == "subtract":
        return f"mean{how} {verb['subtract']}"
    if step.operation == "add":
        return f"{values}{how} {verb['add']}"
    return f"pixels{how} {verb[step.operation]} {values}"


def _layout(order: tuple[int, ...]) -> Callable[[Array], Array]:
    return lambda x: x.transpose(order).reshape(x.shape)


def _nhwc_read(x: Array) -> Array:
    n, h, w, c = x.shape
    return x.reshape(n, c, h, w).transpose(0, 2, 3, 1)


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "NCHW read as NHWC: the input's numbers lie as channels, height, width": _layout((0, 3, 1, 2)),
    "NHWC read as NCHW: the input's numbers lie as height, width, channels": _nhwc_read,
    "height and width swapped": lambda x: x.swapaxes(1, 2),
    "picture mirrored left to right": lambda x: x[:, :, ::-1],
    "picture upside down": lambda x: x[:, ::-1],
}


def as_estimate(x: Array, unit: float) -> Estimate:
    """An input that was prepared in float32: four roundings of numbers as large as its largest."""
    size = max(float(np.abs(x).max(initial=0)), 1e-30)
    return Estimate(x, np.full(x.shape, 4 * unit * size * size))


def other_photograph(found: Array, x: Array, preprocessing: Preprocessing) -> str | None:
    """What an input is that no mistake explains, if it looks like a photograph prepared rightly.

    Args:
        found: the other program's input, (N, H, W, 3).
        x: npcam's.
        preprocessing: the network's.

    Returns:
        Words, or None where its numbers are not those of pixels.
    """
    if found.shape != x.shape or not np.isfinite(found).all() or preprocessing.grey:
        return None
    theirs, ours = pixels(found, preprocessing), pixels(x, preprocessing)
    if theirs is None or ours is None:
        return None
    whole = np.abs(theirs - np.rint(theirs)).max() < PIXELS_OFF
    if theirs.min() < -1 or theirs.max() > 256 or float(np.std(theirs)) == 0:
        return None
    changed = _rescaled(found, x)
    if changed:
        return changed
    a, b = (v - v.mean() for v in (theirs, ours))
    likeness = float(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b) or 1))
    if likeness > LIKE:
        return "the same photograph, resized or decoded in another way"
    return "another photograph" if whole else "another photograph, resized in another way"


def _rescaled(found: Array, x: Array) -> str | None:
    """Which factor and shift make one input of the other, where that leaves nothing over but rounding."""
    scales = []
    for c in range(x.shape[-1]):
        a, b = np.asarray(x[..., c], np.float64).ravel(), np.asarray(found[..., c], np.float64).ravel()
        if np.ptp(a) == 0:
            return None
        factor, shift = np.polyfit(a, b, 1)
        if np.abs(b - factor * a - shift).max() > 1e-4 * max(np.ptp(b), 1e-30):
            return None
        scales.append((factor, shift))
    factors, shifts = (", ".join(f"{v:.4g}" for v in column) for column in zip(*scales, strict=True))
    return f"mean or scale: npcam's input times {factors}, plus {shifts}, channel by channel"
