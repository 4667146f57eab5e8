"""
2. A convolution is one matrix product
======================================

You will see a picture of 4x4 pixels turned into a table whose rows are windows, and the convolution become a
product of two matrices. Then you will see how much faster that is than loops, and what it costs.
"""

import os
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import npcam

PHOTOS = next(p for p in (Path("examples"), Path("../../examples")) if p.is_dir())
model = npcam.load_model(os.environ.get("LESSON_WEIGHTS"))

# %%
# Sixteen pixels
# --------------
# A picture of 4x4 pixels and one colour, its pixels numbered. A window of 3x3 fits into it in four places.

small = np.arange(16.0).reshape(1, 4, 4, 1)  # (batch, height, width, channels)
window = np.array([[1, 0, 0], [0, 2, 0], [0, 0, 3]], float)  # nine weights
columns = npcam.ops.im2col(small, kernel_size=3, strides=1)  # (1, 2, 2, 9)
table = columns.reshape(4, 9)
print("each row is what lies under the window in one place:")
print(table.astype(int))

frames = ("tab:red", "tab:blue", "tab:green", "tab:orange")
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), width_ratios=(1, 1.7), layout="constrained")
left.imshow(small[0, :, :, 0], cmap="Greys", vmin=-8, vmax=40)
for n, colour in enumerate(frames):
    row, column = divmod(n, 2)
    corner = (column - 0.42 + 0.06 * n, row - 0.42 + 0.06 * n)
    left.add_patch(plt.Rectangle(corner, 2.7, 2.7, fill=False, edgecolor=colour, linewidth=2.5))
right.imshow(table, cmap="Greys", vmin=-8, vmax=40)
for n, colour in enumerate(frames):
    right.add_patch(plt.Rectangle((-0.45, n - 0.45), 8.9, 0.9, fill=False, edgecolor=colour, linewidth=2.5))
for ax, numbers in ((left, small[0, :, :, 0]), (right, table)):
    for (row, column), number in np.ndenumerate(numbers):
        ax.text(column, row, f"{number:.0f}", ha="center", va="center")
    ax.set_xticks([])
    ax.set_yticks([])
left.set_title("the picture, and four places of the window")
right.set_title("im2col: a row for each place")
plt.show()

# %%
# The kernel, its nine weights in the same order, is a column. The product of the table with it is the
# convolution: each row times the column is a sum of nine products.

by_matrix = (table @ window.reshape(9, 1)).reshape(2, 2)
by_loops = npcam.naive.conv2d(small, window[:, :, None, None])[0, :, :, 0]
print(by_matrix)
assert (by_matrix == by_loops).all()

# %%
# With C colours a row has 3 * 3 * C numbers; with K kernels the column becomes a matrix of K columns. Nothing
# else changes: (places, 9 C) times (9 C, K) gives (places, K).
#
# A layer of the network
# ----------------------
# ``conv3_block2_2_conv`` is a 3x3 convolution in the middle of the network. We take what the photograph
# became up to there, and compute the layer as loops on a corner of 4x4 places, and as npcam does on all of it
# (without its padding, to keep it short).

x = model.preprocess(npcam.load_image(PHOTOS / "chelsea.png")[None])
given = model.activations(x, "conv3_block2_1_relu")["conv3_block2_1_relu"]  # (1, 28, 28, C)
layer = model.layer("conv3_block2_2_conv")
kernel, bias = layer.kernel, layer.bias  # (3, 3, C, K), (K,)
channels, kernels = kernel.shape[2:]
corner = given[:, :6, :6]


def seconds(work, times):
    """How long some work takes, the shortest of several times."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def a_sum_for_each_number():
    """The layer on the same corner, one output number after the other, each a sum by NumPy."""
    return [
        (given[0, i : i + 3, j : j + 3] * kernel[..., k]).sum() + bias[k]
        for i in range(4)
        for j in range(4)
        for k in range(kernels)
    ]


each = 9 * channels * kernels  # multiplications for one place
places = (given.shape[1] - 2) * (given.shape[2] - 2)
ways = {
    "plain loops": (seconds(lambda: npcam.naive.conv2d(corner, kernel, bias), 1), 16 * each),
    "a NumPy sum for each number": (seconds(a_sum_for_each_number, 3), 16 * each),
    "im2col, one product": (seconds(lambda: npcam.ops.conv2d(given, kernel, bias), 20), places * each),
}
for name, (taken, count) in ways.items():
    print(f"{name:28} {count:>12,} multiplications in {taken:.2g} s: {count / taken:.1e} a second")

figure, ax = plt.subplots(figsize=(8, 2.4), layout="constrained")
ax.barh(list(ways), [count / taken for taken, count in ways.values()], color="tab:blue")
ax.set_xscale("log")
ax.set_xlabel("multiplications a second (each step of the axis is ten times as many)")
ax.invert_yaxis()
plt.show()

# %%
# All three give the same numbers, up to the order of their sums:

naive = npcam.naive.conv2d(corner, kernel, bias)
numpy_sums = np.reshape(a_sum_for_each_number(), naive.shape)
fast = npcam.ops.conv2d(given, kernel, bias)[:, :4, :4]
assert np.abs(numpy_sums - naive).max() < 1e-4 * np.abs(naive).max()
assert np.abs(fast - naive).max() < 1e-4 * np.abs(naive).max()
print("largest difference:", np.abs(naive - fast).max(), "of numbers up to", np.abs(naive).max())

# %%
# Why it is fast
# --------------
# Memory is slow and arithmetic is fast: a processor does many multiplications in the time that one number
# takes to come from memory. In a product of two matrices each number is used many times, each number of the
# table K times. The library that multiplies matrices (BLAS) cuts them into blocks that stay in the
# processor's own small memory, and does eight or more multiplications at once. A loop in Python looks up each
# number anew, one at a time.
#
# The price is memory: the table repeats each pixel nine times.

copied = npcam.ops.im2col(given, 3, 1)
print(f"the layer's input has {given.nbytes:,} bytes, its table {copied.nbytes:,}:", end=" ")
print(f"{copied.nbytes / given.nbytes:.2f} times as many")

# %%
# Exercises
# ---------
# 1. Two of three convolutions in ResNet-50 have a window of 1x1. What is their table, and what does it cost?
# 2. With a stride of 2 the window moves by two. Which rows of the table are left?
# 3. How often does each of the sixteen pixels stand in the table? Add the table back up into a picture.
#
# Answers
# -------
# **1.** It is the picture itself, a row for each pixel: nothing is copied, and the layer is a matrix product
# alone.

one = npcam.ops.im2col(given, 1, 1)
assert np.shares_memory(one, given)
assert (one == given).all()

# %%
# **2.** Those of every second place, down and across.

assert (npcam.ops.im2col(given, 3, 2) == npcam.ops.im2col(given, 3, 1)[:, ::2, ::2]).all()

# %%
# **3.** A corner once, a pixel in the middle in all four windows.

count = np.zeros((4, 4), int)
for n in range(4):
    row, column = divmod(n, 2)
    count[row : row + 3, column : column + 3] += 1
assert count.sum() == table.size
assert all(count.flat[pixel] == (table == pixel).sum() for pixel in range(16))
print(count)
