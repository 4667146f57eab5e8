"""One number of each kind of layer, taken apart in JavaScript, against NumPy."""

from itertools import accumulate

import numpy as np
import pytest
from helpers.in_node import LOAD, in_node

from npcam.images.photos import open_photo
from npcam.images.preprocess import to_input
from npcam.layers import layers

ASK = f"""{LOAD}
const pixels = Uint8Array.from(Buffer.from(JSON.parse(pageData("photo-data")).pixels, "base64"));
ANSWERS.run({{ pixels }});
const plain = (value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
return given.map(([layer, at, channel]) => Object.fromEntries(
  Object.entries(ANSWERS.number({{ layer, at, channel }})).map(([name, value]) => [name, plain(value)])));
"""


@pytest.fixture(scope="module")
def told(other):
    """For some places of every layer: [layer, activations of npcam's, what the page tells]."""
    model, page, pixels = other
    x = model.preprocess(to_input(open_photo(pixels), model.photo_size)[None])
    activations = model.activations(x)
    questions = []
    for name, y in activations.items():
        shape = y.shape[1:]
        corners = [[]] if len(shape) == 1 else [[0, 0], [shape[0] - 1, shape[1] - 1], [shape[0] // 2, 1]]
        questions += [[name, at, channel] for at in corners for channel in (0, shape[-1] - 1)]
    numbers = in_node(page, ASK, questions)
    return model, activations, list(zip(questions, numbers, strict=True))


def of_kind(told, kind):
    """What is told of the layers of one kind, with their table entry and their inputs' activations."""
    model, activations, all_told = told
    table = {layer.name: layer for layer in layers(model.weights.architecture)}
    for (name, at, channel), number in all_told:
        if table[name].kind == kind:
            inputs = [activations[other][0] for other in table[name].inputs]
            yield table[name], at, channel, number, inputs, model.weights.tensors.get(name)


def test_each_number_is_the_layers_own(told):
    """In every layer, at its corners and inside: what the page says a number is, is npcam's activation."""
    _, activations, all_told = told
    for (name, at, channel), number in all_told:
        y = activations[name][0]
        assert abs(number["value"] - y[(*at, channel)]) <= 2e-5 * np.abs(y).max() + 1e-12, name
        assert number["off"] is None


def test_a_convolutions_window_and_products(told):
    """The window as NumPy cuts it out; exact products, whose sum with the bias is the number."""
    seen = 0
    for layer, at, channel, number, (x,), weights in of_kind(told, "Conv2D"):
        assert number["size"] == layer.window
        kernel = weights["kernel"][..., channel]
        wide = np.pad(x, ((9, 9), (9, 9), (0, 0)))  # more zeros than any window looks into
        row, column = (place + 9 for place in number["from"])
        window = wide[row : row + layer.window, column : column + layer.window]
        np.testing.assert_allclose(
            np.array(number["values"]), window.ravel(), rtol=0, atol=2e-5 * np.abs(x).max()
        )
        assert number["kernel"] == kernel.ravel().tolist()
        values, products = (np.array(number[key]) for key in ("values", "products"))
        np.testing.assert_array_equal(products, values * kernel.ravel().astype(np.float64))
        np.testing.assert_allclose(
            np.array(number["shares"]), products.reshape(-1, x.shape[2]).sum(axis=0), rtol=1e-9, atol=1e-12
        )
        *_, total = accumulate(number["products"], initial=0.0)  # one by one: `sum` carries rounding along
        assert number["sum"] == total  # in this order, to the last bit
        assert number["value"] == np.float32(number["sum"] + number["bias"])
        if layer.padding == "same" and at == [0, 0] and layer.stride == 1:
            assert number["from"] == [-1, -1]
        seen += 1
    assert seen > 50


def test_batch_norm_relu_and_sum(told):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, max(x, 0), x + z: the number, rounded once."""
    for layer, at, channel, number, (x,), weights in of_kind(told, "BatchNormalization"):
        assert {name: np.float32(number[name]) for name in weights} == {
            k: v[channel] for k, v in weights.items()
        }
        scale = number["gamma"] / np.sqrt(number["moving_variance"] + number["epsilon"])
        assert number["value"] == np.float32((number["x"] - number["moving_mean"]) * scale + number["beta"])
        assert number["epsilon"] == 1e-3
        assert abs(number["x"] - x[(*at, channel)]) <= 2e-5 * np.abs(x).max(), layer.name
    for *_, number, _, _ in of_kind(told, "Activation"):
        assert number["value"] == max(number["x"], 0)
    for _, at, channel, number, (x, z), _ in of_kind(told, "Add"):
        assert number["value"] == np.float32(number["x"] + number["z"])
        assert abs(number["x"] - x[(*at, channel)]) <= 2e-5 * np.abs(x).max()
        assert abs(number["z"] - z[(*at, channel)]) <= 2e-5 * np.abs(z).max()


def test_padding_pools_and_top(told):
    """A zero from outside or a number moved; the largest under a window; a mean; the logit's products."""
    for layer, at, _, number, (x,), _ in of_kind(told, "ZeroPadding2D"):
        from_ = [place - layer.padding for place in at]
        inside = all(0 <= place < side for place, side in zip(from_, x.shape, strict=False))
        assert (number["inside"], number["from"]) == (inside, from_)
        assert number["value"] == number["x"]
        assert inside or number["x"] == 0
    for layer, at, channel, number, (x,), _ in of_kind(told, "MaxPooling2D"):
        row, column = (place * layer.stride for place in at)
        window = x[row : row + layer.window, column : column + layer.window, channel]
        np.testing.assert_allclose(number["values"], window.ravel(), atol=2e-5 * np.abs(x).max())
        assert number["value"] == max(number["values"])
    for _, _, channel, number, (x,), _ in of_kind(told, "GlobalAveragePooling2D"):
        assert number["count"] == x.shape[0] * x.shape[1]
        assert number["value"] == np.float32(number["sum"] / number["count"])
        assert abs(number["sum"] - x[..., channel].sum()) < 1e-4
    for _, _, channel, number, (x,), weights in of_kind(told, "Dense"):
        assert number["kernel"] == weights["kernel"][:, channel].tolist()
        logit = x.astype(np.float64) @ weights["kernel"][:, channel] + weights["bias"][channel]
        assert abs(number["sum"] + number["bias"] - logit) < 1e-5
