"""One eager run of a Keras model: what every layer was given, what it made of it, and what came out.

Keras's functional models have no hook, so each layer's `call` is wrapped while the model runs. Which
tensor came from which is told by the tensors themselves: all are kept, so that no two share an id.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

from npcam.common.errors import InputError
from npcam.shapes import Array


class Call(NamedTuple):
    """What a layer or operation was given, and what it made of it, in the last call of a run.

    Attributes:
        name: the layer's name.
        kind: its class.
        inputs: the tensors that it was given.
        output: what it returned.
    """

    name: str
    kind: str
    inputs: list[Any]
    output: Any


class Trace:
    """A run of a Keras model.

    Attributes:
        calls: {name of a layer or operation, those of nested models too: its call}.
        outputs: the model's outputs, whether they come in a list, a dict or deeper.
    """

    def __init__(self, keras: Any, model: Any, x: Array, where: str) -> None:
        """Run a model.

        Args:
            keras: the module that `live_keras.import_keras` gives.
            model: a Keras model.
            x: what it takes, with the batch as first dimension.
            where: the name of its file, for messages.

        Raises:
            InputError: Keras cannot run it on `x`.
        """
        self.calls: dict[str, Call] = {}
        try:
            with _watched(keras, model, self.calls):
                result = model(keras.ops.convert_to_tensor(x), training=False)
        except Exception as error:  # whatever a model makes Keras raise
            reason = " ".join(str(error).split())[:300]
            msg = f"{where}: Keras cannot run it on an input of shape {x.shape} ({reason})"
            raise InputError(msg) from error
        self.outputs = _tensors(keras, result)

    def maker(self, tensor: Any) -> Call | None:
        """The call that made a tensor; what only hands one on, as Dropout does, did not make it."""
        return self._makers.get(id(tensor))

    def leading_to(self, tensor: Any) -> set[int]:
        """The ids of a tensor and of all that it was computed from, as far as the calls tell."""
        seen: set[int] = set()
        todo = [] if tensor is None else [tensor]
        while todo:
            tensor = todo.pop()
            if id(tensor) not in seen:
                seen.add(id(tensor))
                call = self.maker(tensor)
                todo += call.inputs if call else []
        return seen

    @cached_property
    def _makers(self) -> dict[int, Call]:
        """Which call made a tensor, by the tensor's id."""
        found: dict[int, Call] = {}
        for call in self.calls.values():
            outputs = call.output if isinstance(call.output, (list, tuple)) else [call.output]
            for output in outputs:
                if not any(output is given for given in call.inputs):
                    found.setdefault(id(output), call)
        return found


def leaves(model: Any) -> list[Any]:
    """The layers and operations of a model and of the models nested in it, without these models."""
    found: list[Any] = []
    for layer in getattr(model, "operations", None) or model.layers:
        found += leaves(layer) if hasattr(layer, "layers") else [layer]
    return list({id(layer): layer for layer in found}.values())


def declared_shapes(model: Any) -> list[tuple[int, ...]]:
    """The shapes of what a model's layers put out for one photograph, of those that declare all sides."""
    found = []
    for layer in leaves(model):
        try:
            outputs = layer.output
        except (AttributeError, ValueError):  # not called yet, or of a model that is no graph
            continue
        for output in outputs if isinstance(outputs, (list, tuple)) else [outputs]:
            shape = tuple(getattr(output, "shape", ()))[1:]
            if all(isinstance(side, int) for side in shape):
                found.append(shape)
    return found


@contextlib.contextmanager
def _watched(keras: Any, model: Any, calls: dict[str, Call]) -> Iterator[None]:
    """Put a note-taker before the `call` of every layer and operation."""

    def watch(name: str, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def noting(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            calls[name] = Call(name, kind, _tensors(keras, [args, kwargs]), output)
            return output

        return noting

    watched = [layer for layer in leaves(model) if type(layer).__name__ != "InputLayer"]
    for layer in watched:
        layer.call = watch(layer.name, type(layer).__name__, layer.call)
    try:
        yield
    finally:
        for layer in watched:
            del layer.call


def _tensors(keras: Any, nest: Any) -> list[Any]:
    """The tensors in lists, tuples and dicts, each once, in order."""
    if isinstance(nest, dict):
        nest = list(nest.values())
    if not isinstance(nest, (list, tuple)):
        return [nest] if keras.ops.is_tensor(nest) else []
    found = [tensor for part in nest for tensor in _tensors(keras, part)]
    return list({id(tensor): tensor for tensor in found}.values())
