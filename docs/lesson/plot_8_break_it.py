"""
8. Break it, and find the fault
===============================

You will see a network that is wrong in one place, as it happens to everybody who writes one anew: colours in
the wrong order, another epsilon, a stride in another layer, padding on another side. Each still gives an
answer. Then ``npcam verify`` names the layer and the mistake.
"""

import contextlib
import io
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import npcam
from npcam.cli import main
from npcam.resnet import features, head

PHOTOS = next(p for p in (Path("examples"), Path("../../examples")) if p.is_dir())
WEIGHTS = os.environ.get("LESSON_WEIGHTS")
model = npcam.load_model(WEIGHTS)
photo = PHOTOS / "chelsea.png"
folder = Path(tempfile.mkdtemp())
names = model.class_names or [str(n) for n in range(model.classes)]

# %%
# A run, written down
# -------------------
# A program that is to be checked saves what each layer put out, as one file of arrays. npcam itself plays
# that program here; its record of a photograph is where we begin.

right = npcam.record(model, photo)
print(len(right.activations), "layers and the logits, the first", list(right.activations)[:4])


def broken(x=None, arch=None, put=None):
    """A run of the network with something changed: the input, the architecture, or what some layers put out.

    `put` is {layer: function of what the layer put out}.
    """
    x = right.activations["input_layer"] if x is None else x
    arch = arch or model.weights.architecture
    run = {"input_layer": x}

    def keep(name, value):
        run[name] = value if put is None or name not in put else put[name](value)
        return run[name]

    head(features(x, model.weights.tensors, arch, keep), model.weights.tensors, arch, keep)
    return run


def verify(run):
    """What `npcam verify` says of a run, in one line, and its exit status: 0 right, 1 wrong."""
    np.savez(folder / "run.npz", **run)
    weights = ["--weights", WEIGHTS] if WEIGHTS else []
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = main(["verify", str(photo), "--against", str(folder / "run.npz"), "--quiet", *weights])
    return status, said.getvalue().strip()


# %%
# The network as it is passes:

status, words = verify(broken())
print(status, words)
assert status == 0

# %%
# Four faults
# -----------

x = right.activations["input_layer"]
arch = model.weights.architecture


def padded_like_tensorflow(_):
    """What padding "same" gives in TensorFlow: two zeros before, three after."""
    return np.pad(x, ((0, 0), (2, 4), (2, 4), (0, 0)))


faults = {
    "red, green, blue": broken(x=x[..., ::-1].copy()),
    "epsilon 0.001": broken(arch=replace(arch, epsilon=1e-3)),
    "stride in the 3x3": broken(arch=replace(arch, stride_in=2)),
    "padding 2 and 4": broken(put={"conv1_pad": padded_like_tensorflow}),
}
best = int(right.activations["predictions"][0].argmax())
for name, run in faults.items():
    p = run["predictions"][0]
    print(f"{name:18} {names[p.argmax()]} {p.max():.4f}, {names[best]} {p[best]:.4f}", end="; ")
    print(f"right: {right.activations['predictions'][0, best]:.4f}")

# %%
# By the answer alone most of them cannot be told from the right network. Here is how far each layer's output
# is from the right one, as a share of its largest value:

figure, ax = plt.subplots(figsize=(10, 4), layout="constrained")
order = [name for name in right.activations if name in faults["epsilon 0.001"]]
for name, run in faults.items():
    off = [
        np.abs(run[n] - right.activations[n]).max() / np.abs(right.activations[n]).max()
        if run[n].shape == right.activations[n].shape
        else np.nan
        for n in order
    ]
    ax.semilogy(np.maximum(off, 1e-9), label=name)
ax.set(xlabel="layer, from the first to the last", ylabel="largest error (1e-9: none)")
ax.legend()
plt.show()

# %%
# Everything after the fault is off, too. So what matters is the *first* layer that is off by more than
# rounding can explain (chapter 1 had the bound for one number), and why. ``npcam verify`` computes each layer
# anew, in float64, from what the other program itself had before it; then it tries the usual mistakes on the
# first bad layer, and names the one that brings the difference down to rounding.

found = {name: verify(run) for name, run in faults.items()}
for name, (status, words) in found.items():
    print(f"{name}:\n  {words}\n")
    assert status == 1

# %%
# On the command line this is ``npcam verify examples/chelsea.png --against run.npz``. Run it on a network of
# your own: :doc:`/port` leads from a port to its fault.
#
# Exercises
# ---------
# 1. Leave out the ReLU of one block. Which layer is named, and what is said?
# 2. Plant two faults. What is found? Mend it, and look again.
# 3. How small a fault is found? Multiply the output of ``conv1_conv`` by 1 + d, for d = 1e-8 and for d =
#    1e-3.
#
# Answers
# -------
# **1.** The layer itself, although all after it are off.


def sum_of(run):
    """What the ReLU of conv3_block2 is given."""
    return run["conv3_block2_add"]


seen = broken()
status, words = verify(broken(put={"conv3_block2_out": lambda _: sum_of(seen)}))
print(words)
assert status == 1
assert "conv3_block2_out" in words
assert "ReLU missing" in words

# %%
# **2.** The first in the order of the layers. The second shows when that one is mended.

places = right.activations[model.last_activation][0, :, :, 0].size
late = {"avg_pool": lambda value: places * value}  # the sum over all places, not the mean
status, words = verify(broken(put={"conv1_pad": padded_like_tensorflow} | late))
print(words)
assert "the first is conv1_pad" in words
status, words = verify(broken(put=late))
print(words)
assert "the first is avg_pool" in words
assert "sum over all positions" in words

# %%
# **3.** What is less than rounding cannot be told from rounding, by anybody. In float32 a factor of 1 + 1e-8
# is 1.

statuses = [verify(broken(put={"conv1_conv": lambda y, d=d: y * np.float32(1 + d)}))[0] for d in (1e-8, 1e-3)]
print("exit status for 1e-8 and 1e-3:", statuses)
assert statuses == [0, 1]
