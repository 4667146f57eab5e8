"""The engines that `benchmark.py` compares, and the process that runs one of them.

Every engine gets the same weights file and NHWC float32 batches, and gives probabilities. Where a
framework has a faster form for inference (folded batch norm, channels last), it gets that.
"""

import importlib.util
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from npcam.engine import fold_batch_norm
from npcam.layers import layers
from npcam.verify.live_keras import build_keras_model, import_keras
from npcam.weights import Weights, read_weights

Arrays = dict[str, np.ndarray]  # {"layer/weight": array, in Keras's layout}
Run = Callable[[np.ndarray], np.ndarray]


def npcam_fast(path: str, threads: int) -> Run:
    """npcam as it is by default."""
    del threads  # it takes what the process may have
    from npcam import load_model

    return load_model(path).predict


def npcam_reference(path: str, threads: int) -> Run:
    """npcam layer by layer."""
    del threads
    from npcam import load_model

    return load_model(path, engine="reference").predict


def keras_predict(path: str, threads: int) -> Run:
    """Keras's `model.predict`, on the backend that KERAS_BACKEND names."""
    _limit_tensorflow(threads)
    model = keras_model(path)
    return lambda x: np.asarray(model.predict(x, batch_size=len(x), verbose=0))


def tf_function(path: str, threads: int) -> Run:
    """The Keras model as a compiled TensorFlow graph, without what `predict` adds."""
    import tensorflow as tf

    _limit_tensorflow(threads)
    model = keras_model(path)
    graph = tf.function(lambda x: model(x, training=False))
    return lambda x: np.asarray(graph(tf.constant(x)))


def torch_channels_last(path: str, threads: int) -> Run:
    """PyTorch, batch norm folded, channels last, as written."""
    import torch

    torch.set_num_threads(threads)
    return _torch_run(_torch_module(read_weights(path)))


def torch_jit(path: str, threads: int) -> Run:
    """The same, traced, frozen and optimised for inference (oneDNN fusion)."""
    import torch

    torch.set_num_threads(threads)
    module = _torch_module(read_weights(path))
    example = torch.zeros(1, 3, 224, 224).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        traced = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(module, example)))
    return _torch_run(traced)


def onnxruntime(path: str, threads: int) -> Run:
    """ONNX Runtime on the folded network."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = ort.InferenceSession(_onnx(read_weights(path)), options, ["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": np.ascontiguousarray(x.transpose(0, 3, 1, 2))})[0]


def openvino(path: str, threads: int) -> Run:
    """OpenVINO in float32 on the folded network, compiled for each batch shape."""
    import openvino as ov

    core = ov.Core()
    model = core.read_model(_onnx(read_weights(path)))
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled: dict[tuple[int, ...], Any] = {}

    def run(x: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        if x.shape not in compiled:
            model.reshape(list(x.shape))
            compiled[x.shape] = core.compile_model(model, "CPU", settings)
        return np.asarray(compiled[x.shape]({"x": x})[0])

    return run


ENGINES: dict[str, tuple[Callable[[str, int], Run], tuple[str, ...], str]] = {
    "npcam": (npcam_fast, ("numpy",), ""),
    "npcam reference": (npcam_reference, ("numpy",), ""),
    "Keras predict (TensorFlow)": (keras_predict, ("keras", "tensorflow"), "tensorflow"),
    "tf.function": (tf_function, ("keras", "tensorflow"), "tensorflow"),
    "Keras predict (JAX)": (keras_predict, ("keras", "jax"), "jax"),
    "PyTorch channels last": (torch_channels_last, ("torch",), ""),
    "PyTorch JIT": (torch_jit, ("torch",), ""),
    "ONNX Runtime": (onnxruntime, ("onnx", "onnxruntime"), ""),
    "OpenVINO f32": (openvino, ("onnx", "openvino"), ""),
}


def installed(name: str) -> bool:
    """Whether everything that an engine needs is there."""
    return all(importlib.util.find_spec(module) for module in ENGINES[name][1])


def _limit_tensorflow(threads: int) -> None:
    """As many threads as the others get."""
    if "tensorflow" in sys.modules or importlib.util.find_spec("tensorflow"):
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)


def keras_model(path: str) -> Any:
    """Keras's own ResNet with the file's weights, for pictures of the size it is for."""
    weights = read_weights(path)
    return build_keras_model(import_keras(), weights, weights.input_size)


def _folded(weights: Weights) -> Arrays:
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


def _torch_module(weights: Weights) -> Any:
    """The folded network as a PyTorch module, from pictures to probabilities."""
    import torch
    from bundled.torch_network import TorchResNet

    class Probabilities(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = TorchResNet(weights.architecture, _folded(weights))
            for tensor in self.network.weights.values():
                tensor.requires_grad_(False)

        def forward(self, x: Any) -> Any:
            return torch.softmax(self.network(x)[0], -1)

    return Probabilities().eval()


def _torch_run(module: Any) -> Run:
    """NHWC in memory is PyTorch's channels last."""
    import torch

    def run(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(x).permute(0, 3, 1, 2)))

    return run


def _onnx(weights: Weights) -> bytes:
    """The folded network as an ONNX model, NCHW, each output by the name of its layer."""
    from onnx import TensorProto, helper, numpy_helper

    arrays, table = _folded(weights), layers(weights.architecture)
    nodes, padding = [], 0
    outputs = {table[0].name: "x"}  # of each layer; one that is folded into another has the other's
    for layer in table[1:]:
        inputs = [outputs[name] for name in layer.inputs]
        outputs[layer.name] = layer.name
        window = {"strides": [layer.stride] * 2, "kernel_shape": [layer.window] * 2}
        parameters = [f"{layer.name}/kernel", f"{layer.name}/bias"]
        match layer.kind:
            case "ZeroPadding2D":  # of the layer that follows
                padding = int(layer.padding)
                outputs[layer.name] = inputs[0]
            case "BatchNormalization":
                outputs[layer.name] = inputs[0]
            case "Conv2D":
                around = layer.window // 2 if layer.padding == "same" else padding
                options = window | {"pads": [around] * 4}
                nodes.append(helper.make_node("Conv", [*inputs, *parameters], [layer.name], **options))
                padding = 0
            case "MaxPooling2D":
                options = window | {"pads": [padding] * 4}
                nodes.append(helper.make_node("MaxPool", inputs, [layer.name], **options))
                padding = 0
            case "Dense":
                nodes.append(helper.make_node("Flatten", inputs, ["flat"]))
                nodes.append(helper.make_node("Gemm", ["flat", *parameters], ["logits"]))
                nodes.append(helper.make_node("Softmax", ["logits"], [layer.name]))
            case kind:
                operator = {"Activation": "Relu", "Add": "Add", "GlobalAveragePooling2D": "GlobalAveragePool"}
                nodes.append(helper.make_node(operator[kind], inputs, [layer.name]))
    constants = []
    for name, array in arrays.items():
        value = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
    classes = len(weights.tensors["predictions"]["bias"])
    graph = helper.make_graph(
        nodes,
        "resnet",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info(table[-1].name, TensorProto.FLOAT, ["n", classes])],
        constants,
    )
    opset = helper.make_opsetid("", 17)
    model: bytes = helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    return model


def main() -> None:
    """Serve one engine: read `N HEIGHT WIDTH`, run such a batch, answer with seconds and peak memory."""
    name, path, threads = sys.argv[1:]
    answers = sys.stdout
    sys.stdout = sys.stderr  # frameworks print
    run = ENGINES[name][0](path, int(threads))
    batches: dict[tuple[int, ...], np.ndarray] = {}
    for line in sys.stdin:
        shape = (*map(int, line.split()), 3)
        if shape not in batches:
            rng = np.random.default_rng(0)
            batches[shape] = rng.uniform(-120, 150, shape).astype(np.float32)
        start = time.perf_counter()
        y = run(batches[shape])
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer = {"seconds": seconds, "peak_mb": peak, "first": np.asarray(y)[0].tolist()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
