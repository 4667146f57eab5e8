"""What one Keras layer's settings say, whichever version of Keras wrote them down.

Each function takes a layer of the configuration, and raises InputError, which names the layer, where
a ResNet of npcam has no such layer.
"""

from typing import Any

from npcam.common.errors import InputError
from npcam.keras_files.classes import own_name
from npcam.keras_files.graph import Node

RENAMED = {"softmax_v2": "softmax"}  # functions that had another name in TensorFlow


def activation(node: Node, where: str) -> str:
    """The name of the activation function of a layer; "linear" where it has none.

    Keras writes `"relu"`, or a description of the function around that name; a class of its own
    (`ReLU`, `Softmax`) counts only where its settings leave it the plain function.
    """
    if node.kind == "ReLU":
        plain = {"max_value": None, "negative_slope": 0, "threshold": 0}
        changed = [k for k, v in plain.items() if node.config.get(k, v) not in (v, [v])]
        return "relu" if not changed else f"relu with {', '.join(changed)}"
    if node.kind == "Softmax":
        return "softmax" if node.config.get("axis", -1) in (-1, [-1], 1) else "softmax over another axis"
    function = node.config.get("activation")
    for _ in range(4):
        if not isinstance(function, dict):
            break
        if function.get("class_name") in (None, "__lambda__"):
            reason = "has an activation that is Python code kept in the file, which npcam never runs"
            raise InputError(f"{where}: {node.label} {reason}")
        if (own := own_name(function)) is not None:
            reason = f"has an activation of its author's own, {own}; npcam knows Keras's own functions"
            raise InputError(f"{where}: {node.label} {reason}")
        function = function.get("config") if function.get("class_name") == "function" else _of_layer(function)
    if function is None:
        return "linear"
    if not isinstance(function, str):
        raise InputError(f"{where}: {node.label} has an activation that is no function of Keras's")
    if ">" in function:
        reason = f"has an activation of its author's own, {function}; npcam knows Keras's own functions"
        raise InputError(f"{where}: {node.label} {reason}")
    return RENAMED.get(function, function)


def _of_layer(function: Any) -> Any:
    """The name of the plain function that a layer (`ReLU()`) stands for where it is used as an activation."""
    name = str(function.get("class_name")).lower()
    config = function.get("config")
    plain = not isinstance(config, dict) or not (
        any(config.get(k) for k in ("max_value", "negative_slope", "threshold", "alpha"))
        or config.get("axis", -1) not in (-1, [-1])
    )
    return name if plain else f"{name} with settings"


def sides(node: Node, name: str, default: Any) -> tuple[int, int]:
    """A setting for both axes, such as `pool_size`, as (rows, columns)."""
    value = node.config.get(name)
    value = default if value is None else value
    rows, columns = (value, value) if isinstance(value, int) else value
    return int(rows), int(columns)


def pads(node: Node, where: str) -> int:
    """The width of a zero padding, which must be the same on all four sides."""
    channels_last(node, where)
    value = node.config.get("padding", 1)
    rows = (value, value) if isinstance(value, int) else value
    flat = [n for side in rows for n in ((side, side) if isinstance(side, int) else side)]
    if len(flat) != 4 or len(set(flat)) != 1:
        raise InputError(f"{where}: {node.label} pads {value}; the same on all sides expected")
    return int(flat[0])


def channels_last(node: Node, where: str) -> None:
    """Raise InputError if a layer takes its channels first."""
    found = node.config.get("data_format", node.config.get("dim_ordering"))
    if found not in (None, "channels_last", "tf", "default"):
        raise InputError(f"{where}: {node.label} has {found}; npcam reads channels_last models only")


def check_conv(node: Node, kernel: int, where: str) -> int:
    """The stride of a convolution, once everything else about it is what a ResNet has.

    Args:
        node: a Conv2D.
        kernel: the side of its kernel: 7 in the stem, 3 or 1 in a block. The 3x3 pads "same".
        where: the file's name, for messages.
    """
    channels_last(node, where)
    config = node.config
    size = sides(node, "kernel_size", (config.get("nb_row"), config.get("nb_col")))
    rows, columns = sides(node, "strides", config.get("subsample", 1))
    padding = str(config.get("padding", config.get("border_mode", "valid"))).lower()
    # A 1x1 window needs no padding, so "same" and "valid" are one for it, at every stride.
    paddings = {1: ("valid", "same"), 3: ("same",), 7: ("valid",)}[kernel]
    wrong = {
        f"kernel {size}": size != (kernel, kernel),
        f"strides {(rows, columns)}": rows != columns,
        f"padding {padding!r}": padding not in paddings,
        f"groups {config.get('groups')}": config.get("groups", 1) != 1,
        f"dilation {config.get('dilation_rate')}": sides(node, "dilation_rate", 1) != (1, 1),
        f"activation {activation(node, where)}": activation(node, where) != "linear",
    }
    found = [what for what, is_wrong in wrong.items() if is_wrong]
    if found:
        msg = f"{where}: {node.label} has {', '.join(found)}; a plain {kernel}x{kernel} convolution expected"
        raise InputError(msg)
    return rows


def check_bn(node: Node, where: str, rank: int = 4) -> float:
    """The epsilon of a batch norm, which must normalise the last of `rank` axes by its moving statistics."""
    axis = node.config.get("axis", -1)
    axis = axis.get("items", axis.get("config")) if isinstance(axis, dict) else axis
    if axis not in (-1, rank - 1, [-1], [rank - 1]):
        raise InputError(f"{where}: {node.label} normalises axis {axis}; the last one expected")
    if node.config.get("mode", 0) != 0 or node.config.get("renorm"):
        raise InputError(f"{where}: {node.label} has a mode or renorm; a plain batch norm expected")
    if trains_always(node):
        reason = "was called with training=True, so it takes each batch's own statistics"
        raise InputError(f"{where}: {node.label} {reason}; npcam can't")
    epsilon = float(node.config.get("epsilon", 1e-3))
    if not 0 <= epsilon <= 1:
        raise InputError(f"{where}: {node.label} has epsilon {epsilon}; between 0 and 1 expected")
    return epsilon


def trains_always(node: Node) -> bool:
    """Whether a layer was called with `training=True`, which Keras 2 heeds outside of training, too.

    Keras 3 notes such arguments, and overrules them in `predict`; `calls.parse_call` leaves them out.
    """
    return bool(node.call.get(None, "training"))


def dtype_of(node: Node) -> str:
    """The float type, or policy (`mixed_float16`), that a layer computes in."""
    found = node.config.get("dtype", "float32")
    if isinstance(found, dict):
        settings = found.get("config")
        found = settings.get("name", "float32") if isinstance(settings, dict) else "float32"
    return str(found)


def check_floats(node: Node, where: str) -> None:
    """Raise InputError where a layer computes with integers or floats of 8 bits: it is quantised.

    Keras 3 writes a policy of its own for that, `QuantizedDTypePolicy` or "int8_from_float32".
    """
    policy = node.config.get("dtype")
    settings = policy.get("config") if isinstance(policy, dict) else None
    mode = settings.get("mode") if isinstance(settings, dict) else None
    name = mode or (dtype_of(node).partition("_from_")[0] if "_from_" in dtype_of(node) else None)
    if name is None and node.config.get("quantization_config"):
        name = str(node.config["quantization_config"].get("class_name")).removesuffix("QuantizationConfig")
    if name:
        msg = f"{where}: {node.label} is quantised ({name}); npcam runs floats: save the model unquantised"
        raise InputError(msg)


def weight_names(node: Node) -> tuple[str, ...]:
    """The names of a layer's weights, in the order in which Keras saves them.

    Those that are trained come first, so the order is the same in every layout.
    """
    config = node.config
    if node.kind in ("Conv2D", "Convolution2D", "Dense"):
        return ("kernel", "bias") if config.get("use_bias", config.get("bias", True)) else ("kernel",)
    if node.kind == "BatchNormalization":
        scale = ("gamma",) if config.get("scale", True) else ()
        center = ("beta",) if config.get("center", True) else ()
        return (*scale, *center, "moving_mean", "moving_variance")
    if node.kind == "Normalization" and node.config.get("mean") is None:
        return ("mean", "variance", "count")  # what it was adapted to
    return ()
