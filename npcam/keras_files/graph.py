"""One flat graph of layers, which is what a Keras model's configuration comes down to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from npcam.common.errors import InputError
from npcam.common.limits import MAX_JSON

Config = dict[str, Any]
LayerPath = tuple[str, ...]  # names of layers, from the outermost model in


class Tensor(NamedTuple):
    """One output of a layer: the layer's path, or its name alone until that is resolved, and its number."""

    path: LayerPath
    output: int = 0


class Call(NamedTuple):
    """The arguments of one call, by position and by name, with a `Tensor` for each tensor."""

    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()

    def get(self, position: int | None, *names: str, default: Any = None) -> Any:
        """The argument at a position, else the one of any of these names, else `default`.

        >>> Call((Tensor(("x",)), 2.5), (("axis", -1),)).get(1, "y"), Call().get(0, default=3)
        (2.5, 3)
        """
        if position is not None and position < len(self.args):
            return self.args[position]
        return next((value for name, value in self.kwargs if name in names), default)


class Node(NamedTuple):
    """One layer of the flat graph.

    Attributes:
        path: its name, after those of the models it is nested in.
        slot: the names that a `.weights.h5` gives the same path: class and number, `conv2d_3`.
        kind: its Keras class.
        config: its settings.
        inputs: paths of the layers that it reads.
        call: all the arguments that it was called with, tensors and constants.
        trainable: False if it, or a model it is nested in, was frozen.
    """

    path: LayerPath
    slot: LayerPath
    kind: str
    config: Config
    inputs: tuple[LayerPath, ...]
    call: Call
    trainable: bool

    @property
    def label(self) -> str:
        """How messages name it: `resnet50/conv1_conv (Conv2D)`."""
        return f"{'/'.join(self.path)} ({self.kind})"


class Graph(NamedTuple):
    """Every layer by its path, in the order of the file, and the layers whose outputs are the model's."""

    nodes: dict[LayerPath, Node]
    outputs: tuple[LayerPath, ...]


def parse_json(text: bytes | str, where: str) -> Any:
    """Parse JSON from a stranger.

    Raises:
        InputError: the text is too long, nested too deeply, or no JSON.

    >>> parse_json(b'{"a": 1}', "config.json")
    {'a': 1}
    """
    if len(text) > MAX_JSON:
        raise InputError(f"{where}: {len(text)} bytes of JSON, {MAX_JSON} at most; no ResNet needs that")
    try:
        return json.loads(text)
    except RecursionError:
        raise InputError(f"{where}: JSON nested too deeply; no Keras model is") from None
    except ValueError as error:
        raise InputError(f"{where}: damaged JSON ({error}); save the model again") from error


@contextmanager
def reading_config(where: str) -> Iterator[None]:
    """Turn whatever trips over a setting of another type than Keras writes into one line."""
    try:
        yield
    except RecursionError:
        raise InputError(f"{where}: the model's configuration is nested too deeply") from None
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        if isinstance(error, InputError):
            raise
        msg = f"{where}: the model's configuration is not one that Keras writes ({error!r}); save it again"
        raise InputError(msg) from error
