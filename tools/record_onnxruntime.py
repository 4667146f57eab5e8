"""Record every node of an ONNX model in ONNX Runtime, for `npcam verify --against RUN.npz`.

Usage: python tools/record_onnxruntime.py MODEL.onnx PHOTO|X.npy... -o RUN.npz [--weights FILE|NAME]
"""

import sys

import numpy as np
from recorders.command import main

from npcam.common.files import require_file


def record(model: str, x: np.ndarray) -> dict[str, np.ndarray]:
    """What every node of a model puts out, in the order of the file, with the input: {name: array}.

    Args:
        model: an ONNX file of one input, NHWC or NCHW.
        x: a preprocessed batch, (N, H, W, 3) float32.
    """
    import onnx
    import onnxruntime

    graph = onnx.load(require_file(model, "give an ONNX model"))
    made = [name for node in graph.graph.node for name in node.output if name]
    del graph.graph.output[:]
    graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    x = np.ascontiguousarray(x if given.shape[-1] == 3 else x.transpose(0, 3, 1, 2))
    return {given.name: x, **dict(zip(made, session.run(made, {given.name: x}), strict=True))}


if __name__ == "__main__":
    about = "Record every node of an ONNX model in ONNX Runtime."
    sys.exit(main("record_onnxruntime", about, "MODEL.onnx", record))
