"""What a Keras layer is called with, as each version of Keras writes it down."""

from collections.abc import Iterator
from typing import Any


def tensors(value: Any) -> list[tuple[str, int]]:
    """Keras's lists of tensors, `[["a", 0, 0]]` or `["a", 0, 0]`, as (layer, output) pairs."""
    if isinstance(value, dict):
        value = list(value.values())
    if value and isinstance(value[0], str):
        value = [value]
    return [(str(name), int(index)) for name, _, index, *_ in value]


def histories(call: Any) -> Iterator[tuple[str, int]]:
    """The tensors that a call takes, in order: Keras 3 nests marked dicts, Keras 2 lists of four."""
    if isinstance(call, dict):
        if call.get("class_name") == "__keras_tensor__":
            name, _, index = call["config"]["keras_history"]
            yield str(name), int(index)
        else:
            for part in call.values():
                yield from histories(part)
    elif _is_history(call):
        yield str(call[0]), int(call[2])
    elif isinstance(call, list):
        for part in call:
            yield from histories(part)


def _is_history(call: Any) -> bool:
    """Keras 2's `["conv1_pad", 0, 0, {}]`, or Keras 1's, without the dict."""
    return (
        isinstance(call, list)
        and 3 <= len(call) <= 4
        and isinstance(call[0], str)
        and all(isinstance(n, int) for n in call[1:3])
    )


def extras(call: Any) -> Iterator[Any]:
    """What a call takes besides tensors: Keras 3's other arguments, Keras 2's keywords."""
    if isinstance(call, dict):
        yield from (arg for arg in call.get("args", []) if not list(histories(arg)))
    elif _is_history(call):
        yield from (dict(extra) for extra in call[3:] if extra)
    elif isinstance(call, list):
        for part in call:
            yield from extras(part)
