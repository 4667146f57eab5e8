"""Whose class or function is it: Keras's, or somebody's own under one of Keras's names?

A configuration names a class, and since Keras 2.13 also the module that it is in and, where its author
registered it, the name of a package before it: `bit>Conv2D`. Only Keras's own are what npcam takes them for.
"""

import re
from typing import Any

from npcam.common.errors import InputError

_KERAS = re.compile(r"(keras|tf_keras|keras_core|tensorflow\.keras|tensorflow\.python\.keras)(\..*)?")


def check_class(entry: Any, label: str, where: str) -> None:
    """Raise InputError where a layer or model is of a class that is not Keras's.

    Args:
        entry: what the configuration has of it: `class_name`, and `module` and `registered_name` if any.
        label: what messages call it.
        where: the file's name, for messages.
    """
    own = own_name(entry)
    if own is not None:
        reason = f"is of a class of its author's own, {own}; npcam knows what Keras's own classes compute"
        raise InputError(f"{where}: {label} {reason}")


def own_name(entry: Any) -> str | None:
    """The full name of a class or function that is somebody's own; None where it is Keras's.

    Old files name no module, and are taken at their word.

    >>> own_name({"class_name": "Conv2D", "module": None, "registered_name": "bit>Conv2D"})
    'bit>Conv2D'
    >>> own_name({"class_name": "Conv2D", "module": "my_layers", "registered_name": "Conv2D"})
    'my_layers>Conv2D'
    >>> own_name({"class_name": "Conv2D", "module": "keras.layers", "registered_name": None})
    >>> own_name({"class_name": "function", "module": "builtins", "config": "bit>relu"})
    'bit>relu'
    """
    kind, module, registered = (entry.get(key) for key in ("class_name", "module", "registered_name"))
    is_function = kind == "function"
    name = entry.get("config") if is_function else kind
    for found in (registered, name):
        if isinstance(found, str) and ">" in found:
            return found
    if "module" not in entry or (isinstance(module, str) and _KERAS.fullmatch(module)):
        return None
    if is_function and module == "builtins":
        return None
    return f"{module}>{name}" if module else str(name)
