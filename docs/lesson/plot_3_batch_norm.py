"""
3. Batch norm, and how it is folded away
========================================

You will see the layer that brings every channel to a common scale, and how it disappears into the convolution
before it: the same function with less work. You will see the bits of one number before and after.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import npcam

PHOTOS = next(p for p in (Path("examples"), Path("../../examples")) if p.is_dir())
model = npcam.load_model(os.environ.get("LESSON_WEIGHTS"))
x = model.preprocess(npcam.load_image(PHOTOS / "chelsea.png")[None])

# %%
# What it does
# ------------
# For each channel four numbers were kept from training: the mean m and the variance v of what came in, and
# gamma and beta, which were learned. Batch norm is
#
# .. math:: y = \gamma \, \frac{x - m}{\sqrt{v + \epsilon}} + \beta
#
# with a small number epsilon that keeps the root away from 0. Nothing is measured on the photograph at hand.

NAME = "conv2_block1_1"
conv, norm = model.layer(f"{NAME}_conv"), model.layer(f"{NAME}_bn")
epsilon = model.weights.architecture.epsilon
found = model.activations(x, ["pool1_pool", f"{NAME}_conv", f"{NAME}_bn"])
given, before, after = found["pool1_pool"], found[f"{NAME}_conv"], found[f"{NAME}_bn"]
by_hand = norm.gamma * (before - norm.moving_mean) / np.sqrt(norm.moving_variance + epsilon) + norm.beta
print("epsilon", epsilon, "- largest difference to npcam's layer", np.abs(by_hand - after).max())

figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained", sharex=True)
for ax, numbers, title in zip(axes, (before, after), ("before: conv", "after: batch norm"), strict=True):
    ax.boxplot(numbers.reshape(-1, numbers.shape[-1]), whis=(1, 99), showfliers=False, widths=0.7)
    ax.axhline(0, color="grey", linewidth=0.8)
    ax.set(title=title, xlabel="channel", xticks=[])
plt.show()

# %%
# Each box is a channel: half of its numbers lie in the box, 98 of 100 between the whiskers. After it
# their middles and sizes are closer to each other, which makes training go well.
#
# Folding
# -------
# With :math:`s = \gamma / \sqrt{v + \epsilon}`, one number for each channel, batch norm is :math:`y = s x +
# (\beta - s m)`: a multiple, and a shift. The convolution before it is x = W a + b, with the table a of
# chapter 2. Put in:
#
# .. math:: y = s (W a + b - m) + \beta = (s W) a + \left(s (b - m) + \beta\right)
#
# This is a convolution with the kernel s W and another bias. The batch norm is gone.

scale = norm.gamma / np.sqrt(norm.moving_variance + epsilon)  # (K,)
folded_kernel = conv.kernel * scale  # (1, 1, C, K) * (K,): each kernel by the scale of its channel
folded_bias = scale * (conv.bias - norm.moving_mean) + norm.beta
folded = npcam.ops.conv2d(given, folded_kernel, folded_bias)
print("largest difference:", np.abs(folded - after).max(), "of numbers up to", np.abs(after).max())

# %%
# Bits before and after
# ---------------------
# A float32 number is 32 bits: a sign, 8 for the power of two, 23 for the digits. The two ways round in
# different places, so the last bits differ. Here is the number where they differ by most, and the same
# computed in float64.


def bits(number):
    """The 32 bits of a float32: sign, power, digits."""
    text = f"{np.float32(number).view(np.uint32):032b}"
    return f"{text[0]} {text[1:9]} {text[9:]}"


double = npcam.ops.batch_norm(
    npcam.ops.conv2d(given.astype(float), conv.kernel.astype(float), conv.bias.astype(float)),
    *(getattr(norm, name).astype(float) for name in ("gamma", "beta", "moving_mean", "moving_variance")),
    epsilon=epsilon,
)
worst = np.unravel_index(np.argmax(np.abs(folded - after)), after.shape)
for name, numbers in (("two layers", after), ("folded", folded), ("in float64", double)):
    print(f"{name:11} {numbers[worst]:+.9f}   {bits(numbers[worst])}")

# %%
# Which of the two is nearer to the truth? Neither is always.

unit = np.float64(2.0**-24) * np.abs(double).max()
errors = {"two layers": np.abs(after - double), "folded": np.abs(folded - double)}
figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
edges = np.linspace(0, max(error.max() for error in errors.values()) / unit, 60)
for name, error in errors.items():
    ax.hist(error.ravel() / unit, bins=edges, histtype="step", linewidth=2, label=name)
    print(f"{name:11} mean error {error.mean():.2e}, largest {error.max():.2e}")
ax.set(xlabel="error, in units of 2**-24 of the largest number", ylabel="numbers", yscale="log")
ax.legend()
plt.show()

# %%
# All of a network
# ----------------
# npcam's engine "fast" folds every batch norm; "reference" runs each layer as Keras does. The logits, which
# are the numbers at the end that say how much speaks for each class, differ as little.

reference = npcam.load_model(os.environ.get("LESSON_WEIGHTS"), engine="reference")
slow, fast = reference.logits(x)[0], model.logits(x)[0]
names = model.class_names or [str(n) for n in range(len(slow))]
for n in np.argsort(-slow)[:3]:
    print(f"{names[n]:16} reference {slow[n]:.7f}   fast {fast[n]:.7f}")

# %%
# Exercises
# ---------
# 1. Fold every batch norm of the network by hand. Is the class still the same?
# 2. The network of 2017 had an epsilon of 0.001. For which channel does that change the scale most, and why?
# 3. Could the scale s be moved behind the ReLU that follows, relu(s x) = s relu(x)? For which channels not?
#
# Answers
# -------
# **1.** The batch norms stay in place, but do nothing: gamma and the root of v + epsilon are 1, the rest is
# 0.

changed = {}
for name, arrays in model.weights.tensors.items():
    if not name.endswith("_bn"):
        continue
    before_it = model.weights.tensors[name.replace("_bn", "_conv")]
    s = arrays["gamma"] / np.sqrt(arrays["moving_variance"] + epsilon)
    bias = s * (before_it["bias"] - arrays["moving_mean"]) + arrays["beta"]
    changed[name.replace("_bn", "_conv")] = {"kernel": before_it["kernel"] * s, "bias": bias}
    ones, zeros = np.ones_like(s), np.zeros_like(s)
    nothing = {"gamma": ones, "beta": zeros, "moving_mean": zeros, "moving_variance": ones - epsilon}
    changed[name] = nothing
by_us = reference.with_weights(changed).logits(x)[0]
print(len(changed) // 2, "folded; largest difference of a logit:", np.abs(by_us - slow).max())
assert by_us.argmax() == slow.argmax()
np.testing.assert_allclose(by_us, slow, atol=1e-3 * np.abs(slow).max())

# %%
# **2.** For the channel of the smallest variance: there epsilon is the largest share of v + epsilon.

change = np.sqrt((norm.moving_variance + epsilon) / (norm.moving_variance + 1e-3))
assert change.argmin() == norm.moving_variance.argmin()
print(f"channel {change.argmin()}: the scale is {change.min():.3f} times what it was")

# %%
# **3.** A ReLU sets what is negative to 0. For s > 0 both sides are the same; for s < 0 they are not.

s = np.array([0.5, -0.5])
ramp = np.array([[-1.0], [2.0]])
same = npcam.ops.relu(s * ramp) == s * npcam.ops.relu(ramp)
assert same[:, 0].all()
assert not same[:, 1].all()
gammas = np.concatenate([arrays["gamma"] for arrays in model.weights.tensors.values() if "gamma" in arrays])
print(
    (gammas < 0).sum(),
    "of",
    gammas.size,
    "channels of the network have a negative gamma, so a negative scale",
)
