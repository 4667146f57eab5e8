"""
7. Another class, and what the map does not say
===============================================

You will see the maps of two classes, and the map of their difference. Then you will see three things that a
class activation map does not say, each by an experiment.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import npcam

PHOTOS = next(p for p in (Path("examples"), Path("../../examples")) if p.is_dir())
model = npcam.load_model(os.environ.get("LESSON_WEIGHTS"))
pair = Image.new("RGB", (901, 300))  # two photographs side by side, as one
for name, x0, x1 in (("chelsea.png", 0, 451), ("rocket.jpg", 451, 901)):
    pair.paste(Image.open(PHOTOS / name).convert("RGB").resize((x1 - x0, 300)), (x0, 0))

# %%
# Two classes
# -----------
# Every class has weights of its own, so it has a map of its own, from the same maps f_k.

one, other = npcam.explain(model, pair, targets="top2")
for e in (one, other):
    print(f"{e.label}: probability {e.probability:.4f}, logit {e.logit:.4f}")

# %%
# Why the one and not the other? The difference of the two maps answers that, and it accounts for the whole
# difference of the logits, because everything is a sum:
#
# .. math:: \mathrm{mean}(M_c - M_d) + b_c - b_d = z_c - z_d

why = one.versus(other.target)
bias_c, bias_d = (model.class_weights(e.target)[1] for e in (one, other))
print(f"mean of the difference {why.cam.mean():.5f} + biases {bias_c - bias_d:.5f}", end=" ")
print(f"= {why.cam.mean() + bias_c - bias_d:.5f}; the logits differ by {one.logit - other.logit:.5f}")

figure, axes = plt.subplots(2, 2, figsize=(11, 4.6), layout="constrained")
axes[0, 0].imshow(pair)
axes[0, 0].set_title("the photograph")
titles = (one.label, other.label, f"{one.label} - {other.label}")
for ax, shown, title in zip(axes.flat[1:], (one, other, why), titles, strict=True):
    ax.imshow(shown.overlay("magenta-green", signed=True, box=False, caption=False))
    ax.set_title(title)
for ax in axes.flat:
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()

# %%
# Green speaks for the class, magenta against it; in the last picture green is for the first class, magenta
# for the second. Look where the second class gets its evidence from: the map tells that, whether or not it
# makes sense.
#
# 1. It does not say how probable the class is
# --------------------------------------------
# The softmax only looks at differences of logits: add the same number to all of them, and no probability
# changes. So we may add the same weights u to those of every class. Each map changes by the same picture,
# sum_k u_k f_k, and may look like anything. No probability changes, and neither does the difference of two
# maps.

kernel = model.layer("predictions").kernel
u = np.random.default_rng(0).normal(0, np.abs(kernel).mean() * 4, (len(kernel), 1)).astype(kernel.dtype)
moved = model.with_weights({"predictions": {"kernel": kernel + u}})
same, _ = npcam.explain(moved, pair, targets=[one.target, other.target])
why_moved = same.versus(other.target)
print(
    f"logit {one.logit:.3f} -> {same.logit:.3f}, probability {one.probability:.6f} -> {same.probability:.6f}"
)
print(f"largest change of the map {np.abs(same.cam - one.cam).max():.3f},", end=" ")
print(f"of the difference of two maps {np.abs(why_moved.cam - why.cam).max():.6f}")

figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
pictures = (
    (one.cam, f"{one.label}"),
    (same.cam, f"{one.label}, u added to all"),
    (why.cam, "difference"),
    (why_moved.cam, "difference, u added to all"),
)
limit = max(np.abs(cam).max() for cam, _ in pictures)
for ax, (cam, title) in zip(axes, pictures, strict=True):
    ax.imshow(cam, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()

# %%
# A network trained in the usual way has no reason for such a u; still, only the difference of two classes is
# what the probabilities rest on.
#
# 2. It does not say what would happen without a place
# ----------------------------------------------------
# A place of the map tells how much of the logit *is there*. If you cover the place in the photograph, the
# network computes everything anew, and its neighbours change, too. We cover one square after the other with
# grey, and compare.

photo = npcam.load_image(PHOTOS / "chelsea.png")
e = npcam.explain(model, photo)
cells, step = 7, 32
covered = np.repeat(photo[None], cells * cells, axis=0)
for n in range(cells * cells):
    i, j = divmod(n, cells)
    covered[n, step * i : step * (i + 1), step * j : step * (j + 1)] = 128
drop = e.logit - model.logits(model.preprocess(covered))[:, e.target].reshape(cells, cells)
expected = npcam.upsample_map(e.cam, photo.shape[:2], "centers")
expected = expected.reshape(cells, step, cells, step).mean(axis=(1, 3)) / cells**2  # the squares' shares
likeness = np.corrcoef(drop.ravel(), expected.ravel())[0, 1]
print(f"correlation of share and drop: {likeness:.2f}")
print(f"shares add up to {expected.sum():.2f}, drops to {drop.sum():.2f}")

figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
axes[0].imshow(covered[int(drop.argmax())])
axes[0].set_title("the square whose loss costs most")
for ax, (numbers, title) in zip(
    axes[1:], ((expected, "its share of the logit"), (drop, "what the logit loses")), strict=True
):
    limit = np.abs(numbers).max()
    figure.colorbar(ax.imshow(numbers, cmap="RdBu_r", vmin=-limit, vmax=limit), ax=ax, shrink=0.8)
    ax.set_title(title)
for ax in axes:
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()

# %%
# 3. It does not say that a place saw only itself
# -----------------------------------------------
# Each number of the last maps was computed from a large part of the photograph, its *receptive field*. We
# change one square in the upper left corner, and look which places of the map change.

changed = photo.copy()
changed[:step, :step] = 255 - changed[:step, :step]
moved_cam = npcam.explain(model, changed, target=e.target).cam
change = np.abs(moved_cam - e.cam)
figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
axes[0].imshow(changed)
axes[0].set_title("colours turned in one square")
figure.colorbar(axes[1].imshow(change, cmap="viridis"), ax=axes[1], shrink=0.8)
axes[1].set_title("by how much the map changed")
for ax in axes:
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()
print(f"{(change > 0).sum()} of {change.size} places changed")

# %%
# Exercises
# ---------
# 1. Show that the maps of all classes, averaged with the probabilities as weights, plus the same average of
#    the biases, have the average logit as their mean.
# 2. What does the network say of a grey picture with nothing on it, and what does the map show?
# 3. Does the class's own map stay the same when another class is removed from the network? And its
#    probability?
#
# Answers
# -------
# **1.** It is a sum again, and the order of sums may be changed.

x = model.preprocess(photo[None])
run = model.run(x, [model.last_activation])
f, p, z = run.activations[model.last_activation][0].astype(float), run.probabilities[0], run.logits[0]
biases = model.layer("predictions").bias
average_map = (f @ kernel) @ p
np.testing.assert_allclose(average_map.mean() + biases @ p, z @ p, atol=1e-3)

# %%
# **2.** It names one of its classes, for it has no other answer; and the map accounts for that logit as for
# any other.

grey = npcam.explain(model, np.full_like(photo, 128))
assert abs(grey.completeness) < 1e-3
print(f"nothing but grey: {grey.label}, {grey.probability:.1%}", end="; ")
print(f"map from {grey.cam.min():.2f} to {grey.cam.max():.2f}")

# %%
# **3.** The map has only the class's own weights in it, so it stays. The probability is a share among all
# classes, so it grows when one is gone. A logit of -1e4 for the other class is as good as to remove it.

second = int(np.argsort(-z)[1])
without = biases.copy()
without[second] = -1e4
fewer = npcam.explain(model.with_weights({"predictions": {"bias": without}}), photo, target=e.target)
np.testing.assert_allclose(fewer.cam, e.cam, rtol=1e-5, atol=1e-5)
assert fewer.probability > e.probability
print(f"probability {e.probability:.5f} -> {fewer.probability:.5f}")
