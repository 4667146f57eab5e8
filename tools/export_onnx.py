"""Write npcam weights as an ONNX model, NCHW, every node's output by the name of its layer.

Usage: python tools/export_onnx.py [--weights FILE|NAME] [--fold] MODEL.onnx
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from npcam import InputError, load_model
from npcam.common.files import replacing
from npcam.engine import fold_batch_norm
from npcam.layers import Layer, layers
from npcam.weights import Weights

Arrays = dict[str, np.ndarray]  # {"layer/weight": array, in Keras's layout}


def folded(weights: Weights) -> Arrays:
    """Kernels and biases by layer and name, with the batch norms folded into them."""
    arrays: Arrays = {}
    for name, members in weights.tensors.items():
        if name.endswith("_conv"):
            batch_norm = name.replace("_conv", "_bn")
            pair = fold_batch_norm(weights.tensors, name, batch_norm, weights.architecture)
            arrays[f"{name}/kernel"], arrays[f"{name}/bias"] = pair
        elif "kernel" in members:
            arrays |= {f"{name}/{member}": array for member, array in members.items()}
    return arrays


def to_onnx(weights: Weights, fold: bool = True) -> bytes:
    """A network as an ONNX model, opset 17, from `x` (N, 3, H, W) to its last layer.

    Padding is a part of the layer that follows: ONNX pads maxima with minus infinity and Keras with 0,
    which is the same behind a ReLU.

    Args:
        weights: the network.
        fold: fold the batch norms into the convolutions; they have no nodes then.
    """
    from onnx import TensorProto, helper, numpy_helper

    table = layers(weights.architecture)
    plain = {f"{n}/{m}": a for n, members in weights.tensors.items() for m, a in members.items()}
    arrays = folded(weights) if fold else plain
    nodes, padding = [], 0
    outputs = {table[0].name: "x"}  # of each layer; one that is folded into another has the other's
    for layer in table[1:]:
        inputs = [outputs[name] for name in layer.inputs]
        outputs[layer.name] = layer.name
        match layer.kind:
            case "ZeroPadding2D":
                padding = int(layer.padding)
                outputs[layer.name] = inputs[0]
            case "BatchNormalization" if fold:
                outputs[layer.name] = inputs[0]
            case "BatchNormalization":
                members = ("gamma", "beta", "moving_mean", "moving_variance")
                inputs += [f"{layer.name}/{member}" for member in members]
                epsilon = weights.architecture.epsilon
                nodes.append(helper.make_node("BatchNormalization", inputs, [layer.name], epsilon=epsilon))
            case "Conv2D":
                inputs += [f"{layer.name}/kernel", f"{layer.name}/bias"]
                nodes.append(helper.make_node("Conv", inputs, [layer.name], **_window(layer, padding)))
                padding = 0
            case "MaxPooling2D":
                nodes.append(helper.make_node("MaxPool", inputs, [layer.name], **_window(layer, padding)))
                padding = 0
            case "Dense":
                logits = "logits" if weights.architecture.activation != "linear" else layer.name
                nodes.append(helper.make_node("Flatten", inputs, ["flat"]))
                gemm = ["flat", f"{layer.name}/kernel", f"{layer.name}/bias"]
                nodes.append(helper.make_node("Gemm", gemm, [logits]))
                if logits != layer.name:
                    activation = str(weights.architecture.activation).capitalize()
                    nodes.append(helper.make_node(activation, [logits], [layer.name]))
            case kind:
                operator = {"Activation": "Relu", "Add": "Add", "GlobalAveragePooling2D": "GlobalAveragePool"}
                nodes.append(helper.make_node(operator[kind], inputs, [layer.name]))
    constants = []
    for name, array in arrays.items():
        value = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
    graph = helper.make_graph(
        nodes,
        "resnet",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info(table[-1].name, TensorProto.FLOAT, _shape(weights, table[-1]))],
        constants,
    )
    opset = helper.make_opsetid("", 17)
    model: bytes = helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    return model


def _shape(weights: Weights, last: Layer) -> list[str | int]:
    """The shape of what comes out: numbers for classes, or maps."""
    if last.kind == "Dense":
        return ["n", len(weights.tensors[last.name]["bias"])]
    return ["n", len(weights.tensors[last.name.replace("_out", "_3_bn")]["beta"]), "rows", "columns"]


def _window(layer: Layer, padding: int) -> dict[str, Any]:
    """The attributes of a convolution or a pool.

    Keras's "same" with a stride pads by the size of the picture, as ONNX's SAME_UPPER does.
    """
    shape: dict[str, Any] = {"strides": [layer.stride] * 2, "kernel_shape": [layer.window] * 2}
    if layer.padding == "same" and layer.stride > 1:
        return shape | {"auto_pad": "SAME_UPPER"}
    return shape | {"pads": [layer.window // 2 if layer.padding == "same" else padding] * 4}


def main() -> int:
    """Write one model; 0 if it was written, 2 if there are no such weights."""
    parser = argparse.ArgumentParser(description="Write npcam weights as an ONNX model.")
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="the file to write")
    parser.add_argument("--weights", metavar="FILE|NAME", help="npcam weights (default: the bundled model)")
    parser.add_argument("--fold", action="store_true", help="fold the batch norms into the convolutions")
    options = parser.parse_args()
    try:
        data = to_onnx(load_model(options.weights).weights, options.fold)
        with replacing(options.model) as unfinished:
            unfinished.write_bytes(data)
    except InputError as error:
        print(f"export_onnx: {error}", file=sys.stderr)
        return 2
    print(f"{options.model}: {len(data):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
