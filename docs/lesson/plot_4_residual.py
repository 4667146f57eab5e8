"""
4. The residual block: switch it off
====================================

You will see what a residual block adds to what comes in, and what happens to the answer when one block after
the other is switched off. You will see the same with the shortcuts cut.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import npcam
from npcam.resnet import features, head, residual_blocks

PHOTOS = next(p for p in (Path("examples"), Path("../../examples")) if p.is_dir())
model = npcam.load_model(os.environ.get("LESSON_WEIGHTS"))
x = model.preprocess(npcam.load_image(PHOTOS / "chelsea.png")[None])
tensors, arch = model.weights.tensors, model.weights.architecture
blocks = residual_blocks(arch)

# %%
# The block
# ---------
# ResNet-50 is sixteen blocks, one after the other, behind the first convolution. A block is
#
# .. math:: \mathrm{out} = \mathrm{relu}\left(x + F(x)\right)
#
# where x is what comes in, F is three convolutions, each with its batch norm (1x1, 3x3, 1x1), and relu sets
# what is negative to 0. The x that goes around F is the *shortcut*. A block need not make anything anew; it
# only says what to change. Blocks that work at one size are a *stage*, conv2 to conv5. The first block of
# each stage makes the maps smaller or gives them more channels, so there the shortcut is a convolution of
# 1x1.

name = blocks[1].name
found = model.activations(x, [f"{blocks[0].name}_out", f"{name}_3_bn", f"{name}_add", f"{name}_out"])
shortcut, change = found[f"{blocks[0].name}_out"], found[f"{name}_3_bn"]
assert np.abs(shortcut + change - found[f"{name}_add"]).max() < 1e-4
channel = int(np.abs(change).mean(axis=(0, 1, 2)).argmax())
figure, axes = plt.subplots(1, 3, figsize=(10, 3.5), layout="constrained")
parts = (("x, the shortcut", shortcut), ("F(x)", change), ("relu(x + F(x))", found[f"{name}_out"]))
limit = max(np.abs(numbers[0, :, :, channel]).max() for _, numbers in parts)
for ax, (title, numbers) in zip(axes, parts, strict=True):
    picture = ax.imshow(numbers[0, :, :, channel], cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set(title=title, xticks=[], yticks=[])
figure.colorbar(picture, ax=axes, shrink=0.8, label=f"{name}, channel {channel}")
plt.show()

# %%
# Off --- npcam hands every activation to a function ``keep``, with its name, and what that returns goes on.
# So a block is switched off by putting zeros in the place of F(x), and a shortcut is cut by putting F(x) in
# the place of the sum.


def run(without=(), cut=()):
    """The probabilities where the F of some blocks, and the shortcuts of others, are left out."""
    last = {}

    def keep(name, value):
        if name.endswith("_3_bn"):
            block = name.removesuffix("_3_bn")
            value = np.zeros_like(value) if block in without else value
            last[block] = value
        if name.removesuffix("_add") in cut:
            value = last[name.removesuffix("_add")]
        return value

    return head(features(x, tensors, arch, keep), tensors, arch)[1][0]


whole = run()
best = int(whole.argmax())
label = (model.class_names or [str(n) for n in range(len(whole))])[best]
print(f"{label}: {whole[best]:.4f} with all blocks")
names = [block.name for block in blocks]
without_f = {name: run(without=[name]) for name in names}
without_shortcut = {name: run(cut=[name]) for name in names}
for name in names:
    left = without_f[name][best], without_shortcut[name][best]
    print(f"{name:13} without F {left[0]:.4f}   without shortcut {left[1]:.4f}")

# %%
figure, ax = plt.subplots(figsize=(10, 3.6), layout="constrained")
places = np.arange(len(names))
ax.bar(places - 0.2, [p[best] for p in without_f.values()], 0.4, label="F switched off")
ax.bar(places + 0.2, [p[best] for p in without_shortcut.values()], 0.4, label="shortcut cut")
ax.axhline(whole[best], color="black", linewidth=1, label="all blocks")
labels = [f"{block.name}{' *' if block.projects else ''}" for block in blocks]
ax.set_xticks(places, labels, rotation=50, ha="right")
ax.set_ylabel(f"probability of {label}")
figure.legend(loc="outside upper right", ncols=3)
plt.show()

# %%
# A star marks the blocks whose shortcut is a convolution. Look which bars stay near the line: a network that
# is a sum of changes often survives the loss of one. One that passes everything through each layer would not.
#
# More and more
# -------------
# Now all blocks whose shortcut passes x on unchanged are switched off, one after the other, from the last to
# the first.

passing = [block.name for block in blocks if not block.projects]
line = [run(without=passing[len(passing) - n :])[best] for n in range(len(passing) + 1)]
figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot(line, "o-")
ax.set(xlabel="blocks switched off, from the last on", ylabel=f"probability of {label}", ylim=(0, 1.02))
plt.show()
print("  ".join(f"{n}: {p:.3f}" for n, p in enumerate(line)))

# %%
# Exercises
# ---------
# 1. Show that a block without its F gives exactly what came in, bit for bit, where the shortcut passes x on.
#    Why does the ReLU change nothing?
# 2. How large is F(x) beside x? Compare their mean sizes for the blocks that pass x on.
# 3. Swap two neighbouring blocks of a stage. Is that worse than to switch one of them off?
#
# Answers
# -------
# **1.** x comes out of the ReLU of the block before, so it has nothing negative, and a second ReLU leaves it.


def output_without(block):
    """What comes into a block, and what comes out of it without its F."""
    seen = {}

    def keep(name, value):
        value = np.zeros_like(value) if name == f"{block}_3_bn" else value
        seen[name] = value
        return value

    features(x, tensors, arch, keep)
    return seen[f"{names[names.index(block) - 1]}_out"], seen[f"{block}_out"]


came_in, came_out = output_without(passing[0])
assert (came_in == came_out).all()

# %%
# **2.** Where F(x) is small beside x, the block only corrects. Where it is larger, the block makes something
# anew, and the shortcut matters less.

wanted = [f"{names[names.index(block) - 1]}_out" for block in passing]
found = model.activations(x, [*wanted, *(f"{block}_3_bn" for block in passing)])
for block, shortcut in zip(passing, wanted, strict=True):
    ratio = np.abs(found[f"{block}_3_bn"]).mean() / np.abs(found[shortcut]).mean()
    print(f"{block}: F(x) is {ratio:.2f} times as large as x")
    assert 0 < ratio < np.inf

# %%
# **3.** The blocks of a stage take and give arrays of the same shape, so their weights can be swapped.

first, second = passing[-3], passing[-4]
swapped = {}
for own, other in ((first, second), (second, first)):
    if own.split("_")[0] == other.split("_")[0]:
        theirs = {n: a for n, a in tensors.items() if n.startswith(f"{other}_")}
        swapped |= {n.replace(other, own): a for n, a in theirs.items()}
assert swapped, "the two are of one stage"
probabilities = model.with_weights(swapped).predict(x)[0]
assert abs(probabilities.sum() - 1) < 1e-5
print(f"{first} and {second} swapped: {probabilities[best]:.4f}", end=", ")
print(f"without the one {without_f[first][best]:.4f}, without the other {without_f[second][best]:.4f}")
