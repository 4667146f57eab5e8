"""
6. From a small map to the photograph
=====================================

You will see the small map enlarged in two ways that differ by up to half a cell, and why. Then you will see
the box that is drawn around what stands out, and how it depends on one number.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import npcam

PHOTOS = next(p for p in (Path("examples"), Path("../../examples")) if p.is_dir())
model = npcam.load_model(os.environ.get("LESSON_WEIGHTS"))
photo = npcam.load_image(PHOTOS / "chelsea.png")
e = npcam.explain(model, PHOTOS / "chelsea.png")
size = e.heatmap.shape
print(f"{e.label}: a map of {e.cam.shape}, to be enlarged to {size}")

# %%
# Where does a cell lie?
# ----------------------
# A place of the small map is a *cell*. Between two cells the values are mixed: halfway between them lies
# their mean (this is *bilinear*). What is left to say is where each cell's value belongs. There are two
# answers.
#
# * **corners**: the first cell's value belongs to the first pixel, the last one's to the last. SciPy does
#   that by default, and so do the tutorials of class activation maps.
# * **centers**: a cell covers its share of the pixels, and its value belongs to the middle of them. Programs
#   that resize pictures do that.
#
# One row of three cells, enlarged to twelve pixels:

row = np.array([[1.0, 3.0, 0.0]])
figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
where = {"corners": np.array([0, 5.5, 11]), "centers": np.array([1.5, 5.5, 9.5])}
for (align, cells), colour in zip(where.items(), ("tab:orange", "tab:blue"), strict=True):
    enlarged = npcam.upsample_map(row, (1, 12), align=align)[0]
    ax.plot(enlarged, "o-", color=colour, label=f"{align}: twelve pixels")
    ax.plot(cells, row[0], "s", color=colour, markersize=11, fillstyle="none", label=f"{align}: three cells")
    print(f"{align}: mean {enlarged.mean():.4f}, of the cells {row.mean():.4f}")
for edge in (-0.5, 3.5, 7.5, 11.5):
    ax.axvline(edge, color="grey", linewidth=0.8, linestyle=":")
ax.set(xlabel="pixel (dotted: where the cells' areas end)", ylabel="value", xticks=range(12))
ax.legend(loc="upper right", fontsize=8)
plt.show()

# %%
# With centers the mean stays (for whole factors), so mean + bias is still the logit. With corners the cells
# at the border count less, and all between is pushed outwards.
#
# On the photograph
# -----------------

heatmaps = {align: npcam.upsample_map(e.cam, size, align) for align in ("corners", "centers")}
difference = heatmaps["corners"] - heatmaps["centers"]
figure, axes = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained")
limit = np.abs(e.cam).max()
extent = (-0.5, size[1] - 0.5, size[0] - 0.5, -0.5)
axes[0].imshow(e.cam, cmap="RdBu_r", vmin=-limit, vmax=limit, extent=extent)
axes[0].set_title("the map, cell by cell")
for ax, (align, heatmap) in zip(axes[1:], heatmaps.items(), strict=False):
    ax.imshow(photo)
    ax.imshow(heatmap, cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.6)
    peak = np.unravel_index(heatmap.argmax(), size)
    ax.plot(peak[1], peak[0], "k+", markersize=14, markeredgewidth=2)
    ax.set_title(f"{align}: peak at row {peak[0]}, column {peak[1]}")
    print(f"{align}: mean {heatmap.mean():.5f}, of the map {e.cam.mean():.5f}")
picture = axes[3].imshow(difference, cmap="PuOr_r", vmin=-limit, vmax=limit)
axes[3].set_title("corners - centers")
figure.colorbar(picture, ax=axes[3], shrink=0.8)
for ax in axes:
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()

# %%
# npcam's default is corners, to give the numbers that the tutorials give. ``align="centers"`` is the better
# choice for pointing at things.
#
# How far apart the two put the same cell, in pixels:

cells = np.arange(e.cam.shape[1])
factor = size[1] / len(cells)
corners = cells * (size[1] - 1) / (len(cells) - 1)
centers = (cells + 0.5) * factor - 0.5
print("corners - centers:", (corners - centers).round(1))
assert np.abs(corners - centers).max() <= factor / 2

# %%
# The box
# -------
# A box says in four numbers where the object is. The rule of Zhou et al.: keep what is above 20 % of the
# map's maximum, take the largest connected part of it, draw the box around that.

pair = Image.new("RGB", (901, 300))  # two photographs side by side, as one
for name, x0, x1 in (("chelsea.png", 0, 451), ("rocket.jpg", 451, 901)):
    pair.paste(Image.open(PHOTOS / name).convert("RGB").resize((x1 - x0, 300)), (x0, 0))
heatmap = npcam.explain(model, pair, target=e.target).heatmap  # (224, 224): the network sees a square
figure, axes = plt.subplots(1, 3, figsize=(12, 2.6), layout="constrained")
for ax, threshold in zip(axes, (0.05, 0.2, 0.4), strict=True):
    x0, y0, x1, y1 = npcam.bounding_box(heatmap, threshold)
    ax.imshow(pair.resize(size[::-1]), aspect=300 / 901)
    ax.contourf(heatmap > threshold * heatmap.max(), levels=[0.5, 1.5], colors=["tab:red"], alpha=0.4)
    ax.add_patch(
        plt.Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, color="white", linewidth=2)
    )
    share = (x1 - x0) * (y1 - y0) / heatmap.size
    ax.set(title=f"above {threshold:.0%}: {share:.0%} of the picture", xticks=[], yticks=[])
plt.show()

# %%
# The 20 % are a convention: another share gives another box. So a box from a map is measured over many
# photographs and all thresholds (``npcam evaluate`` does it), and beside a box drawn blind in the middle of
# the picture.
#
# Exercises
# ---------
# 1. Write the enlarging of a row by "corners" with ``numpy.interp``.
# 2. Write the one by "centers". What happens beyond the middle of the last cell?
# 3. Tutorials enlarge all maps f_k first and add them up then. Show that it gives the same map, and say what
#    it costs.
#
# Answers
# -------
# **1.** Pixel p of n lies at p (m - 1) / (n - 1) of m cells.

n, m = 12, row.shape[1]
by_hand = np.interp(np.arange(n) * (m - 1) / (n - 1), np.arange(m), row[0])
np.testing.assert_allclose(by_hand, npcam.upsample_map(row, (1, n), "corners")[0], atol=1e-12)

# %%
# **2.** Pixel p has its middle at (p + 0.5) m / n - 0.5. Beyond the last cell's middle its value goes on,
# which is what ``numpy.interp`` does, too.

by_hand = np.interp((np.arange(n) + 0.5) * m / n - 0.5, np.arange(m), row[0])
np.testing.assert_allclose(by_hand, npcam.upsample_map(row, (1, n), "centers")[0], atol=1e-12)

# %%
# **3.** Enlarging is a weighted sum of cells, with weights that do not depend on the map; so it may be done
# before the sum over k or after it. Before, it takes one large picture for each map. We try eight maps.

x = model.preprocess(photo[None])
f = model.activations(x, model.last_activation)[model.last_activation][0].astype(np.float64)
w = model.class_weights(e.target)[0].astype(np.float64)
few = slice(0, 8)
first = npcam.upsample_map(f[..., few], size) @ w[few]
last = npcam.upsample_map(f[..., few] @ w[few], size)
np.testing.assert_allclose(first, last, atol=1e-10 * np.abs(w).max() * f.max())
megabytes = size[0] * size[1] * f.shape[2] * 4 / 1e6
print(f"all {f.shape[2]} maps take {megabytes:.0f} MB in float32, one {megabytes / f.shape[2]:.1f}")
