"""Whether a class or function is Keras's own, by what each version of Keras writes of it."""

import pytest

from npcam import InputError
from npcam.keras_files.classes import check_class, own_name


def entry(kind, module, registered=None, **more):
    """What Keras 3 writes of a class."""
    return {"class_name": kind, "module": module, "registered_name": registered, **more}


@pytest.mark.parametrize(
    "module",
    [
        *("keras", "keras.layers", "keras.src.models.functional", "keras_core.layers", "tf_keras.src.layers"),
        *("tensorflow.keras", "tensorflow.python.keras.layers.core"),
    ],
)
def test_keras_classes(module):
    """Of each package that Keras was in; what names no module is taken at its word."""
    assert own_name(entry("Conv2D", module)) is None
    assert own_name(entry("Conv2D", module, "Conv2D")) is None
    assert own_name({"class_name": "Conv2D"}) is None
    check_class(entry("Conv2D", module), "conv (Conv2D)", "x.keras")


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (entry("Conv2D", "my_layers", "Conv2D"), "my_layers>Conv2D"),
        (entry("Conv2D", "kerasx.layers"), "kerasx.layers>Conv2D"),
        (entry("Conv2D", "mine.keras"), "mine.keras>Conv2D"),
        (entry("Conv2D", "tensorflow.other"), "tensorflow.other>Conv2D"),
        (entry("Conv2D", "tensorflow_keras"), "tensorflow_keras>Conv2D"),
        (entry("Conv2D", None), "Conv2D"),
        (entry("Conv2D", "builtins"), "builtins>Conv2D"),
        (entry("Conv2D", "keras.layers", "bit>Conv2D"), "bit>Conv2D"),
        (entry("bit>Conv2D", "keras.layers"), "bit>Conv2D"),
        ({"class_name": "bit>Conv2D"}, "bit>Conv2D"),
        (entry("function", "mine", config="relu"), "mine>relu"),
        (entry("function", "builtins", config="bit>relu"), "bit>relu"),
    ],
)
def test_classes_of_somebodys_own(found, name):
    """By their module, or by the package that they are registered in; the whole name is told."""
    assert own_name(found) == name
    with pytest.raises(InputError) as error:
        check_class(found, "conv (Conv2D)", "x.keras")
    assert str(error.value) == (
        f"x.keras: conv (Conv2D) is of a class of its author's own, {name}; "
        "npcam knows what Keras's own classes compute"
    )


def test_functions():
    """Keras writes its own functions as of no module of theirs."""
    assert own_name(entry("function", "builtins", config="relu")) is None
    assert own_name(entry("function", "keras.activations", config="relu")) is None
