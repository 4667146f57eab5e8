"""
5. The logit, spread out over the picture
=========================================

You will see why the mean of a class activation map plus a bias is the class's logit, digit by digit. Then you
will see why Grad-CAM, HiResCAM and XGrad-CAM are the same map here, and what LayerCAM, Grad-CAM++ and
Ablation-CAM make of it.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import npcam

PHOTOS = next(p for p in (Path("examples"), Path("../../examples")) if p.is_dir())
model = npcam.load_model(os.environ.get("LESSON_WEIGHTS"))
photo = npcam.load_image(PHOTOS / "chelsea.png")
x = model.preprocess(photo[None])

# %%
# The end of the network
# ----------------------
# After the last block there are K small pictures, the *maps* :math:`f_k`, of H rows and W columns. What is
# left to do:
#
# 1. ``avg_pool``: the mean of each map over all its places, one number for each map. This is called *global
#    average pooling*.
# 2. ``predictions``: for each class c the sum of these numbers, each times a weight :math:`w_k^c` (how much
#    map k speaks for c), and a bias :math:`b_c`. The result :math:`z_c` is the *logit*.
# 3. The *softmax*: :math:`\exp(z_c)`, divided by the sum of that over all classes. It makes probabilities of
#    the logits.

run = model.run(x, [model.last_activation, "avg_pool"])
f = run.activations[model.last_activation][0].astype(np.float64)  # (H, W, K)
height, width, maps = f.shape
logits, probabilities = run.logits[0], run.probabilities[0]
names = model.class_names or [str(n) for n in range(len(logits))]
c = int(logits.argmax())
w, b = model.class_weights(c)  # (K,), and a number
print(f"{maps} maps of {height}x{width}; the most probable class is {names[c]}, {probabilities[c]:.2%}")

# %%
# Two sums, and their order
# -------------------------
# Write the first two steps as one formula. The mean over the places is a sum over i and j, divided by H W:
#
# .. math:: z_c = b_c + \sum_k w_k^c \, \left( \frac{1}{HW} \sum_{ij} f_k(i, j) \right)
#
# These are two sums, and the order of sums may be changed. Do the one over k first:
#
# .. math:: z_c = b_c + \frac{1}{HW} \sum_{ij} M_c(i, j), \quad M_c(i, j) = \sum_k w_k^c f_k(i, j)
#
# The sum over k is a picture, one number for each place: the *class activation map* :math:`M_c`. What stands
# in front of it is the mean over all places. So
#
# .. math:: \mathrm{mean}(M_c) + b_c = z_c
#
# Nothing was left out and nothing was approximated: the map is the logit, before it is added up. The place
# (i, j) gives :math:`M_c(i, j) / (HW)` of it. In digits:

M = f @ w  # (H, W, K) @ (K,) -> (H, W)
print(f"mean of the map {M.mean():12.7f}")
print(f"bias            {b:12.7f}")
print(f"together        {M.mean() + b:12.7f}")
print(f"logit           {logits[c]:12.7f}")
assert abs(M.mean() + b - logits[c]) < 1e-4

figure, axes = plt.subplots(1, 2, figsize=(12, 5.6), width_ratios=(1, 1.15), layout="constrained")
axes[0].imshow(photo)
axes[0].set_title("the photograph")
shares = M / (height * width)
limit = np.abs(shares).max()
axes[1].imshow(shares, cmap="RdBu_r", vmin=-limit, vmax=limit)
for (i, j), share in np.ndenumerate(shares):
    dark = abs(share) > 0.6 * limit
    axes[1].text(
        j, i, f"{100 * share:.0f}", ha="center", va="center", fontsize=8, color="white" if dark else "black"
    )
axes[1].set_title(f"M / (H W) in hundredths; the sum, and the bias {100 * b:.0f}, is {100 * logits[c]:.0f}")
for ax in axes:
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()

# %%
# Gradients
# ---------
# Other methods begin with the *gradient*: how much does the logit change when one number :math:`f_k(i, j)`
# grows a little? From the formula above it can be read off: by :math:`w_k^c / (HW)` for each unit, at every
# place, whatever the photograph. Let us not believe it, but try: add a step h to one number, compute the
# logit anew, subtract, divide by h. Take 200 numbers at random, and small and large steps.

kernel, biases = (
    model.layer("predictions").kernel.astype(float),
    model.layer("predictions").bias.astype(float),
)


def logit(features):
    """The logit of class c from maps (H, W, K): the last layers as the network runs them."""
    return npcam.ops.dense(npcam.ops.global_average_pool2d(features[None]), kernel, biases)[0, c]


g = w.astype(float) / (height * width)  # (K,): what the formula says
random = np.random.default_rng(0)
places = [tuple(random.integers(0, side) for side in f.shape) for _ in range(200)]
for h in (0.001, 1.0, 1000.0):
    differences = []
    for i, j, k in places:
        nudged = f.copy()
        nudged[i, j, k] += h
        differences.append((logit(nudged) - logit(f)) / h - g[k])
    worst = np.abs(differences).max()
    print(
        f"step {h:>8}: largest difference to w_k / (H W): {worst:.1e}, of values up to {np.abs(g).max():.1e}"
    )
    assert worst < 1e-11 * max(1.0, 1 / h)

# %%
# The step's size does not matter, because the way from the maps to the logit is a straight line in every
# number. So the gradient is known at all places: :math:`g_k = w_k^c / (HW)`. Now put it into each method. R
# is the ReLU, which sets what is negative to 0.
#
# * **Grad-CAM**: weigh each map with the mean of its gradient. The mean of a constant is the constant.
# * **HiResCAM**: multiply gradient and map place by place, and add the maps up.
# * **XGrad-CAM**: weigh each map with the mean of its gradient, places weighted by the map itself.
# * **LayerCAM**: as HiResCAM, but only positive gradients: :math:`\sum_k R(w_k^c) f_k / (HW)`.
# * **Grad-CAM++**: weights :math:`HW R(g_k) / (2 + g_k \sum f_k)`, from second and third powers of the
#   gradient.
# * **Ablation-CAM**: set one map to 0, see by which share of itself the logit y drops, weigh the map with
#   that share: :math:`w_k^c \mathrm{mean}(f_k) / y`.
#
# First each as its authors define it, from a gradient at each place; then as these closed forms.

G = np.broadcast_to(g, f.shape)  # (H, W, K): the gradient, as any framework would give it
relu = npcam.ops.relu
total = f.sum(axis=(0, 1))  # (K,)
used = total > 0  # a map of zeros has no share in anything
y = logit(f)


def without(k):
    """The logit where map k is zeros."""
    ablated = f.copy()
    ablated[:, :, k] = 0
    return logit(ablated)


drops = (y - np.array([without(k) for k in range(maps)])) / y
share = np.divide(f, total, where=used, out=np.zeros_like(f))
below = 2 * G**2 + total * G**3  # Grad-CAM++'s denominator
alpha = np.divide(G**2, below, where=below != 0, out=np.zeros_like(f))
defined = {
    "CAM": M,
    "Grad-CAM": f @ G.mean(axis=(0, 1)),
    "HiResCAM": (G * f).sum(axis=2),
    "XGrad-CAM": f @ (G * share).sum(axis=(0, 1)),
    "LayerCAM": (relu(G) * f).sum(axis=2),
    "Grad-CAM++": f @ (alpha * relu(G)).sum(axis=(0, 1)),
    "Ablation-CAM": f @ drops,
}
closed = {
    "CAM": M,
    "Grad-CAM": M / (height * width),
    "HiResCAM": M / (height * width),
    "XGrad-CAM": M / (height * width),
    "LayerCAM": f @ relu(w.astype(float)) / (height * width),
    "Grad-CAM++": f @ (height * width * relu(g) / (2 + g * total)),
    "Ablation-CAM": f @ (w * f.mean(axis=(0, 1)) / y),
}
for name, cam in defined.items():
    off = np.abs(cam - closed[name]).max() / np.abs(cam).max()
    like = np.corrcoef(cam.ravel(), M.ravel())[0, 1]
    print(f"{name:13} off its closed form by {off:.1e} of its largest value; correlation with CAM {like:.4f}")
    assert off < 1e-6

# %%
# Each is divided by its largest value; then the first four are one picture.

figure, axes = plt.subplots(2, 4, figsize=(11, 5.8), layout="constrained")
axes[0, 0].imshow(photo)
axes[0, 0].set_title("the photograph")
for ax, (name, cam) in zip(axes.flat[1:], defined.items(), strict=True):
    ax.imshow(cam / np.abs(cam).max(), cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set_title(name)
for ax in axes.flat:
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()

# %%
# Of these, only CAM (and what is a multiple of it) has a mean that is the logit. LayerCAM and Grad-CAM++
# leave out what speaks against the class. Ablation-CAM weighs each map a second time with its own mean.
# (Grad-CAM also applies a ReLU at the end, which drops the places that speak against. Of Grad-CAM++ this is
# the form that programs compute.) In a network that ends in another way the gradient differs from place to
# place, and so do the methods.
#
# Exercises
# ---------
# 1. The bias belongs to no place. Which picture has the logit as its mean, with no bias to add?
# 2. Drop what is negative in the map, as Grad-CAM does. By how much is the mean of the rest plus the bias too
#    large?
# 3. What if the network took the maximum of each map, and not the mean? Does the map still add up to the
#    logit?
#
# Answers
# -------
# **1.** M + b: the bias shared out evenly.

assert np.isclose((M + b).mean(), y)

# %%
# **2.** By the mean of what was dropped, with its sign turned. It shows best in the map of the least probable
# class.

d = int(logits.argmin())
M_d, b_d = f @ kernel[:, d], biases[d]
excess = relu(M_d).mean() + b_d - logits[d]
assert abs(excess - relu(-M_d).mean()) < 1e-4
print(f"{names[d]}: logit {logits[d]:.4f}, without what speaks against it {logits[d] + excess:.4f}")

# %%
# **3.** No: the maximum is taken at one place of each map, another one for each, and a maximum of a sum is
# not the sum of the maxima. The logit is then larger or smaller than both the mean and the maximum of the map
# would say.

with_maximum = f.max(axis=(0, 1)) @ w + b
assert not np.isclose(with_maximum, M.mean() + b)
assert not np.isclose(with_maximum, M.max() + b)
print(
    f"logit with maxima {with_maximum:.3f}; from the map's mean {M.mean() + b:.3f}, maximum {M.max() + b:.3f}"
)
