"""Models built layer by layer, as the configurations that Keras 3 and Keras 2 write of them.

What stands here was compared with what keras 3.15 and tf_keras 2.21 write.
"""

from typing import NamedTuple

from npcam.keras_files import read_graph
from npcam.keras_files.walk import Walk

from .handmade_keras import entry, functional


class Ref(NamedTuple):
    """An output of a layer of the model."""

    name: str
    output: int = 0


class Handmade:
    """A functional model that is being built; each method adds a layer and returns its output."""

    def __init__(self, shape, dtype="float32"):
        self.input = Ref("input_layer")
        self.entries = [entry("InputLayer", "input_layer", batch_shape=[None, *shape], dtype=dtype)]

    def layer(self, kind, *sources, name=None, **settings):
        """A layer of Keras's; of several sources it is given a list."""
        made = entry(kind, name or self._name(kind), **settings)
        refs = [_tensor(source) for source in sources]
        made["inbound_nodes"] = [{"args": refs if len(refs) < 2 else [refs], "kwargs": {}}]
        return self._add(made)

    def op(self, kind, *args, **settings):
        """An operation of Keras 3, with tensors and constants as arguments."""
        made = entry(kind, self._name(kind), **settings)
        made |= {"module": "keras.src.ops.numpy", "registered_name": kind}
        made["inbound_nodes"] = [{"args": [_argument(arg) for arg in args], "kwargs": {}}]
        return self._add(made)

    def tf(self, function, first, **keywords):
        """A function of TensorFlow's, as Keras 2 writes it; `first` is a tensor, a constant, or a list."""
        made = entry("TFOpLambda", self._name("tf"), function=function)
        made |= {"module": "tf_keras.src.layers.core.tf_op_layer", "registered_name": "TFOpLambda"}
        given = {n: _history(v) if isinstance(v, Ref) else v for n, v in keywords.items()}
        call = (
            [[*_history(f), given] for f in first] if isinstance(first, list) else [*_history(first), given]
        )
        made["inbound_nodes"] = [call]
        return self._add(made)

    def slice(self, source, *spec):
        """`source[spec]`, as Keras 2 writes it."""
        made = entry("SlicingOpLambda", self._name("slice"), function="__operators__.getitem")
        made |= {"module": "tf_keras.src.layers.core.tf_op_layer", "registered_name": "SlicingOpLambda"}
        parts = [{"class_name": "__ellipsis__"} if part is Ellipsis else _plain_slice(part) for part in spec]
        made["inbound_nodes"] = [[*_history(source), {"slice_spec": parts}]]
        return self._add(made)

    def walk(self, *outputs):
        """The model's graph, to be walked through."""
        names = [output.name for output in outputs]
        return Walk(read_graph(functional("model", self.entries, *names), "x.h5"), "x.h5")

    def _add(self, made):
        self.entries.append(made)
        return Ref(made["name"])

    def _name(self, kind):
        return f"{kind.lower()}_{len(self.entries)}"


def _tensor(ref):
    """A tensor as Keras 3 refers to it."""
    settings = {"shape": [None], "dtype": "float32", "keras_history": [ref.name, 0, ref.output]}
    return {"class_name": "__keras_tensor__", "config": settings}


def _argument(value):
    """An argument as Keras 3 writes it; arrays are `("tensor", numbers)` or `("numpy", numbers)`."""
    if isinstance(value, Ref):
        return _tensor(value)
    if isinstance(value, tuple):
        return {"class_name": f"__{value[0]}__", "config": {"value": value[1], "dtype": "float32"}}
    if isinstance(value, list):
        return [_argument(part) for part in value]
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, slice):
        return {"class_name": "__slice__", "config": _plain_slice(value)}
    return value


def _plain_slice(part):
    """A slice in Keras 2's words; a number as it is."""
    if not isinstance(part, slice):
        return part
    return {"start": part.start, "stop": part.stop, "step": part.step}


def _history(value):
    """A tensor, or a constant in a tensor's place, as Keras 2 refers to it."""
    return [value.name, 0, value.output] if isinstance(value, Ref) else ["_CONSTANT_VALUE", -1, value]
