"""What stands in front of a ResNet, as preprocessing: every form of it, and what is refused by name."""

from pathlib import Path

import numpy as np
import pytest
from helpers.handmade_graphs import Handmade, Ref

from npcam import InputError
from npcam.keras_files import read_keras
from npcam.keras_files.front import declared_size, read_front
from npcam.keras_files.graph import Tensor
from npcam.preprocessing import MODES, Preprocessing, Step, preprocess

SIZE = (6, 4)
RGB = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype(float)
GREY = RGB[..., :1]
BGR = RGB[..., ::-1]
# Constants are kept in float64, and pixels are computed in it here; Normalization's root is float32's.
EXACT, IN_FLOAT32 = 1e-12, 1e-6

MEAN = [103.939, 116.779, 123.68]
ALL = slice(None)
ARRAYS = {
    "adapted": {"mean": np.array([100, 110, 120], "f4"), "variance": np.array([3e3, 2e3, 1e3], "f4")},
    "scalar": {"mean": np.array(100, "f4"), "variance": np.array(2500, "f4")},
    "norm": {
        "gamma": np.array([1, 2, 3], "f4"),
        "beta": np.array([0.5, 0.25, 0], "f4"),
        "moving_mean": np.array([100, 110, 120], "f4"),
        "moving_variance": np.array([3e3, 2e3, 1e3], "f4"),
    },
    "plain": {"moving_mean": np.array([0, 0, 1], "f4"), "moving_variance": np.array([1, 1, 4], "f4")},
    "coloured": {
        "kernel": np.array([[[[0.5, 2, 3]]]], "f4"),
        "bias": np.array([1, 2, 3], "f4"),
    },
}


def front_of(build, shape=(*SIZE, 3), mode=None, size=None, dtype="float32"):
    """The front of a model that `build` adds to an input of that shape."""
    model = Handmade(shape, dtype)
    end = build(model, model.input)
    entry = Tensor((end.name,), end.output)
    return read_front(model.walk(end), entry, lambda node: ARRAYS[node.path[-1]], mode, size)


def refused(reason, build, **options):
    """The front is refused in one line that begins so."""
    with pytest.raises(InputError) as error:
        front_of(build, **options)
    assert str(error.value).startswith(f"x.h5: {reason}")


def parts(model, x):
    """Three channels of a tensor, taken apart as Keras 3 does."""
    return outputs(model.op("Split", x, indices_or_sections=3, axis=-1), 0, 1, 2)


def outputs(layer, *numbers):
    """Some of a layer's outputs."""
    return [Ref(layer.name, number) for number in numbers]


def planes(model, x):
    """The channels without an axis for them, the last one first."""
    return [model.op("GetItem", x, [..., i]) for i in (2, 1, 0)]


def keras_caffe(m, x):
    """What Keras 3's `resnet50.preprocess_input` leaves in a model."""
    y = m.op("Stack", planes(m, x), axis=-1)
    return m.op("Add", y, ("tensor", [[[[-n for n in MEAN]]]]))


def keras2_caffe(m, x):
    """What Keras 2's leaves there."""
    return m.tf(
        "nn.bias_add", m.slice(x, ..., slice(None, None, -1)), bias=[-n for n in MEAN], data_format="NHWC"
    )


def vgg(m, x):
    """The channels taken apart, shifted, and put together the other way round."""
    shifted = [m.op("Subtract", part, n) for part, n in zip(parts(m, x)[::-1], MEAN, strict=True)]
    return m.layer("Concatenate", *shifted, axis=-1)


def keras2_vgg(m, x):
    split = m.tf("split", x, num_or_size_splits=3, axis=3)
    shifted = [
        m.tf("math.subtract", Ref(split.name, i), y=n, name=None)
        for i, n in zip((2, 1, 0), MEAN, strict=True)
    ]
    return m.tf("concat", shifted, axis=3)


def unlike(m, x):
    """Each channel its own arithmetic."""
    r, g, b = parts(m, x)
    r = m.op("Multiply", m.op("Subtract", r, 3.0), 2.0)
    return m.op("Concatenate", [m.op("Add", r, 1.0), g, m.op("TrueDivide", b, 4.0)], axis=-1)


def pipeline(m, x):
    """A layer after another, both of Keras's."""
    return m.layer(
        "Normalization",
        m.layer("Rescaling", x, scale=1 / 255, offset=0.0),
        mean=[0.4, 0.5, 0.6],
        variance=[0.04, 0.05, 0.06],
        axis=[-1],
    )


COMPUTED = {
    "Rescaling": (lambda m, x: m.layer("Rescaling", x, scale=1 / 127.5, offset=-1), RGB / 127.5 - 1),
    "Rescaling by channel": (
        lambda m, x: m.layer("Rescaling", x, scale=[0.1, 0.2, 0.3], offset=[1.0, 2.0, 3.0]),
        RGB * [0.1, 0.2, 0.3] + [1, 2, 3],
    ),
    "Normalization": (
        lambda m, x: m.layer("Normalization", x, mean=MEAN, variance=[9.0, 16.0, 25.0], axis=[-1]),
        (RGB - MEAN) / [3, 4, 5],
    ),
    "Normalization of all": (
        lambda m, x: m.layer("Normalization", x, mean=100.0, variance=25.0, axis=[]),
        (RGB - 100) / 5,
    ),
    "Normalization inverted": (
        lambda m, x: m.layer("Normalization", x, mean=[1, 2, 3], variance=[4, 9, 16], axis=3, invert=True),
        RGB * [2, 3, 4] + [1, 2, 3],
    ),
    "Normalization adapted": (
        lambda m, x: m.layer("Normalization", x, name="adapted", mean=None, variance=None, axis=[-1]),
        (RGB - [100, 110, 120]) / np.sqrt([3e3, 2e3, 1e3]),
    ),
    "Normalization adapted to all": (
        lambda m, x: m.layer("Normalization", x, name="scalar", mean=None, variance=None, axis=[]),
        (RGB - 100) / 50,
    ),
    "BatchNormalization": (
        lambda m, x: m.layer("BatchNormalization", x, name="norm", axis=-1, epsilon=1e-3),
        (RGB - [100, 110, 120]) / np.sqrt(np.array([3e3, 2e3, 1e3]) + 1e-3) * [1, 2, 3] + [0.5, 0.25, 0],
    ),
    "BatchNormalization, plain": (
        lambda m, x: m.layer(
            "BatchNormalization", x, name="plain", axis=[3], epsilon=0.0, scale=False, center=False
        ),
        (RGB - [0, 0, 1]) / [1, 1, 2],
    ),
    "Rescaling and Normalization": (pipeline, (RGB / 255 - [0.4, 0.5, 0.6]) / np.sqrt([0.04, 0.05, 0.06])),
    "tf": (lambda m, x: m.op("Subtract", m.op("TrueDivide", x, 127.5), 1.0), RGB / 127.5 - 1),
    "caffe": (keras_caffe, BGR - MEAN),
    "caffe, Keras 2": (keras2_caffe, BGR - MEAN),
    "constant first": (lambda m, x: m.op("Subtract", 255.0, x), 255 - RGB),
    "constant first, Keras 2": (lambda m, x: m.tf("math.subtract", 255.0, y=x, name=None), 255 - RGB),
    "constant first, others": (lambda m, x: m.op("Multiply", 2, m.op("Add", 3.5, x)), 2 * (3.5 + RGB)),
    "array first, Keras 2": (lambda m, x: m.tf("math.subtract", MEAN, y=x, name=None), MEAN - RGB),
    "negative": (lambda m, x: m.op("Divide", m.op("Negative", x), 2.0), -RGB / 2),
    "negative, Keras 2": (
        lambda m, x: m.tf("math.truediv", m.tf("math.negative", x, name=None), y=2.0), -RGB / 2
    ),
    "arrays": (
        lambda m, x: m.op("TrueDivide", m.op("Subtract", x, ("numpy", MEAN)), ("numpy", [[[2.0, 3.0, 4.0]]])),
        (RGB - MEAN) / [2, 3, 4],
    ),
    "arrays, Keras 2": (
        lambda m, x: m.tf("math.multiply", m.tf("__operators__.add", x, y=MEAN), y=[[2.0, 3.0, 4.0]]),
        (RGB + MEAN) * [2, 3, 4],
    ),
    "vgg": (vgg, BGR - MEAN),
    "vgg, Keras 2": (keras2_vgg, BGR - MEAN),
    "each its own": (unlike, np.stack([(RGB[..., 0] - 3) * 2 + 1, RGB[..., 1], RGB[..., 2] / 4], -1)),
    "cast": (lambda m, x: m.op("TrueDivide", m.op("Cast", x, dtype="float32"), 255), RGB / 255),
    "cast, Keras 2": (
        lambda m, x: m.tf("math.truediv", m.tf("cast", x, dtype="float32"), y=255.0), RGB / 255
    ),
    "what does nothing": (
        lambda m, x: m.layer("Dropout", m.op("Multiply", m.layer("RandomFlip", x), 2.0)),
        RGB * 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", COMPUTED)
def test_arithmetic(case):
    """Whatever computes with pixels one by one does in npcam what NumPy makes of the same formula."""
    build, expected = COMPUTED[case]
    front = front_of(build)
    found = preprocess(RGB, front.preprocessing)
    tolerance = IN_FLOAT32 if "Normalization" in case else EXACT
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * 100)
    assert front.preprocessing.name == "model"
    assert front.size == SIZE
    does = "computes, and nothing says with what" if front.assumed else "preprocesses by itself"
    assert front.notes[-1] == f"the model {does}, so it is given RGB 0 to 255"


MOVED = {
    "slice": (lambda m, x: m.op("GetItem", x, [..., slice(None, None, -1)]), [2, 1, 0]),
    "slice of four": (lambda m, x: m.op("GetItem", x, [ALL, ALL, ALL, slice(None, None, -1)]), [2, 1, 0]),
    "slice, Keras 2": (lambda m, x: m.slice(x, ..., slice(None, None, -1)), [2, 1, 0]),
    "slice of four, Keras 2": (lambda m, x: m.slice(x, ALL, ALL, ALL, slice(None, None, -1)), [2, 1, 0]),
    "flip": (lambda m, x: m.op("Flip", x, axis=-1), [2, 1, 0]),
    "flip of a list": (lambda m, x: m.op("Flip", x, axis=[3]), [2, 1, 0]),
    "reverse, Keras 2": (lambda m, x: m.tf("reverse", x, axis=[-1], name=None), [2, 1, 0]),
    "take": (lambda m, x: m.op("Take", x, [1, 0, 2], axis=-1), [1, 0, 2]),
    "gather, Keras 2": (lambda m, x: m.tf("compat.v1.gather", x, indices=[2, 0, 1], axis=-1), [2, 0, 1]),
    "stack": (
        lambda m, x: m.op("Stack", [m.op("Take", x, i, axis=3) for i in (0, 0, 2)], axis=3),
        [0, 0, 2],
    ),
    "unstack": (
        lambda m, x: m.op("Stack", outputs(m.op("Unstack", x, axis=-1), 2, 1, 0), axis=-1),
        [2, 1, 0],
    ),
    "unstack, Keras 2": (
        lambda m, x: m.tf("stack", outputs(m.tf("unstack", x, axis=-1), 1, 2, 0), axis=-1),
        [1, 2, 0],
    ),
    "split at places": (
        lambda m, x: m.op(
            "Concatenate", outputs(m.op("Split", x, indices_or_sections=[1], axis=-1), 1, 0), axis=-1
        ),
        [1, 2, 0],
    ),
    "split by unlike sizes": (
        lambda m, x: m.tf(
            "concat", outputs(m.tf("split", x, num_or_size_splits=[2, 1], axis=-1), 1, 0), axis=-1
        ),
        [2, 0, 1],
    ),
    "split by sizes": (
        lambda m, x: m.tf(
            "concat", outputs(m.tf("split", x, num_or_size_splits=[1, 1, 1], axis=-1), 1, 2, 0), axis=-1
        ),
        [1, 2, 0],
    ),
    "axes back": (
        lambda m, x: m.op("Concatenate", [m.op("ExpandDims", p, axis=-1) for p in planes(m, x)], axis=3),
        [2, 1, 0],
    ),
    "axes away": (
        lambda m, x: m.op("Stack", [m.op("Squeeze", part, axis=-1) for part in parts(m, x)[::-1]], axis=-1),
        [2, 1, 0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MOVED)
def test_channels(case):
    """Channels taken in another order; what was done outside of the model is then a guess."""
    build, order = MOVED[case]
    front = front_of(build)
    assert front.preprocessing == Preprocessing("model", (Step("channels", tuple(order)),))
    np.testing.assert_array_equal(preprocess(RGB, front.preprocessing), RGB[..., order])
    assert front.assumed


REPEATED = {
    "Concatenate": lambda m, x: m.layer("Concatenate", x, x, x, axis=-1),
    "repeat": lambda m, x: m.op("Repeat", x, repeats=3, axis=-1),
    "repeat, Keras 2": lambda m, x: m.tf("repeat", x, repeats=3, axis=-1),
    "tile": lambda m, x: m.op("Tile", x, repeats=[1, 1, 1, 3]),
    "tile by a number": lambda m, x: m.op("Tile", x, repeats=3),
    "tile of the last axes": lambda m, x: m.op("Tile", x, repeats=[1, 3]),
    "tile, Keras 2": lambda m, x: m.tf("tile", x, multiples=[1, 1, 1, 3], name=None),
    "grayscale_to_rgb, Keras 2": lambda m, x: m.tf("image.grayscale_to_rgb", x),
}


@pytest.mark.parametrize("case", REPEATED)
def test_grey(case):
    """One grey channel repeated: the photograph is made grey, its scale is a guess."""
    front = front_of(REPEATED[case], (*SIZE, 1))
    assert front.preprocessing == Preprocessing("model", (Step("channels", (0, 0, 0)),), grey=True)
    assert front.assumed
    np.testing.assert_array_equal(preprocess(GREY, front.preprocessing), GREY.repeat(3, -1))


def test_grey_computed():
    """Grey made colours by arithmetic: an array of three numbers, or a 1x1 convolution."""
    for build, expected in (
        (lambda m, x: m.op("Subtract", x, ("numpy", MEAN)), GREY - MEAN),
        (lambda m, x: m.op("Subtract", m.layer("Concatenate", x, x, x, axis=3), 7.0), GREY.repeat(3, -1) - 7),
        (
            lambda m, x: m.layer("Conv2D", x, name="coloured", kernel_size=[1, 1]),
            GREY * [0.5, 2, 3] + [1, 2, 3],
        ),
    ):
        front = front_of(build, (*SIZE, 1))
        assert front.preprocessing.grey
        assert front.notes[-1].endswith("so it is given grey 0 to 255")
        np.testing.assert_allclose(preprocess(GREY, front.preprocessing), expected, rtol=EXACT)


def test_nothing_in_front():
    """Then caffe is assumed, whatever does nothing outside of training."""
    for build in (lambda _, x: x, lambda m, x: m.layer("GaussianNoise", x)):
        front = front_of(build)
        assert (front.preprocessing, front.assumed) == (MODES["caffe"], True)


@pytest.mark.parametrize("mode", MODES)
def test_what_was_done_outside(mode):
    """It is done first, then the model's own; nothing is assumed."""
    assert front_of(lambda _, x: x, mode=mode).preprocessing is MODES[mode]
    front = front_of(
        lambda m, x: m.op("Multiply", m.op("Flip", x, axis=-1), ("numpy", [2.0, 3.0, 4.0])), mode=mode
    )
    assert not front.assumed
    expected = preprocess(RGB, MODES[mode])[..., ::-1] * [2, 3, 4]
    np.testing.assert_allclose(preprocess(RGB, front.preprocessing), expected, rtol=EXACT)
    assert front.preprocessing.name == ("model" if mode == "none" else f"{mode} + model")


def test_what_was_done_outside_to_grey():
    """Modes that are the same for all channels; the others are refused."""
    for mode in ("tf", "unit", "none"):
        front = front_of(REPEATED["tile"], (*SIZE, 1), mode)
        expected = {"tf": GREY / 127.5 - 1, "unit": GREY / 255, "none": GREY}[mode].repeat(3, -1)
        np.testing.assert_allclose(preprocess(GREY, front.preprocessing), expected, rtol=EXACT)
        assert not front.assumed
    for mode in ("caffe", "torch"):
        reason = f"takes grey photographs; preprocessing {mode} is of colours"
        refused(reason, REPEATED["tile"], shape=(*SIZE, 1), mode=mode)


def test_numbers_too_large():
    """Arithmetic that is meant for pixels divided by 255 outside of the model: noted as a guess."""

    def torch(m, x):
        return m.layer("Normalization", x, mean=[0.485, 0.456, 0.406], variance=[0.05, 0.05, 0.05], axis=[-1])

    assert front_of(torch).assumed
    assert not front_of(torch, mode="unit").assumed
    for scale, shift, assumed in (
        (-4.0, 510.0, False),
        (4.1, -4.1 * 127.5, True),
        (1.0, -63.5, False),
        (1.0, -63.4, True),
        (1.0, -191.6, True),
    ):

        def build(m, x, scale=scale, shift=shift):
            x = m.op("Add", m.op("Multiply", x, scale), shift)
            return m.layer("UpSampling2D", x, size=[2, 2])

        assert front_of(build).assumed == assumed


def test_computing_with_nobody_knows_what():
    """A batch norm that was trained on other numbers than 0 to 255 is noted as given a guess."""
    trained = front_of(lambda m, x: m.layer("BatchNormalization", x, name="norm", epsilon=1e-3))
    assert trained.notes[-1] == "the model preprocesses by itself, so it is given RGB 0 to 255"
    other = front_of(lambda m, x: m.layer("BatchNormalization", x, name="plain", scale=False, center=False))
    assert other.assumed
    assert other.notes[-1] == "the model computes, and nothing says with what, so it is given RGB 0 to 255"


def test_pixels_repeated():
    """UpSampling2D: the photograph is that much smaller than what the ResNet is given."""
    for build, factors in (
        (lambda m, x: m.layer("UpSampling2D", x, size=[2, 3], interpolation="nearest"), (2, 3)),
        (lambda m, x: m.layer("UpSampling2D", x), (2, 2)),
        (lambda m, x: m.layer("UpSampling2D", m.layer("UpSampling2D", x, size=2), size=[1, 3]), (2, 6)),
    ):
        front = front_of(build)
        rows, columns = factors
        assert front.size == (SIZE[0] * rows, SIZE[1] * columns)
        assert front.preprocessing.enlarge == factors
        assert (front.preprocessing.name, front.assumed) == ("caffe + model", True)
        expected = (BGR - MEAN).repeat(rows, 1).repeat(columns, 2)
        np.testing.assert_allclose(preprocess(RGB, front.preprocessing), expected, rtol=EXACT)
    front = front_of(lambda m, x: m.op("TrueDivide", m.layer("UpSampling2D", x, size=2), 5.0))
    expected = (RGB / 5).repeat(2, 1).repeat(2, 2)
    np.testing.assert_allclose(preprocess(RGB, front.preprocessing), expected, rtol=EXACT)
    assert not front.assumed


@pytest.mark.parametrize("kind", ["CenterCrop", "RandomCrop", "Resizing"])
def test_sizes_that_stay(kind):
    """To the size that comes in anyway; of any size, only where a person says that it is that one."""

    def build(m, x):
        return m.layer(kind, x, height=6, width=4)

    assert front_of(build).preprocessing is MODES["caffe"]
    verb = "resizes" if kind == "Resizing" else "crops"
    name = f"{kind.lower()}_1 ({kind}) in front of the ResNet {verb}"
    refused(f"{name} 8x4 to 6x4, which npcam does not do to a photograph", build, shape=(8, 4, 3))
    refused(f"{name} anyx4 to 6x4, which", build, shape=(None, 4, 3), size=(6, 4))
    advice = "; convert with --input-size 6x4 to feed it that size, which it leaves as it is"
    refused(
        f"{name} anyxany to 6x4, which npcam does not do to a photograph{advice}",
        build,
        shape=(None, None, 3),
    )
    assert front_of(build, (None, None, 3), size=(6, 4)).size == (6, 4)


def test_open_sizes():
    """A side that the input leaves open stays open, doubled or not."""
    assert front_of(lambda _, x: x, (None, 5, 3)).size == (None, 5)
    assert front_of(lambda m, x: m.layer("UpSampling2D", x), (None, 5, 3)).size == (None, 10)


def test_integers():
    """Pixels that come in as integers are floats once they were scaled; integer arithmetic wraps around."""
    for build in (
        lambda m, x: m.layer("Rescaling", x, scale=2.0, offset=0.0),
        lambda m, x: m.op("Multiply", m.op("Cast", x, dtype="float32"), 2),
        lambda m, x: m.op("TrueDivide", x, 0.5),
    ):
        np.testing.assert_array_equal(preprocess(RGB, front_of(build, dtype="uint8").preprocessing), RGB * 2)
    refused("multiply_1 (Multiply) computes in integers", lambda m, x: m.op("Multiply", x, 2), dtype="uint8")


UNKNOWN = "is none of what npcam follows there: arithmetic with constants"
OTHER = {
    "Cropping2D": (lambda m, x: m.layer("Cropping2D", x), "cuts pixels off"),
    "ZeroPadding2D": (lambda m, x: m.layer("ZeroPadding2D", x), "puts zeros around"),
    "AveragePooling2D": (lambda m, x: m.layer("AveragePooling2D", x), "makes one pixel of several"),
    "MaxPooling2D": (lambda m, x: m.layer("MaxPooling2D", x), "makes one pixel of several"),
    "UpSampling2D": (
        lambda m, x: m.layer("UpSampling2D", x, interpolation="bilinear"),
        "enlarges by interpolation (bilinear)",
    ),
    "Conv2D": (lambda m, x: m.layer("Conv2D", x, kernel_size=[1, 1]), UNKNOWN),
    "Dense": (lambda m, x: m.layer("Dense", x), UNKNOWN),
    "LayerNormalization": (lambda m, x: m.layer("LayerNormalization", x), UNKNOWN),
    "Activation": (lambda m, x: m.layer("Activation", x, activation="tanh"), UNKNOWN),
    "Resize": (lambda m, x: m.op("Resize", x, size=[6, 4]), UNKNOWN),
    "Multiply": (lambda m, x: m.op("Multiply", x, x), UNKNOWN),
    "TrueDivide": (lambda m, x: m.op("TrueDivide", 1.0, x), UNKNOWN),
    "Mean": (lambda m, x: m.op("Subtract", x, m.op("Mean", x, axis=[1, 2], keepdims=True)), UNKNOWN),
    "Flip": (lambda m, x: m.op("Flip", x, axis=2), UNKNOWN),
    "Take": (lambda m, x: m.op("Take", x, [1, 0], axis=1), UNKNOWN),
    "Repeat": (lambda m, x: m.op("Repeat", x, repeats=2, axis=1), UNKNOWN),
    "Tile": (lambda m, x: m.op("Tile", x, repeats=[1, 2, 2, 1]), UNKNOWN),
    "GetItem": (lambda m, x: m.op("GetItem", x, [ALL, slice(1, -1)]), "takes a part of the photograph"),
    "Concatenate": (lambda m, x: m.layer("Concatenate", x, x, axis=1), "joins other things than channels"),
    "Split": (
        lambda m, x: m.op("Split", x, indices_or_sections=2, axis=1),
        "parts other things than channels",
    ),
    "Unstack": (lambda m, x: m.op("Unstack", x, axis=1), "parts other things than channels"),
}
UNEVEN = (
    lambda m, x: m.op("Split", x, indices_or_sections=2, axis=-1),
    lambda m, x: m.op("Split", x, indices_or_sections=[2, 1], axis=-1),
    lambda m, x: m.op("Split", x, indices_or_sections=[1, 3], axis=-1),
    lambda m, x: m.op("Split", x, indices_or_sections=0, axis=-1),
    lambda m, x: m.tf("split", x, num_or_size_splits=[1, 1], axis=-1),
)


@pytest.mark.parametrize("build", UNEVEN)
def test_channels_parted_otherwise(build):
    """Parts that are uneven, out of order, empty, or do not make up the whole."""
    with pytest.raises(InputError, match="in front of the ResNet parts 3 channels in another way"):
        front_of(build)


@pytest.mark.parametrize("kind", OTHER)
def test_what_moves_or_mixes_pixels(kind):
    """It is refused, by the layer's name."""
    build, reason = OTHER[kind]
    refused(f"{kind.lower()}_1 ({kind}) in front of the ResNet {reason}", build)


def test_functions_of_tensorflow_that_nobody_knows():
    """By the layer's name, which Keras 2 makes of the function's."""
    refused(
        "tf_1 (TFOpLambda) in front of the ResNet is none of what",
        lambda m, x: m.tf("image.per_image_standardization", x),
    )
    refused(
        "tf_1 (TFOpLambda) in front of the ResNet is none of what",
        lambda m, x: m.tf("math.multiply", x, y=x, name=None),
    )


def test_numbers_that_are_none():
    """Arrays for each pixel, zeros as divisors, NaN, negative variances."""
    pixelwise = [[[1.0] * 3] * SIZE[1]] * SIZE[0]
    for build, reason in (
        (
            lambda m, x: m.op("Subtract", x, ("numpy", pixelwise)),
            "has numbers of shape (6, 4, 3), not one for each of 3",
        ),
        (
            lambda m, x: m.op("Subtract", x, ("numpy", [1.0, 2.0])),
            "has numbers of shape (2,), not one for each of 3",
        ),
        (lambda m, x: m.op("TrueDivide", x, 0.0), "has 0 as a divisor, NaN or infinity in its numbers"),
        (lambda m, x: m.op("Add", x, float("nan")), "has 0 as a divisor, NaN or infinity in its numbers"),
        (lambda m, x: m.op("Add", x, None), "has 0 as a divisor, NaN or infinity in its numbers"),
        (
            lambda m, x: m.layer("Normalization", x, mean=0.0, variance=-1.0),
            "has a variance below 0, or none",
        ),
        (
            lambda m, x: m.layer("Normalization", x, mean=[[1.0, 2.0]], variance=[[1.0, 1.0]], axis=[2]),
            "normalises axis [2], each with numbers of its own",
        ),
    ):
        with pytest.raises(InputError, match=r"^x\.h5: [a-z]+_1 \([A-Za-z]+\) ") as error:
            front_of(build)
        assert reason in str(error.value)


def test_numbers_for_columns():
    """A channel without an axis of its own ends with its columns; a number for each is none for it."""

    def build(m, x):
        plane = m.op("Add", m.op("GetItem", x, [..., 0]), [1.0, 2.0, 3.0, 4.0])
        return m.op("Stack", [plane] * 3, axis=-1)

    refused("add_2 (Add) computes with a number for each column, not for each channel", build)


def test_channels_that_do_not_fit():
    """The ResNet takes three channels, a photograph has three or one."""
    refused("the ResNet is given 6 channels; 3 expected", lambda m, x: m.layer("Concatenate", x, x, axis=-1))
    refused("the ResNet is given 1 channels; 3 expected", lambda _, x: x, shape=(*SIZE, 1))
    refused("input_layer (InputLayer) takes 4 channels; a photograph has 3", lambda _, x: x, shape=(*SIZE, 4))
    refused("input_layer (InputLayer) takes [3, 6, 4], its channels first", lambda _, x: x, shape=(3, *SIZE))


def test_limits():
    """Channels and steps without end are refused before they are made."""

    def doubled(m, x):
        for _ in range(60):
            x = m.layer("Concatenate", x, x, axis=-1)
        return x

    def long(m, x):
        for _ in range(40):
            x = m.op("Multiply", m.op("Add", x, 1.0), 0.5)
        return x

    refused("concatenate_5 (Concatenate) puts out more than 64 channels", doubled)
    refused(
        "repeat_1 (Repeat) puts out more than 64 channels",
        lambda m, x: m.op("Repeat", x, repeats=10**9, axis=3),
    )
    refused("add_33 (Add) takes more than 32 steps of arithmetic", long)


def test_several_inputs():
    """Of two inputs, or of none, no photograph is the one."""

    def two(m, x):
        m.entries.append(m.entries[0] | {"name": "other"})
        return m.layer("Concatenate", x, Ref("other"))

    refused("2 inputs; a ResNet takes one photograph", two)


def test_the_size_that_a_nested_model_declares():
    """Of the innermost one around a layer that declares both sides."""
    model = Handmade((None, None, 3))
    inner = Handmade((32, 48, 3))
    inner.layer("Activation", inner.input, name="conv")
    nested = {"module": "keras", "class_name": "Sequential", "registered_name": None, "name": "inner"}
    nested["config"] = {"name": "inner", "layers": inner.entries}
    nested["inbound_nodes"] = model.layer("Activation", model.input) and model.entries[-1]["inbound_nodes"]
    model.entries[-1] = nested
    walk = model.walk(Ref("inner"))
    assert declared_size(walk, ("inner", "conv")) == (32, 48)
    assert declared_size(walk, ("conv",)) == (None, None)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("upsampling_front.keras", ("caffe + model", ("preprocessing",), (32, 32))),
        ("rescaling_front.keras", ("model", (), (64, 64))),
        ("minus_one_to_one_ops_front.keras", ("model", (), (64, 64))),
        ("preprocesses_itself.keras", ("model", (), (64, 64))),
    ],
)
def test_files_that_keras_wrote(name, told):
    """Whose preprocessing is found, what is still assumed, and the size; `test_cases.py` has the numbers."""
    weights = read_keras(Path(__file__).parents[1] / "cases" / name)
    assert (weights.preprocessing.name, weights.assumed, weights.photo_size) == told
