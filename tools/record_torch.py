"""Record every module of a PyTorch model by hooks, for `npcam verify --against RUN.npz`.

Usage: python tools/record_torch.py FILE.py:FUNCTION PHOTO|X.npy... -o RUN.npz [--weights FILE|NAME]

FUNCTION makes the model, with its weights in it: a torchvision ResNet, or one of your own.
"""

import runpy
import sys
from collections import Counter
from typing import Any

import numpy as np
from recorders.command import main

from npcam import InputError
from npcam.common.files import require_file


def record_module(model: Any, x: np.ndarray) -> dict[str, np.ndarray]:
    """What each module without modules in it puts out, in order, with the input: {name: array}.

    A module that is called again, as torchvision's ReLUs are, is `relu`, `relu_1`, `relu_2`. Outputs
    are copied at once, for a ReLU may write over its input.
    """
    import torch

    found = {"input": np.ascontiguousarray(x.transpose(0, 3, 1, 2))}
    calls: Counter[str] = Counter()

    def hook(name: str) -> Any:
        def keep(_module: Any, _inputs: Any, output: Any) -> None:
            found[f"{name}_{calls[name]}" if calls[name] else name] = output.detach().cpu().numpy().copy()
            calls[name] += 1

        return keep

    handles = [m.register_forward_hook(hook(n)) for n, m in model.named_modules() if not list(m.children())]
    with torch.inference_mode():
        model.eval()(torch.from_numpy(found["input"].copy()))
    for handle in handles:
        handle.remove()
    return found


def record(model: str, x: np.ndarray) -> dict[str, np.ndarray]:
    """The same of a model that a function in a Python file makes, `FILE.py:FUNCTION`; the file is run."""
    path, _, function = model.rpartition(":")
    make = runpy.run_path(str(require_file(path, "give FILE.py:FUNCTION"))).get(function)
    if make is None:
        raise InputError(f"{path}: no function {function!r} in it; give FILE.py:FUNCTION")
    return record_module(make(), x)


if __name__ == "__main__":
    about = "Record every module of a PyTorch model by hooks."
    sys.exit(main("record_torch", about, "FILE.py:FUNCTION", record))
