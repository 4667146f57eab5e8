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
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # this npcam, not an installed one

from npcam.engine import fold_batch_norm
from npcam.resnet import RESNET50, RESNET101, RESNET152, residual_blocks
from npcam.weights import Weights, read_weights

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
    compiled: dict[tuple[int, ...], object] = {}

    def run(x: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        if x.shape not in compiled:
            model.reshape(list(x.shape))
            compiled[x.shape] = core.compile_model(model, "CPU", settings)
        return compiled[x.shape]({"x": x})[0]

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


def keras_model(path: str):
    """Keras's own ResNet with the file's weights."""
    import keras

    weights = read_weights(path)
    makers = {
        RESNET50.blocks: keras.applications.ResNet50,
        RESNET101.blocks: keras.applications.ResNet101,
        RESNET152.blocks: keras.applications.ResNet152,
    }
    classes = len(weights.tensors["predictions"]["bias"])
    model = makers[weights.architecture.blocks](weights=None, classes=classes)
    for layer in model.layers:
        if layer.name in weights.tensors:
            layer.set_weights(list(weights.tensors[layer.name].values()))
    return model


def _torch_module(weights: Weights):
    """The folded network as a PyTorch module."""
    import torch
    from torch import nn

    tensors, arch = weights.tensors, weights.architecture

    def conv(name: str, stride: int = 1, padding: int = 0) -> nn.Conv2d:
        kernel, bias = fold_batch_norm(tensors, name, name.replace("_conv", "_bn"), arch)
        layer = nn.Conv2d(kernel.shape[2], kernel.shape[3], kernel.shape[0], stride, padding)
        layer.weight.data = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        layer.bias.data = torch.from_numpy(bias.astype(np.float32))
        return layer

    class Block(nn.Module):
        def __init__(self, name: str, stride: int, projects: bool) -> None:
            super().__init__()
            self.shortcut = conv(f"{name}_0_conv", stride) if projects else nn.Identity()
            self.branch = nn.Sequential(
                conv(f"{name}_1_conv", stride),
                nn.ReLU(inplace=True),
                conv(f"{name}_2_conv", padding=1),
                nn.ReLU(inplace=True),
                conv(f"{name}_3_conv"),
            )

        def forward(self, x):
            return torch.relu_(self.branch(x) + self.shortcut(x))

    dense = nn.Linear(*tensors["predictions"]["kernel"].shape)
    dense.weight.data = torch.from_numpy(np.ascontiguousarray(tensors["predictions"]["kernel"].T))
    dense.bias.data = torch.from_numpy(tensors["predictions"]["bias"])
    stem = [conv("conv1_conv", 2, 3), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    blocks = [Block(*block) for block in residual_blocks(arch)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), dense, nn.Softmax(-1)]
    return nn.Sequential(*stem, *blocks, *head).eval().to(memory_format=torch.channels_last)


def _torch_run(module) -> Run:
    """NHWC in memory is PyTorch's channels last."""
    import torch

    def run(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()

    return run


def _onnx(weights: Weights) -> bytes:
    """The folded network as an ONNX model, NCHW."""
    from onnx import TensorProto, helper, numpy_helper

    tensors, arch = weights.tensors, weights.architecture
    nodes, initial = [], []

    def add(op: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def constant(name: str, value: np.ndarray) -> str:
        initial.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def conv(x: str, name: str, stride: int = 1, padding: int = 0) -> str:
        kernel, bias = fold_batch_norm(tensors, name, name.replace("_conv", "_bn"), arch)
        inputs = [x, constant(f"{name}/w", kernel.transpose(3, 2, 0, 1)), constant(f"{name}/b", bias)]
        return add("Conv", inputs, name, strides=[stride] * 2, pads=[padding] * 4)

    def relu(x: str) -> str:
        return add("Relu", [x], f"{x}/relu")

    x = relu(conv("x", "conv1_conv", 2, 3))
    x = add("MaxPool", [x], "pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for name, stride, projects in residual_blocks(arch):
        shortcut = conv(x, f"{name}_0_conv", stride) if projects else x
        y = relu(conv(x, f"{name}_1_conv", stride))
        y = conv(relu(conv(y, f"{name}_2_conv", padding=1)), f"{name}_3_conv")
        x = relu(add("Add", [y, shortcut], f"{name}_add"))
    x = add("Flatten", [add("GlobalAveragePool", [x], "gap")], "flat")
    top = [
        constant("top/w", tensors["predictions"]["kernel"]),
        constant("top/b", tensors["predictions"]["bias"]),
    ]
    add("Softmax", [add("Gemm", [x, *top], "logits")], "y")
    graph = helper.make_graph(
        nodes,
        "resnet",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", len(tensors["predictions"]["bias"])])],
        initial,
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


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
