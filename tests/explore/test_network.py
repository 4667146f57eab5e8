"""Each layer in JavaScript against `npcam.ops` in float64: the same float32, or its neighbour."""

import numpy as np
import pytest
from helpers.in_node import LOAD, in_node
from helpers.left_out import left_out

from npcam import ops
from npcam.images.photos import open_photo
from npcam.images.preprocess import to_input

RNG = np.random.default_rng(0)


def floats(*shape):
    """Random numbers that float32 holds."""
    return RNG.normal(size=shape).astype(np.float32)


def as_tensor(x):
    """An array as JavaScript is given it."""
    return {"shape": list(x.shape), "data": x.ravel().tolist()}


BACK = """
const tensors = (value) => {
  if (!value || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(tensors);
  if (value.data) return { shape: value.shape, data: Float32Array.from(value.data) };
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, tensors(one)]));
};
const shown = (y) => ({ shape: y.shape, data: Array.from(y.data) });
"""


def in_javascript(page, call, **given):
    """The tensor that a call makes of what it is given."""
    found = in_node(page, f"{BACK} given = tensors(given); return shown({call});", given)
    return np.array(found["data"], np.float32).reshape(found["shape"])


def assert_same(found, exact):
    """Found to within half a step of float32, and once more for a sum that lies between two of them."""
    assert found.shape == exact.shape
    np.testing.assert_array_max_ulp(found, exact.astype(np.float32), maxulp=1)


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "channels", "filters"),
    [
        ((9, 7), 1, 1, "valid", 3, 4),
        ((9, 7), 1, 2, "valid", 6, 5),
        ((9, 7), 3, 1, "same", 4, 8),
        ((9, 7), 3, 2, "same", 4, 3),
        ((10, 8), 3, 2, "same", 2, 1),
        ((15, 13), 7, 2, "valid", 3, 10),
        ((3, 3), 3, 1, "valid", 2, 2),
        ((1, 1), 3, 1, "same", 5, 4),
    ],
)
def test_convolution(other, size, window, stride, padding, channels, filters):
    """Every window, stride and padding of a ResNet; counts that four and three do not divide."""
    x, kernel, bias = floats(*size, channels), floats(window, window, channels, filters), floats(filters)
    found = in_javascript(
        other[1],
        "conv2D(given.x, given.w, given.layer)",
        x=as_tensor(x),
        w={"kernel": as_tensor(kernel), "bias": as_tensor(bias)},
        layer={"window": window, "stride": stride, "padding": padding if padding == "same" else 0},
    )
    wide = [array.astype(np.float64) for array in (x[None], kernel, bias)]
    exact = ops.conv2d(*wide, strides=stride, padding=padding)[0]
    assert found.shape == exact.shape
    # A sum of float64 errs by 1e-16 of its largest terms: where it cancels, by more than a step of its own.
    close = np.finfo(np.float32).eps * np.abs(exact) + 1e-13
    assert (np.abs(found - exact) <= close).all()


def test_batch_norm(other):
    """Channel by channel, with the layer's own epsilon."""
    x = floats(5, 4, 6)
    w = {"gamma": floats(6), "beta": floats(6), "moving_mean": floats(6), "moving_variance": floats(6) ** 2}
    found = in_javascript(
        other[1],
        "batchNormalization(given.x, given.w, { epsilon: 1e-3 })",
        x=as_tensor(x),
        w={name: as_tensor(array) for name, array in w.items()},
    )
    wide = {name: array.astype(np.float64) for name, array in w.items()}
    exact = ops.batch_norm(x.astype(np.float64), **wide, epsilon=1e-3)
    assert (np.abs(found - exact) <= np.finfo(np.float32).eps * np.abs(exact) + 1e-14).all()


@pytest.mark.parametrize(
    ("call", "exact", "shape"),
    [
        (
            "zeroPadding2D(given.x, [[1, 2], [3, 0]])",
            lambda x: ops.zero_pad2d(x, ((1, 2), (3, 0))),
            (4, 3, 2),
        ),
        ("relu(given.x)", ops.relu, (4, 3, 2)),
        ("maxPooling2D(given.x, { window: 3, stride: 2 })", lambda x: ops.max_pool2d(x, 3, 2), (8, 9, 3)),
        ("maxPooling2D(given.x, { window: 2, stride: 1 })", lambda x: ops.max_pool2d(x, 2, 1), (5, 5, 4)),
        ("globalAveragePooling2D(given.x)", ops.global_average_pool2d, (5, 7, 3)),
    ],
)
def test_layers_without_weights(other, call, exact, shape):
    """Padding, relu and the pools; negative numbers alone, too."""
    for x in (floats(*shape), -np.abs(floats(*shape))):
        assert_same(in_javascript(other[1], call, x=as_tensor(x)), exact(x[None].astype(np.float64))[0])


def test_add(other):
    """Place by place."""
    x, z = floats(3, 4, 5), floats(3, 4, 5)
    assert_same(in_javascript(other[1], "add(given.x, given.z)", x=as_tensor(x), z=as_tensor(z)), x + z)


def test_dense_and_its_activations(other):
    """The matrix, softmax and sigmoid, where exp overflows, too."""
    x, kernel, bias = floats(6), floats(6, 4), floats(4)
    weights = {"kernel": as_tensor(kernel), "bias": as_tensor(bias)}
    found = in_javascript(other[1], "dense(given.x, given.w)", x=as_tensor(x), w=weights)
    exact = x.astype(np.float64) @ kernel + bias
    assert (np.abs(found - exact) <= np.finfo(np.float32).eps * np.abs(exact) + 1e-14).all()
    for name, function in (("softmax", ops.softmax), ("sigmoid", ops.sigmoid)):
        for logits in (floats(5), np.array([1000, -1000, 999], np.float32)):
            assert_same(
                in_javascript(other[1], f"{name}(given.x)", x=as_tensor(logits)),
                function(logits.astype(np.float64)),
            )


PIXELS = "const pixels = Uint8Array.from(Buffer.from(JSON.parse(pageData('photo-data')).pixels, 'base64'));"
RUN = f"""{LOAD}{PIXELS}
ANSWERS.run({{ pixels }});
const answer = ANSWERS.switch({{ names: given }});
return {{ probabilities: [...answer.shown.probabilities], logits: [...answer.shown.logits],
  plain: [...answer.plain.probabilities],
  outputs: Object.fromEntries(Object.entries(shown.outputs).map(([k, y]) => [k, [...y.data]])),
  same: Object.keys(shown.outputs).filter((k) => shown.outputs[k] === plain.outputs[k]) }};
"""


@pytest.mark.parametrize(
    "off",
    [
        [],
        ["conv2_block2"],
        ["conv3_block1"],
        ["conv2_block1_2_bn"],
        ["conv2_block1_out:3"],
        ["conv1_bn", "conv2_block2", "conv2_block1_1_relu:0", "conv3_block1_out:7"],
    ],
)
def test_the_whole_network_and_its_switches(other, off):
    """Every layer against npcam in float64, with blocks, batch norms and channels left out through `keep`."""
    model, page, pixels = other
    found = in_node(page, RUN, off)
    x = model.preprocess(to_input(open_photo(pixels), model.photo_size)[None])
    exact = left_out(model, x, off)
    assert list(found["outputs"]) == list(exact)
    for name, values in found["outputs"].items():
        wanted = exact[name].ravel()
        # Each layer rounds once, to 6e-8 of its numbers; a dozen layers, each of which may double it.
        tolerance = 2e-5 * np.abs(wanted).max() + 1e-12
        assert np.abs(np.array(values) - wanted).max() <= tolerance, name
    np.testing.assert_allclose(found["plain"], left_out(model, x, [])["predictions"][0], rtol=0, atol=1e-6)
    changed = [name for name in found["outputs"] if name not in found["same"]]
    assert bool(changed) == bool(off)
    if off:  # what comes before the first switch is not computed again
        names = list(found["outputs"])
        switched = {one.split(":")[0] for one in off}
        assert changed[0] == next(name for name in names if switched & {name, name.removesuffix("_add")})
        assert max(abs(a - b) for a, b in zip(found["probabilities"], found["plain"], strict=True)) > 1e-6
