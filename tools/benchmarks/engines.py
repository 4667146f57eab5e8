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
from export_onnx import folded, to_onnx

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
    session = ort.InferenceSession(to_onnx(read_weights(path)), options, ["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": np.ascontiguousarray(x.transpose(0, 3, 1, 2))})[0]


def openvino(path: str, threads: int) -> Run:
    """OpenVINO in float32 on the folded network, compiled for each batch shape."""
    import openvino as ov

    core = ov.Core()
    model = core.read_model(to_onnx(read_weights(path)))
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


def _torch_module(weights: Weights) -> Any:
    """The folded network as a PyTorch module, from pictures to probabilities."""
    import torch
    from bundled.torch_network import TorchResNet

    class Probabilities(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = TorchResNet(weights.architecture, folded(weights))
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
