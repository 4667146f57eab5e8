"""What stands between a Keras model's input and its ResNet, as the preprocessing of a photograph.

Each layer is followed channel by channel: which of the photograph's channels it comes from, and what
arithmetic was done to it, in Keras's order. Whatever treats all pixels alike comes down to that, however
it was written: `x / 127.5 - 1`, a Rescaling, channels taken apart, shifted and put together again.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_PHOTO_CHANNELS, MAX_PREPROCESSING_STEPS
from npcam.keras_files.calls import tensors_in
from npcam.keras_files.graph import LayerPath, Node, Tensor
from npcam.keras_files.operations import Read, argument, operation, pointwise
from npcam.keras_files.settings import channels_last, check_conv, sides
from npcam.keras_files.walk import Walk
from npcam.preprocessing import MODES, Preprocessing, Step, preprocess

SIZED = ("CenterCrop", "RandomCrop", "Resizing")  # which put out a size that they are told
# What no preprocessing of RGB 0 to 255 leaves, the range and its middle: it took something else.
LARGE, OFF_CENTRE = 512.0, 64.0
REASONS = {
    "Cropping2D": "cuts pixels off, so that the map would lie beside its place on the photograph",
    "ZeroPadding2D": "puts zeros around the photograph, so that the map would lie beside its place on it",
    "AveragePooling2D": "makes one pixel of several, which npcam does not do to a photograph",
    "MaxPooling2D": "makes one pixel of several, which npcam does not do to a photograph",
}
OTHERWISE = "is none of what npcam follows there: arithmetic with constants, channels moved, pixels repeated"


class Channel(NamedTuple):
    """One channel of what a layer puts out: the photograph's channel, and what was done to it."""

    source: int
    steps: tuple[tuple[str, float], ...] = ()


class Pixels(NamedTuple):
    """What a layer puts out.

    Attributes:
        channels: one by one.
        size: (height, width), None where the file does not tell.
        enlarge: how often rows and columns were repeated on the way.
        flat: whether it is one channel without an axis for it: (N, H, W).
        whole: whether it is of integers still.
    """

    channels: tuple[Channel, ...]
    size: tuple[int | None, int | None]
    enlarge: tuple[int, int] = (1, 1)
    flat: bool = False
    whole: bool = False


class Front(NamedTuple):
    """What stands in front of a ResNet.

    Attributes:
        preprocessing: what is done to a photograph, outside of the model and in it.
        assumed: whether what is done outside is a guess.
        size: (height, width) of what the ResNet is given, None where the file does not tell.
        notes: a sentence for each layer.
    """

    preprocessing: Preprocessing
    assumed: bool
    size: tuple[int | None, int | None]
    notes: tuple[str, ...]


def read_front(
    walk: Walk, entry: Tensor, read: Read, mode: str | None, size: tuple[int, int] | None
) -> Front:
    """Follow a photograph to the ResNet.

    Args:
        walk: the model's graph.
        entry: what the ResNet is given.
        read: reads a layer's arrays.
        mode: a key of MODES: what was done to a photograph outside of the model; None to tell it from
            the model. Where that computes with pixels, it takes RGB 0 to 255; where it does not,
            "caffe" is assumed, as `keras.applications.resnet50.preprocess_input` does it.
        size: (height, width) that a person says the ResNet is given, or None.

    Raises:
        InputError: a layer does something else, which is named.
    """
    layers = walk.in_order(entry.path)
    inputs = [node for node in layers if node.kind == "InputLayer"]
    if len(inputs) != 1:
        raise InputError(f"{walk.where}: {len(inputs)} inputs; a ResNet takes one photograph")
    photograph = _photograph(walk, inputs[0])
    found = _Follower(walk, read, size).follow(layers, photograph)[entry]
    if len(found.channels) != 3 or found.flat:
        raise InputError(f"{walk.where}: the ResNet is given {len(found.channels)} channels; 3 expected")
    grey = len(photograph.channels) == 1
    computes = any(channel.steps for channel in found.channels)
    moves = grey or [channel.source for channel in found.channels] != [0, 1, 2]
    outside = MODES[mode or ("none" if computes or moves else "caffe")]
    preprocessing = _preprocessing(walk, found, outside, grey, computes or moves)
    assumed = mode is None and (not computes or not _is_plausible(preprocessing))
    idle = [node for node in layers if walk.passes(node)]
    notes = [f"in front of the ResNet, not run by npcam: {node.label}" for node in idle]
    busy = [node.label for node in layers if node not in (*inputs, *idle)]
    if busy:
        notes.append(f"in front of the ResNet, part of the preprocessing now: {', '.join(busy)}")
    if computes and mode is None:
        kind = "grey" if grey else "RGB"
        why = "computes, and nothing says with what" if assumed else "preprocesses by itself"
        notes.append(f"the model {why}, so it is given {kind} 0 to 255")
    return Front(preprocessing, assumed, found.size, tuple(notes))


def _photograph(walk: Walk, node: Node) -> Pixels:
    """What an input layer puts out: one channel or three, of a size that it may declare."""
    shape = node.config.get("batch_shape") or node.config.get("batch_input_shape")
    shape = shape if isinstance(shape, list) and len(shape) == 4 else [None] * 4
    height, width, channels = (n if isinstance(n, int) else None for n in shape[1:])
    if channels not in (None, 1, 3) and shape[1] in (1, 3):
        raise walk.error(
            node, f"takes {shape[1:]}, its channels first; npcam reads channels_last models only"
        )
    if channels not in (None, 1, 3):
        raise walk.error(node, f"takes {channels} channels; a photograph has 3, or 1 if it is grey")
    whole = "int" in str(node.config.get("dtype", "float32"))
    return Pixels(tuple(Channel(i) for i in range(channels or 3)), (height, width), whole=whole)


def _preprocessing(
    walk: Walk, found: Pixels, outside: Preprocessing, grey: bool, changed: bool
) -> Preprocessing:
    """What is done outside of the model and then in it, as steps."""
    if not changed and found.enlarge == (1, 1):
        return outside
    count = 1 if grey else 3
    before = Pixels(tuple(Channel(i) for i in range(count)), found.size)
    for step in outside.steps:
        if len(step.values) not in (1, count):
            raise InputError(
                f"{walk.where}: takes grey photographs; preprocessing {outside.name} is of colours"
            )
        before = _taken(before, step.values) if step.operation == "channels" else _computed(before, step)
    channels = [
        Channel(before.channels[source].source, before.channels[source].steps + steps)
        for source, steps in found.channels
    ]
    name = "model" if outside.name == "none" else f"{outside.name} + model"
    steps = _steps(channels)
    if grey or [channel.source for channel in channels] != [0, 1, 2]:
        steps = [Step("channels", tuple(float(channel.source) for channel in channels)), *steps]
    if found.enlarge != (1, 1):
        steps.append(Step("enlarge", tuple(float(n) for n in found.enlarge)))
    if len(steps) > MAX_PREPROCESSING_STEPS:
        raise InputError(f"{walk.where}: more than {MAX_PREPROCESSING_STEPS} steps in front of the ResNet")
    return Preprocessing(name, tuple(steps), grey)


def _steps(channels: list[Channel]) -> list[Step]:
    """The arithmetic of all channels at once: where one of them waits, it adds 0 or multiplies by 1.

    >>> _steps([Channel(0, (("subtract", 2.0),)), Channel(1, (("divide", 4.0),))])
    [Step(operation='subtract', values=(2.0, 0.0)), Step(operation='divide', values=(1.0, 4.0))]
    """
    waiting = [list(channel.steps) for channel in channels]
    steps = []
    while any(waiting):
        name = next(steps[0][0] for steps in waiting if steps)
        neutral = 0.0 if name in ("add", "subtract") else 1.0
        values = tuple(steps.pop(0)[1] if steps and steps[0][0] == name else neutral for steps in waiting)
        steps.append(Step(name, values[:1] if len(set(values)) == 1 else values))
    return steps


def _is_plausible(preprocessing: Preprocessing) -> bool:
    """Whether pixels of 0 to 255 come out around zero, or scaled down, as networks are given them.

    They do not where photographs were preprocessed outside, and the model only adds to that.
    """
    pixels = np.repeat([[[0.0]], [[127.5]], [[255.0]]], 1 if preprocessing.grey else 3, axis=-1)
    ends = np.abs(preprocess(pixels, preprocessing))
    return bool(ends.max() <= LARGE and ends[len(ends) // 2].max() <= OFF_CENTRE)


def _computed(x: Pixels, step: Step) -> Pixels:
    """What comes out of one step of arithmetic; one channel becomes as many as there are numbers."""
    channels = x.channels * len(step.values) if len(x.channels) == 1 else x.channels
    values = step.values * len(channels) if len(step.values) == 1 else step.values
    return x._replace(
        channels=tuple(
            Channel(channel.source, (*channel.steps, (step.operation, value)))
            for channel, value in zip(channels, values, strict=True)
        ),
        whole=False,
    )


def _taken(x: Pixels, indices: Any, flat: bool = False) -> Pixels:
    """Some of the channels, in any order; `flat` without their axis."""
    return x._replace(channels=tuple(x.channels[int(i)] for i in indices), flat=flat)


class _Follower:
    """Computes what each layer puts out."""

    def __init__(self, walk: Walk, read: Read, size: tuple[int, int] | None) -> None:
        self.walk = walk
        self.read = read
        self.size = size

    def follow(self, layers: list[Node], photograph: Pixels) -> dict[Tensor, Pixels]:
        """What layers put out, each after those that it reads."""
        values: dict[Tensor, Pixels] = {}
        for node in layers:
            given = [values[tensor] for tensor in tensors_in(node.call) if tensor in values]
            if node.kind == "InputLayer":
                outputs = [photograph]
            elif len(given) != len(node.inputs) or not given:
                raise self.walk.error(node, "reads what no layer in front of the ResNet puts out")
            else:
                outputs = self.after(node, given)
            for index, x in enumerate(outputs):
                if len(x.channels) > MAX_PHOTO_CHANNELS:
                    raise self.walk.error(node, f"puts out more than {MAX_PHOTO_CHANNELS} channels")
                if any(len(channel.steps) > MAX_PREPROCESSING_STEPS for channel in x.channels):
                    raise self.walk.error(
                        node, f"takes more than {MAX_PREPROCESSING_STEPS} steps of arithmetic"
                    )
                values[Tensor(node.path, index)] = x
        return values

    def after(self, node: Node, given: list[Pixels]) -> list[Pixels]:
        """What one layer puts out."""
        kind, x = operation(node), given[0]
        if self.walk.passes(node):
            return [x._replace(whole=x.whole and kind != "Cast")]
        if kind in ("Concatenate", "Stack"):
            return [self.joined(node, given, kind == "Stack")]
        if len(given) > 1:
            raise self.refused(node)
        if kind in ("Split", "Unstack"):
            return self.parted(node, x, kind == "Unstack")
        return [self.changed(node, kind, x)]

    def changed(self, node: Node, kind: str, x: Pixels) -> Pixels:
        """What a layer of one input and one output puts out."""
        if kind == "UpSampling2D":
            return self.enlarged(node, x)
        if kind in SIZED:
            return self.sized(node, x)
        if kind == "Conv2D" and len(x.channels) == 1 and not x.flat:
            return self.coloured(node, x)
        taken = self.sliced(node, x) if kind == "GetItem" else self.taken(node, kind, x)
        return self.computed(node, x) if taken is None else taken

    def computed(self, node: Node, x: Pixels) -> Pixels:
        """After arithmetic with constants."""
        steps = pointwise(node, len(x.channels), self.read, self.walk.where, 3 if x.flat else 4)
        if steps is None:
            raise self.refused(node)
        if x.flat and any(len(step.values) > 1 for step in steps):
            raise self.walk.error(node, "computes with a number for each column, not for each channel")
        if x.whole and operation(node) in ("Add", "Subtract", "Multiply", "Negative"):
            raise self.walk.error(node, "computes in integers; npcam does in floats")
        for step in steps:
            x = _computed(x, step)
        return x._replace(whole=False)

    def taken(self, node: Node, kind: str, x: Pixels) -> Pixels | None:
        """After channels are chosen, turned round or repeated; None where the layer does something else."""
        count, most = len(x.channels), MAX_PHOTO_CHANNELS + 1
        axis = argument(node, None, "axis")
        axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
        if kind == "ExpandDims" and x.flat:
            return x._replace(flat=False) if argument(node, 1, "axis") in (-1, 3) else None
        if x.flat or (kind in ("Flip", "Repeat", "Squeeze", "Take") and axis not in (-1, 3)):
            return None
        found: Pixels | None = None
        match kind, argument(node, None, "repeats", "multiples"):
            case "Flip", _:
                found = _taken(x, range(count - 1, -1, -1))
            case "Repeat", int(times) if times > 0:
                found = _taken(x, [i for i in range(count) for _ in range(min(times, most))])
            case "Tile", ([1, 1, 1, int(times)] | [1, 1, int(times)] | [1, int(times)] | [int(times)]) | int(
                times
            ) if times > 0:
                found = _taken(x, list(range(count)) * min(times, most))
            case "Take", _:
                chosen = np.asarray(argument(node, 1, "indices"))
                found = _taken(x, np.arange(count)[chosen].ravel(), flat=chosen.ndim == 0)
            case "GrayscaleToRGB", _ if count == 1:
                found = _taken(x, [0, 0, 0])
            case "Squeeze", _ if count == 1:
                found = x._replace(flat=True)
        return found

    def sliced(self, node: Node, x: Pixels) -> Pixels:
        """After `x[..., channels]`, which leaves all rows and columns as they are."""
        everything = slice(None, None, None)
        spec = argument(node, 1, "slice_spec")
        spec = spec if isinstance(spec, list) else [spec]
        if spec.count(Ellipsis) == 1:
            at = spec.index(Ellipsis)
            spec = [*spec[:at], *[everything] * (5 - len(spec)), *spec[at + 1 :]]
        spec = [*spec, *[everything] * (4 - len(spec))]
        if x.flat or len(spec) != 4 or any(part != everything for part in spec[:3]):
            raise self.walk.error(node, "in front of the ResNet takes a part of the photograph")
        if not isinstance(spec[3], (int, slice)):
            raise self.refused(node)
        return _taken(x, np.arange(len(x.channels))[spec[3]].ravel(), flat=isinstance(spec[3], int))

    def joined(self, node: Node, given: list[Pixels], stacks: bool) -> Pixels:
        """After channels are put side by side."""
        axis = argument(node, None, "axis", default=0 if stacks else -1)
        alike = {(x.size, x.enlarge, x.flat) for x in given} == {(given[0].size, given[0].enlarge, stacks)}
        if axis not in (-1, 3) or not alike:
            raise self.walk.error(node, "in front of the ResNet joins other things than channels")
        channels = tuple(channel for x in given for channel in x.channels)
        return given[0]._replace(channels=channels, flat=False, whole=all(x.whole for x in given))

    def parted(self, node: Node, x: Pixels, unstacks: bool) -> list[Pixels]:
        """After channels are taken apart, into as many parts of the same width, or at some places."""
        count = len(x.channels)
        parts = count if unstacks else argument(node, 1, "num_or_size_splits", "indices_or_sections")
        axis = argument(node, None, "axis", default=0)
        if x.flat or axis not in (-1, 3) or not isinstance(parts, (int, list)):
            raise self.walk.error(node, "in front of the ResNet parts other things than channels")
        if isinstance(parts, int):
            even = 0 < parts <= count and count % parts == 0
            ends = list(range(0, count + 1, count // parts)) if even else []
        elif node.kind == "Split":  # Keras 3 names the places between the parts, TensorFlow their sizes
            ends = [0, *parts, count]
        else:
            ends = [0, *itertools.accumulate(parts)]
        if ends[-1:] != [count] or ends != sorted(set(ends)):
            raise self.walk.error(node, f"in front of the ResNet parts {count} channels in another way")
        return [_taken(x, range(*pair), flat=unstacks) for pair in itertools.pairwise(ends)]

    def enlarged(self, node: Node, x: Pixels) -> Pixels:
        """After pixels are repeated."""
        channels_last(node, self.walk.where)
        how = node.config.get("interpolation", "nearest")
        if how != "nearest":
            reason = f"enlarges by interpolation ({how}); npcam repeats pixels only, as nearest does"
            raise self.walk.error(node, f"in front of the ResNet {reason}")
        rows, columns = sides(node, "size", 2)
        height, width = x.size
        size = (height and height * rows, width and width * columns)
        return x._replace(size=size, enlarge=(x.enlarge[0] * rows, x.enlarge[1] * columns))

    def sized(self, node: Node, x: Pixels) -> Pixels:
        """After a layer that puts out a size of its own, which must be the one that comes in."""
        size = int(node.config["height"]), int(node.config["width"])
        if x.size == size or (self.size is not None and x.size == (None, None)):
            return x._replace(size=size)
        to, came = f"{size[0]}x{size[1]}", "x".join(str(n or "any") for n in x.size)
        verb = "resizes" if node.kind == "Resizing" else "crops"
        reason = f"{verb} {came} to {to}, which npcam does not do to a photograph"
        if x.size == (None, None):
            reason += f"; convert with --input-size {to} to feed it that size, which it leaves as it is"
        raise self.walk.error(node, f"in front of the ResNet {reason}")

    def coloured(self, node: Node, x: Pixels) -> Pixels:
        """After a 1x1 convolution of one channel: each channel is that one times a number, plus another."""
        if check_conv(node, 1, self.walk.where) != 1:
            raise self.walk.error(node, "in front of the ResNet leaves pixels out")
        arrays = self.read(node)
        if arrays["kernel"].shape[:3] != (1, 1, 1):
            raise self.refused(node)
        x = _computed(x, Step("multiply", tuple(float(v) for v in arrays["kernel"].ravel())))
        bias = arrays.get("bias")
        return x if bias is None else _computed(x, Step("add", tuple(float(v) for v in bias)))

    def refused(self, node: Node) -> InputError:
        """The exception for a layer that npcam cannot follow."""
        return self.walk.error(node, f"in front of the ResNet {REASONS.get(operation(node), OTHERWISE)}")


def declared_size(walk: Walk, within: LayerPath) -> tuple[int | None, int | None]:
    """(height, width) that the input layer of the innermost model around a layer declares, if any."""
    for depth in range(len(within) - 1, 0, -1):
        for path, node in walk.graph.nodes.items():
            if path[:-1] == within[:depth] and node.kind == "InputLayer":
                size = _photograph(walk, node).size
                if None not in size:
                    return size
    return (None, None)
