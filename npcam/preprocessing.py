"""From a photograph's pixels to what a network was trained on: the arithmetic in front of it, as data.

A weights file says nothing of it, and a wrong guess gives wrong numbers and no error. So it is kept
beside the weights: a name, and the steps that the name stands for, in the order and in the form in
which Keras takes them, so that the network's input has Keras's bits.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_PREPROCESSING_STEPS, MAX_STRIDE
from npcam.shapes import Array

# ImageNet's mean blue, green and red, as Caffe's ResNet-50 subtracted them and Keras still does.
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)


@dataclass(frozen=True)
class Step:
    """One thing that is done to every pixel.

    Attributes:
        operation: "add", "subtract", "multiply" or "divide" by `values`; "channels" takes the
            channels of those indices, in that order; "enlarge" repeats rows and columns so often.
        values: one number for each channel, or one for all; (rows, columns) of "enlarge".
    """

    operation: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Preprocessing:
    """What is done to RGB pixels, 0 to 255, before a network sees them.

    Attributes:
        name: a key of `MODES`, or "model" where layers in front of the network do it.
        steps: what that is, in order.
        grey: whether the photograph is made grey first: one channel, as Pillow's mode "L".
        enlarge: how many times larger (rows, columns) the steps make it.
    """

    name: str
    steps: tuple[Step, ...]
    grey: bool = False

    @property
    def enlarge(self) -> tuple[int, int]:
        """How many times as many rows and columns come out as go in."""
        rows, columns = 1, 1
        for step in self.steps:
            if step.operation == "enlarge":
                rows, columns = rows * int(step.values[0]), columns * int(step.values[1])
        return rows, columns

    def describe(self) -> str:
        """The same in words.

        >>> MODES["caffe"].describe()
        'channels 2, 1, 0; subtract 103.939, 116.779, 123.68'
        """
        steps = [f"{s.operation} {', '.join(f'{v:.9g}' for v in s.values)}" for s in self.steps]
        return "; ".join([*(["grey"] if self.grey else []), *steps]) or "RGB 0 to 255 as they are"


# The modes of Keras's `imagenet_utils.preprocess_input`; `unit` is `ImageDataGenerator(rescale=1/255)`.
MODES = {
    mode.name: mode
    for mode in (
        Preprocessing("caffe", (Step("channels", (2, 1, 0)), Step("subtract", IMAGENET_MEAN_BGR))),
        Preprocessing("tf", (Step("divide", (127.5,)), Step("subtract", (1.0,)))),
        Preprocessing(
            "torch",
            (
                Step("divide", (255.0,)),
                Step("subtract", (0.485, 0.456, 0.406)),
                Step("divide", (0.229, 0.224, 0.225)),
            ),
        ),
        Preprocessing("unit", (Step("divide", (255.0,)),)),
        Preprocessing("none", ()),
    )
}


def preprocess(x: Array, preprocessing: Preprocessing) -> Array:
    """Do to pixels what a network's author did.

    Args:
        x: (N, H, W, 3) or (H, W, 3), red, green, blue, 0 to 255; one channel where it is `grey`.
        preprocessing: what to do.

    Returns:
        A new array, floats: those of `x`, or float32 where it holds integers. As many channels as
        the steps make, rows and columns `enlarge` times as many.

    Raises:
        InputError: `x` has other channels than the steps take, or holds no real numbers.

    >>> preprocess(np.array([[[255.0, 0.0, 51.0]]]), MODES["unit"]).tolist()
    [[[1.0, 0.0, 0.2]]]
    """
    x = np.asarray(x)
    channels = 1 if preprocessing.grey else 3
    if x.ndim not in (3, 4) or x.shape[-1] != channels:
        kind = f"grey pixels (N, H, W, {channels})" if preprocessing.grey else "RGB pixels (N, H, W, 3)"
        msg = f"preprocess_input: expected {kind} or the same without N, got shape {x.shape}"
        raise InputError(msg)
    if x.dtype.kind not in "buif":
        raise InputError(f"preprocess_input: expected real numbers from 0 to 255, got {x.dtype}")
    x = x.astype(x.dtype if x.dtype.kind == "f" else np.float32)
    for step in preprocessing.steps:
        # The numbers are rounded to the array's own type first: that is what Keras's operations do.
        values = np.array(step.values, x.dtype)
        match step.operation:
            case "channels":
                x = x[..., [int(v) for v in step.values]]
            case "add":
                x += values
            case "subtract":
                x -= values
            case "multiply":
                x *= values
            case "divide":
                x /= values
            case "enlarge":
                rows, columns = (int(v) for v in step.values)
                x = x.repeat(rows, axis=-3).repeat(columns, axis=-2)
    return np.ascontiguousarray(x)


def is_sane(preprocessing: Preprocessing) -> bool:
    """Whether the steps are known, fit a photograph's channels, and make three channels of them."""
    channels = 1 if preprocessing.grey else 3
    sane = len(preprocessing.steps) <= MAX_PREPROCESSING_STEPS
    for operation, values in ((step.operation, step.values) for step in preprocessing.steps):
        count = len(values)
        if operation == "channels":
            fits = count in (1, 3) and all(value in range(channels) for value in values)
            channels = count
        elif operation == "enlarge":
            fits = count == 2 and all(value in range(1, MAX_STRIDE + 1) for value in values)
        else:
            fits = operation in ("add", "subtract", "multiply", "divide") and count in (1, channels)
        sane = sane and fits and all(map(isfinite, values)) and (operation, 0 in values) != ("divide", True)
    return sane and channels == 3
