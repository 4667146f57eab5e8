"""What a layer or operation was called with: tensors, and constants of every kind that Keras writes.

Keras 3 keeps a call's arguments as they were, with tensors and arrays as dicts. Keras 2 keeps lists of
[layer, node, output, keywords], where a constant in a tensor's place is called `_CONSTANT_VALUE`.
"""

from collections.abc import Iterator
from typing import Any

from npcam.keras_files.graph import Call, Tensor

CONSTANT = "_CONSTANT_VALUE"  # what Keras 2 calls the layer that a constant comes from


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of a call, or of one argument, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (Call, list, tuple)):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)


def with_paths(value: Any, paths: dict[Tensor, Tensor]) -> Any:
    """A call, or one argument, with other tensors in the place of its own."""
    if isinstance(value, Tensor):
        return paths[value]
    if isinstance(value, Call):
        return Call(with_paths(value.args, paths), with_paths(value.kwargs, paths))
    if isinstance(value, (list, tuple)):
        return type(value)([with_paths(part, paths) for part in value])
    return {key: with_paths(part, paths) for key, part in value.items()} if isinstance(value, dict) else value


def parse_call(call: Any) -> Call:
    """A call as any version of Keras writes it.

    Keras 3 notes a `training` argument, too, and overrules it in `predict`, so it is left out here.
    Keras 2 heeds it.

    >>> parse_call(["x", 0, 0, {"y": 127.5, "name": None}])
    Call(args=(Tensor(path=('x',), output=0),), kwargs=(('y', 127.5), ('name', None)))
    >>> parse_call([["a", 0, 0, {}], ["b", 0, 1, {}]]).args
    ([Tensor(path=('a',), output=0), Tensor(path=('b',), output=1)],)
    """
    if isinstance(call, dict):
        args = tuple(constant(arg) for arg in call.get("args", []))
        kwargs = {name: constant(arg) for name, arg in call.get("kwargs", {}).items() if name != "training"}
        return Call(args, tuple(kwargs.items()))
    histories = list(_histories(call))
    sources = [constant(h[2]) if h[0] == CONSTANT else Tensor((h[0],), h[2]) for h in histories]
    keywords = {
        name: constant(value) for h in histories for extra in h[3:] for name, value in dict(extra).items()
    }
    return Call(tuple(sources) if len(sources) < 2 else (sources,), tuple(keywords.items()))


def constant(value: Any) -> Any:
    """A value of a configuration: numbers and nested lists as they are, with what Keras packs unpacked.

    >>> constant({"class_name": "__numpy__", "config": {"value": [1.0, 2.0], "dtype": "float32"}})
    [1.0, 2.0]
    >>> constant([{"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}])
    [Ellipsis, slice(None, None, -1)]
    """
    if isinstance(value, list):
        is_tensor = _is_history(value) and value[0] != CONSTANT
        return Tensor((value[0],), value[2]) if is_tensor else [constant(part) for part in value]
    if not isinstance(value, dict):
        return value
    settings: Any = value.get("config")
    found: Any = {key: constant(part) for key, part in value.items()}
    match value.get("class_name"):
        case "__keras_tensor__":
            name, _, index = settings["keras_history"]
            found = Tensor((str(name),), int(index))
        case "__tensor__" | "__numpy__":
            found = settings["value"]
        case "__ellipsis__":
            found = Ellipsis
        case "__slice__":
            found = slice(settings["start"], settings["stop"], settings["step"])
        case None if value.keys() == {"start", "stop", "step"}:
            found = slice(value["start"], value["stop"], value["step"])
    return found


def _histories(call: Any) -> Iterator[list[Any]]:
    """Keras 2's lists of [layer, node, output, keywords], out of lists of any depth."""
    if _is_history(call):
        yield call
    elif isinstance(call, list):
        for part in call:
            yield from _histories(part)


def _is_history(value: Any) -> bool:
    """Whether a list is Keras 2's `["conv1_pad", 0, 0, {}]`, or Keras 1's, without the dict."""
    return (
        isinstance(value, list)
        and 3 <= len(value) <= 4
        and isinstance(value[0], str)
        and (value[0] == CONSTANT or all(isinstance(n, int) for n in value[1:3]))
    )
