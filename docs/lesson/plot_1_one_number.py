"""
1. One number
=============

You will see one output number of the first convolution, taken apart into 147 products and put together again.
Then you will see Keras arrive at the same number, and what "the same" can mean for numbers with seven digits.

A photograph is an array: height times width pixels, three numbers each (red, green, blue). A *layer* turns an
array into another. ResNet-50 is 50 layers with weights, one after the other, and this is the first:
``conv1_conv``.
"""

import importlib.util
import math
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import npcam

# The scripts run from the repository's root; the pages are made in the lesson's own folder.
PHOTOS = next(p for p in (Path("examples"), Path("../../examples")) if p.is_dir())
model = npcam.load_model(os.environ.get("LESSON_WEIGHTS"))  # None: the small model that comes with npcam

photo = npcam.load_image(PHOTOS / "chelsea.png")  # (224, 224, 3), red, green, blue, 0 to 255
x = model.preprocess(photo[None])  # (1, 224, 224, 3): the network's input, a batch of one photograph
print("photograph", photo.shape, photo.dtype, "-> input", x.shape, x.dtype)
print("the first pixel:", photo[0, 0], "->", x[0, 0, 0])

# %%
# The input is blue, green, red, in this order, each less the average over many photographs: that is what the
# network was trained on, and what it must be given.
#
# The layer
# ---------
# A *convolution* slides a small window over the picture. At each place it multiplies each number under the
# window with a weight of its own and adds all products up. The weights are the *kernel*. Here the window is
# 7x7 pixels of 3 colours, so one output number is a sum of 7 * 7 * 3 products and a *bias*, which is a number
# that is always added. The window moves by two pixels at a time (the *stride*); three rows and columns of
# zeros surround the picture, so that the window can be centred near the border (the *padding*).

kernel, bias = model.layer("conv1_conv").kernel, model.layer("conv1_conv").bias
padded = npcam.ops.zero_pad2d(x, 3)  # (1, 230, 230, 3)
y = model.activations(x, "conv1_conv")["conv1_conv"]  # (1, 112, 112, K)
print("kernel", kernel.shape, "bias", bias.shape, "output", y.shape)

# %%
# The last number of the kernel's shape is K: it holds K windows of weights, and each makes an output picture
# of its own, a *channel*. (In Keras's ResNet-50 K is 64; the bundled model is a quarter as wide.)
#
# We take the largest number of all, in whichever channel k and at whichever row i and column j it is.

_, i, j, k = (int(n) for n in np.unravel_index(np.argmax(np.abs(y)), y.shape))
patch = padded[0, 2 * i : 2 * i + 7, 2 * j : 2 * j + 7, :]  # (7, 7, 3): what is under the window
products = patch * kernel[..., k]  # (7, 7, 3)
value = products.sum() + bias[k]
print(f"row {i}, column {j}, channel {k}: {products.size} products")
print(f"their sum {products.sum():.6f} + bias {bias[k]:.6f} = {value:.6f}")
print(f"npcam's layer has                       {y[0, i, j, k]:.6f}")

# %%
# Here they are. The window on the photograph, the weights, and the products, each colour by itself. Red makes
# the sum larger, blue smaller.

figure, axes = plt.subplots(2, 4, figsize=(11, 5.6), layout="constrained")
axes[0, 0].imshow(photo)
axes[0, 0].add_patch(plt.Rectangle((2 * j - 3.5, 2 * i - 3.5), 7, 7, fill=False, color="red", linewidth=2))
axes[0, 0].set_title(f"where: row {i}, column {j}")
near = np.pad(photo, ((3, 3), (3, 3), (0, 0)))[2 * i : 2 * i + 7, 2 * j : 2 * j + 7]
axes[1, 0].imshow(near)
axes[1, 0].set_title("what is under the window")
colours = ("blue", "green", "red")
for c, colour in enumerate(colours):
    for row, (numbers, name) in enumerate(((kernel[..., k], "weights"), (products, "products"))):
        limit = np.abs(numbers).max()
        picture = axes[row, c + 1].imshow(numbers[..., c], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes[row, c + 1].set_title(f"{name}, {colour}")
    figure.colorbar(picture, ax=axes[1, c + 1], shrink=0.8)
for ax in axes.flat:
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()

# %%
# To the last digit
# -----------------
# A number of the type ``float32`` has 24 binary digits, about seven decimal ones. Each addition rounds to
# that. So the sum depends on the order in which it is taken, in its last digits. ``math.fsum`` gives the sum
# with no rounding on the way: a product of two float32 numbers fits into a float64 number exactly.

exact_products = (patch.astype(np.float64) * kernel[..., k].astype(np.float64)).ravel()
exact = math.fsum([*exact_products, float(bias[k])])


def one_after_the_other(numbers):
    """The sum in float32, from the first number to the last."""
    total = np.float32(0)
    for number in numbers:
        total += number
    return total + bias[k]


flat = products.ravel()
random = np.random.default_rng(0)
ways = {
    "first to last": one_after_the_other(flat),
    "last to first": one_after_the_other(flat[::-1]),
    "smallest first": one_after_the_other(flat[np.argsort(np.abs(flat))]),
    "shuffled": one_after_the_other(random.permutation(flat)),
    "npcam's layer": y[0, i, j, k],
}
last_digit = float(np.spacing(np.float32(abs(exact))))  # the distance to the next float32 number
for name, found in ways.items():
    off = (float(found) - exact) / last_digit
    print(f"{name:15} {found:.9g}   {off:+.2f} units of the last binary digit off the exact {exact:.12g}")

# %%
# None of these is wrong. Two programs that add in different orders agree up to a bound: n additions and one
# multiplication each round by at most 2**-24 of what is there, so the sum is off by at most about n * 2**-24
# * (sum of the products' sizes). ``npcam verify`` asks of every number of every layer whether a difference
# can be such rounding; chapter 8 uses it.

bound = (products.size + 2) * 2.0**-24 * (np.abs(exact_products).sum() + abs(float(bias[k])))
print(f"rounding can come to {bound:.2e}, which is {bound / last_digit:.0f} units of the last digit")
assert all(abs(float(found) - exact) <= bound for found in ways.values())

# %%
# Keras
# -----
# Keras computes the same layer, in an order of its own.

backend = next((name for name in ("jax", "tensorflow", "torch") if importlib.util.find_spec(name)), None)
if importlib.util.find_spec("keras") and backend:
    os.environ.setdefault("KERAS_BACKEND", backend)
    import keras

    layer = keras.layers.Conv2D(kernel.shape[3], 7, strides=2)
    layer.build(padded.shape)
    layer.set_weights([kernel, bias])
    of_keras = float(np.asarray(keras.ops.convert_to_numpy(layer(padded)))[0, i, j, k])
    print(f"Keras {of_keras:.9g}, npcam {y[0, i, j, k]:.9g}, exact {exact:.12g}")
    print(f"Keras is {(of_keras - exact) / last_digit:+.2f} units of the last binary digit off")
    assert abs(of_keras - exact) <= bound
else:
    print("Keras is not installed here; `pip install keras jax` and run this again to compare with it.")

# %%
# Exercises
# ---------
# 1. What does the layer put out in the middle of a picture of one colour? Say it without running a
#    convolution.
# 2. How many of the products are certainly 0 for the output in the upper left corner (row 0, column 0), and
#    why?
# 3. How many multiplications does the whole layer take for one photograph?
#
# Answers
# -------
# **1.** Under the window all pixels are the same, so the sum is the colour's three numbers, each times the
# sum of its weights, plus the bias.

one_colour = np.broadcast_to(np.float32([10, -20, 30]), x.shape)
middle = npcam.ops.conv2d(npcam.ops.zero_pad2d(one_colour, 3), kernel, bias, strides=2)[0, 50, 50]
by_hand = kernel.sum(axis=(0, 1)).T @ np.float32([10, -20, 30]) + bias  # (K, 3) @ (3,) -> (K,)
np.testing.assert_allclose(middle, by_hand, atol=147 * 2**-24 * 30 * np.abs(kernel).sum(axis=(0, 1, 2)).max())

# %%
# **2.** The window begins in the padding: three of its rows and three of its columns are zeros. Only 4x4
# pixels are the photograph's.

corner = padded[0, 0:7, 0:7, :]
inside = np.zeros((7, 7, 3), bool)
inside[3:, 3:] = True
assert not corner[~inside].any()
print((~inside).sum(), "of", corner.size, "products are 0 in the corner")

# %%
# **3.** As many outputs as there are, times 7 * 7 * 3.

multiplications = y.size * 7 * 7 * 3
assert multiplications == npcam.ops.im2col(padded, 7, 2).size * kernel.shape[3]
print(f"{multiplications:,} multiplications")
