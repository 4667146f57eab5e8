"""What stands between the maps and the logits, folded into one layer: against the layers one by one."""

import numpy as np
import pytest
from helpers.handmade_graphs import Handmade, Ref

from npcam import InputError
from npcam.keras_files import head as heads
from npcam.keras_files.head import find_head, fold

SIZE, MAPS = (3, 2), 4
RNG = np.random.default_rng(0)
X = RNG.normal(0, 1, (2, *SIZE, MAPS)).clip(0)  # (N, H, W, K): two photographs' last maps
MEAN = X.mean((1, 2))
ARRAYS = {
    "dense": {"kernel": RNG.normal(size=(MAPS, 3)), "bias": RNG.normal(size=3)},
    "other": {"kernel": RNG.normal(size=(MAPS, 3)), "bias": RNG.normal(size=3)},
    "square": {"kernel": RNG.normal(size=(MAPS, MAPS))},
    "last": {"kernel": RNG.normal(size=(3, 2)), "bias": RNG.normal(size=2)},
    "wide": {"kernel": RNG.normal(size=(2 * MAPS, 3)), "bias": RNG.normal(size=3)},
    "six": {"kernel": RNG.normal(size=(6, 2)), "bias": RNG.normal(size=2)},
    "one": {"kernel": RNG.normal(size=(MAPS, 1)), "bias": RNG.normal(size=1)},
    "conv": {"kernel": RNG.normal(size=(1, 1, MAPS, 3)), "bias": RNG.normal(size=3)},
    "norm": {
        "gamma": np.array([1.0, -2, 3, 0.5]),
        "beta": np.array([0.5, 0, -1, 2]),
        "moving_mean": np.array([0.25, 0.5, 1, -1]),
        "moving_variance": np.array([0.75, 2, 3.75, 0]),
    },
    "norm3": {
        "moving_mean": np.array([0.25, 0.5, -1]),
        "moving_variance": np.array([0.75, 2, 3.75]),
    },
    "short": {"kernel": RNG.normal(size=(MAPS - 1, 3)), "bias": RNG.normal(size=3)},
    "odd": {"kernel": RNG.normal(size=(MAPS, 3)), "bias": RNG.normal(size=2)},
    "spread": {"kernel": RNG.normal(size=(3, 3, MAPS, 3)), "bias": RNG.normal(size=3)},
}


def times(name, x):
    """A Dense layer, or a 1x1 convolution, computed as Keras describes it."""
    kernel = ARRAYS[name]["kernel"]
    return np.tensordot(x, kernel.reshape(kernel.shape[-2:]), 1) + ARRAYS[name].get("bias", 0)


def normed(name, x, epsilon):
    """A batch norm as Keras describes it."""
    a = ARRAYS[name]
    root = np.sqrt(a["moving_variance"] + epsilon)
    return a.get("gamma", 1) * (x - a["moving_mean"]) / root + a.get("beta", 0)


def gap(m, x, **settings):
    return m.layer("GlobalAveragePooling2D", x, **settings)


def dense(m, x, name="dense", activation="linear", **settings):
    return m.layer("Dense", x, name=name, activation=activation, **settings)


def conv(m, x, name="conv", **settings):
    return m.layer("Conv2D", x, name=name, kernel_size=[1, 1], **settings)


def norm(m, x, name="norm", **settings):
    return m.layer("BatchNormalization", x, name=name, epsilon=0.25, **settings)


def network(build):
    """The graph of a network whose last maps are those of a ReLU after an addition."""
    model = Handmade((*SIZE, MAPS))
    added = model.layer("Add", model.input, model.input, name="sum")
    return model.walk(build(model, model.layer("Activation", added, activation="relu", name="maps")))


def folded(build, size=SIZE, channels=MAPS):
    """The head that `build` adds, and what it is as one Dense layer."""
    walk = network(build)
    head = find_head(walk)
    return head, fold(head, walk, size, channels, lambda node: ARRAYS[node.path[-1]])


def refused(reason, build, **options):
    """The head is refused in one line that begins so."""
    with pytest.raises(InputError) as error:
        folded(build, **options)
    assert str(error.value).startswith(f"x.h5: {reason}"), error.value
    assert "\n" not in str(error.value)


def check(build, expected, maps=X, size=SIZE):
    """One Dense layer on the averages puts out what the layers put out one by one.

    Both are computed in float64; the kernel and the bias were rounded once to float32, each by 2**-24 of
    itself at most.
    """
    _, layer = folded(build, size, maps.shape[-1])
    kernel, bias = layer
    assert (kernel.dtype, bias.dtype) == (np.float32, np.float32)
    averages = maps.mean((1, 2))
    found = averages @ kernel.astype(float) + bias
    allowed = 1.001 * 2.0**-24 * (np.abs(averages) @ np.abs(kernel) + np.abs(bias)) + 1e-12
    assert found.shape == expected.shape
    assert (np.abs(found - expected) <= allowed).all()


ONCE = times("dense", MEAN)
FOLDED = {
    "convolution, average": (lambda m, x: gap(m, conv(m, x)), times("conv", X).mean((1, 2))),
    "convolution of the average": (
        lambda m, x: m.layer("Flatten", conv(m, gap(m, x, keepdims=True))),
        times("conv", MEAN),
    ),
    "convolution of an average, strided": (
        lambda m, x: conv(m, gap(m, x, keepdims=True), strides=[2, 2], padding="same"),
        times("conv", MEAN),
    ),
    "Dense, batch norm, average": (
        lambda m, x: gap(m, norm(m, dense(m, x), "norm3")),
        normed("norm3", times("dense", X), 0.25).mean((1, 2)),
    ),
    "two Dense": (lambda m, x: dense(m, dense(m, gap(m, x)), "last"), times("last", ONCE)),
    "no bias": (lambda m, x: dense(m, dense(m, gap(m, x), "square")), times("dense", times("square", MEAN))),
    "no bias, last": (
        lambda m, x: dense(m, norm(m, gap(m, x)), "square"),
        times("square", normed("norm", MEAN, 0.25)),
    ),
    "batch norm before": (
        lambda m, x: dense(m, gap(m, norm(m, x, axis=3))),
        times("dense", normed("norm", X, 0.25).mean((1, 2))),
    ),
    "batch norm between": (
        lambda m, x: dense(m, norm(m, gap(m, x), axis=1)),
        times("dense", normed("norm", MEAN, 0.25)),
    ),
    "batch norm after": (
        lambda m, x: norm(m, dense(m, gap(m, x)), "norm3", scale=False, center=False),
        normed("norm3", ONCE, 0.25),
    ),
    "Rescaling": (
        lambda m, x: m.layer("Rescaling", dense(m, gap(m, x)), scale=0.5, offset=[1.0, 2.0, 3.0]),
        ONCE * 0.5 + [1, 2, 3],
    ),
    "Normalization": (
        lambda m, x: m.layer(
            "Normalization", dense(m, gap(m, x)), mean=[1.0, 2.0, 3.0], variance=[4.0, 9.0, 16.0], axis=[1]
        ),
        (ONCE - [1, 2, 3]) / [2, 3, 4],
    ),
    "Negative": (lambda m, x: m.op("Negative", dense(m, gap(m, x))), -ONCE),
    "factors of maps": (
        lambda m, x: dense(m, m.op("Multiply", gap(m, x), [1.0, 2.0, -3.0, 0.5])),
        times("dense", MEAN * [1, 2, -3, 0.5]),
    ),
    "one factor": (lambda m, x: dense(m, m.op("Multiply", gap(m, x), 3.0)), times("dense", MEAN * 3)),
    "temperature": (lambda m, x: m.op("TrueDivide", dense(m, gap(m, x)), 1.5), ONCE / 1.5),
    "divisors": (lambda m, x: m.op("Divide", dense(m, gap(m, x)), [1.0, 2.0, 4.0]), ONCE / [1, 2, 4]),
    "addends": (lambda m, x: m.op("Add", dense(m, gap(m, x)), [1.0, 2.0, 4.0]), ONCE + np.array([1, 2, 4])),
    "less": (lambda m, x: m.op("Subtract", dense(m, gap(m, x)), [1.0, 2.0, 4.0]), ONCE - [1, 2, 4]),
    "from a number": (lambda m, x: m.op("Subtract", 1.0, dense(m, gap(m, x))), 1 - ONCE),
    "TensorFlow's": (lambda m, x: m.tf("math.multiply", dense(m, gap(m, x)), y=2.5, name=None), ONCE * 2.5),
    "one class made three": (
        lambda m, x: m.op(
            "Divide",
            m.op("Add", m.op("Multiply", dense(m, gap(m, x), "one"), [1.0, 2.0, 3.0]), [4.0, 5.0, 6.0]),
            2.0,
        ),
        (times("one", MEAN) * [1, 2, 3] + [4, 5, 6]) / 2,
    ),
    "a sum made three": (
        lambda m, x: m.op(
            "Divide", m.op("Subtract", dense(m, gap(m, x), "one"), [1.0, 2.0, 3.0]), [4.0, 5.0, 8.0]
        ),
        (times("one", MEAN) - [1, 2, 3]) / [4, 5, 8],
    ),
    "window over all": (
        lambda m, x: m.layer("Flatten", conv(m, m.layer("AveragePooling2D", x, pool_size=[3, 2]))),
        times("conv", MEAN),
    ),
    "window over all, strided": (
        lambda m, x: conv(m, m.layer("AveragePooling2D", x, pool_size=[3, 2], strides=[1, 1])),
        times("conv", MEAN),
    ),
    "window over all, padded": (
        lambda m, x: conv(
            m, m.layer("AveragePooling2D", x, pool_size=[3, 2], padding="same", strides=[3, 2])
        ),
        times("conv", MEAN),
    ),
    "window over all, padded, as it is": (
        lambda m, x: conv(m, m.op("AveragePool", x, pool_size=[3, 2], padding="SAME", strides=None)),
        times("conv", MEAN),
    ),
    "adaptive average": (
        lambda m, x: conv(m, m.layer("AdaptiveAveragePooling2D", x, output_size=[1, 1])),
        times("conv", MEAN),
    ),
    "adaptive average of one": (
        lambda m, x: conv(m, m.layer("AdaptiveAveragePooling2D", x, output_size=1)),
        times("conv", MEAN),
    ),
    "average of averages": (
        lambda m, x: gap(m, conv(m, gap(m, x, keepdims=True))),
        times("conv", MEAN),
    ),
    "positions in a row": (
        lambda m, x: m.layer(
            "GlobalAveragePooling1D", dense(m, m.layer("Reshape", norm(m, x), target_shape=[-1, 4]))
        ),
        times("dense", normed("norm", X, 0.25)).mean((1, 2)),
    ),
    "positions in a row, kept": (
        lambda m, x: norm(
            m,
            dense(
                m,
                m.layer("GlobalAveragePooling1D", m.layer("Reshape", x, target_shape=[6, 4]), keepdims=True),
            ),
            "norm3",
            axis=2,
        ),
        normed("norm3", ONCE, 0.25),
    ),
    "positions the other way": (
        lambda m, x: gap(m, conv(m, m.layer("Reshape", x, target_shape=[2, 3, 4]))),
        times("conv", X).mean((1, 2)),
    ),
    "mean of both": (lambda m, x: m.op("Mean", conv(m, x), axis=[1, 2]), times("conv", X).mean((1, 2))),
    "mean of both from behind": (
        lambda m, x: m.op("Mean", conv(m, x), axis=[-3, -2], keepdims=True),
        times("conv", X).mean((1, 2)),
    ),
    "mean of one after the other": (
        lambda m, x: m.op("Mean", m.op("Mean", conv(m, x), axis=2), axis=1),
        times("conv", X).mean(2).mean(1),
    ),
    "mean of one after the other, kept": (
        lambda m, x: m.op("Mean", m.op("Mean", conv(m, x), axis=1, keepdims=True), axis=2, keepdims=True),
        times("conv", X).mean(2).mean(1),
    ),
    "TensorFlow's mean": (
        lambda m, x: norm(
            m, m.tf("math.reduce_mean", conv(m, x), axis=[1, 2], keepdims=False), "norm3", axis=1
        ),
        normed("norm3", times("conv", X).mean((1, 2)), 0.25),
    ),
    "sum": (
        lambda m, x: m.op("Sum", dense(m, x), axis=[1, 2]),
        times("dense", X).sum((1, 2)),
    ),
    "sum of columns, mean of rows": (
        lambda m, x: m.op("Mean", m.op("Sum", dense(m, x), axis=2, keepdims=True), axis=[1, 2]),
        times("dense", X).sum(2).mean(1),
    ),
    "sum of rows, sum of columns": (
        lambda m, x: m.op("Sum", m.op("Sum", norm(m, conv(m, x), "norm3"), axis=1), axis=-2),
        normed("norm3", times("conv", X), 0.25).sum((1, 2)),
    ),
    "sum of logits": (
        lambda m, x: m.layer("Add", dense(m, gap(m, x)), dense(m, gap(m, x), "other")),
        ONCE + times("other", MEAN),
    ),
    "mean of logits": (
        lambda m, x: m.layer(
            "Average", dense(m, gap(m, x)), dense(m, gap(m, x), "other"), gap(m, conv(m, x))
        ),
        (ONCE + times("other", MEAN) + times("conv", MEAN)) / 3,
    ),
    "difference of logits": (
        lambda m, x: m.layer("Subtract", dense(m, gap(m, x)), dense(m, gap(m, x), "other")),
        ONCE - times("other", MEAN),
    ),
    "difference, an operation": (
        lambda m, x: m.op("Subtract", dense(m, gap(m, x)), dense(m, gap(m, x), "other")),
        ONCE - times("other", MEAN),
    ),
    "classes side by side": (
        lambda m, x: m.layer("Concatenate", dense(m, gap(m, x)), dense(m, gap(m, x), "one"), axis=-1),
        np.concatenate([ONCE, times("one", MEAN)], 1),
    ),
    "maps side by side": (
        lambda m, x: dense(m, gap(m, m.layer("Concatenate", x, m.op("Negative", x), axis=3)), "wide"),
        times("wide", np.concatenate([X, -X], -1).mean((1, 2))),
    ),
    "averages side by side": (
        lambda m, x: dense(m, m.op("Concatenate", [gap(m, x), m.op("Sum", x, axis=[1, 2])], axis=1), "wide"),
        times("wide", np.concatenate([MEAN, X.sum((1, 2))], 1)),
    ),
    "around a layer": (
        lambda m, x: dense(m, m.layer("Add", x, conv(m, x, "square")), "conv") and gap(m, Ref("conv")),
        times("conv", X + times("square", X)).mean((1, 2)),
    ),
    "twice itself": (
        lambda m, x: dense(m, m.layer("Add", *[gap(m, x)] * 2)),
        times("dense", 2 * MEAN),
    ),
    "nothing outside of training": (
        lambda m, x: dense(m, m.layer("Dropout", dense(m, m.layer("Activation", gap(m, x)), "square"))),
        times("dense", times("square", MEAN)),
    ),
    "axes that come and go": (
        lambda m, x: m.op(
            "Squeeze",
            m.op("ExpandDims", m.op("ExpandDims", norm(m, dense(m, gap(m, x)), "norm3"), axis=1), axis=-2),
            axis=[1, 2],
        ),
        normed("norm3", ONCE, 0.25),
    ),
    "an axis in the middle": (
        lambda m, x: gap(
            m, dense(m, m.op("ExpandDims", m.layer("Reshape", norm(m, x), target_shape=[-1, 4]), axis=2))
        ),
        times("dense", normed("norm", X, 0.25)).mean((1, 2)),
    ),
    "an axis in front": (
        lambda m, x: gap(
            m, dense(m, m.op("ExpandDims", m.layer("Reshape", norm(m, x), target_shape=[-1, 4]), axis=1))
        ),
        times("dense", normed("norm", X, 0.25)).mean((1, 2)),
    ),
    "squeezed": (
        lambda m, x: m.tf("compat.v1.squeeze", conv(m, gap(m, x, keepdims=True)), squeeze_dims=[1, 2]),
        times("conv", MEAN),
    ),
    "squeezed once": (
        lambda m, x: m.op("Squeeze", conv(m, gap(m, x, keepdims=True)), axis=-2),
        times("conv", MEAN),
    ),
    "squeezed, averaged": (
        lambda m, x: m.layer(
            "GlobalAveragePooling1D", m.op("Squeeze", conv(m, m.op("Mean", x, axis=1, keepdims=True)), axis=1)
        ),
        times("conv", MEAN),
    ),
    "rearranged": (
        lambda m, x: m.layer("Reshape", conv(m, gap(m, x, keepdims=True)), target_shape=[3]),
        times("conv", MEAN),
    ),
    "rearranged by itself": (
        lambda m, x: conv(m, m.layer("Reshape", gap(m, x), target_shape=[1, 1, -1])),
        times("conv", MEAN),
    ),
    "rearranged, an operation": (
        lambda m, x: conv(m, m.op("Reshape", gap(m, x), newshape=[-1, 1, 1, 4])),
        times("conv", MEAN),
    ),
    "rearranged by TensorFlow": (
        lambda m, x: m.tf("reshape", conv(m, gap(m, x, keepdims=True)), shape=[-1, 3]),
        times("conv", MEAN),
    ),
}


@pytest.mark.parametrize("case", FOLDED)
def test_every_layer(case):
    """Each kind of layer that is linear, before, instead of, or after the average."""
    check(*FOLDED[case])


def test_maps_of_any_size():
    """What averages over all positions does so at every size; what needs to know the size is refused."""
    check(lambda m, x: gap(m, conv(m, x)), times("conv", MEAN), size=(None, None))
    check(lambda m, x: m.op("Mean", conv(m, x), axis=[1, 2]), times("conv", MEAN), size=(None, 2))
    check(*FOLDED["positions in a row"], size=(3, None))
    check(
        lambda m, x: m.op("Mean", m.op("Sum", conv(m, x), axis=2), axis=1),
        times("conv", X).sum(2).mean(1),
        size=(None, 2),
    )
    average = "; a class activation map needs one average over all of it"
    refused(
        f"averagepooling2d_3 (AveragePooling2D) averages (3, 2) of a map of None{average}",
        lambda m, x: conv(m, m.layer("AveragePooling2D", x, pool_size=[3, 2])),
        size=(3, None),
    )
    refused(
        "the top: sum_4 (Sum) sums over maps of a size that the file does not tell",
        lambda m, x: m.op("Sum", conv(m, x), axis=[1, 2]),
        size=(None, 2),
    )
    for target in ([-1], [6, 4], [1, 1, -1]):
        refused(
            "the top: reshape_3 (Reshape) arranges values in a way that npcam does not follow",
            lambda m, x, target=target: dense(m, m.layer("Reshape", x, target_shape=target)),
            size=(None, 2),
        )


def test_one_map():
    """A map that is made several by numbers of its own for each."""
    maps = X[..., :1]
    expected = maps.mean((1, 2)) * [1, 2, 3, -4] + [0, 1, 0, 0]

    def build(m, x):
        x = m.op("Multiply", gap(m, x), [1.0, 2.0, 3.0, -4.0])
        return dense(m, m.op("Add", x, [0.0, 1.0, 0.0, 0.0]), "square")

    check(build, times("square", expected), maps)


def test_what_a_head_is():
    """Its layers in order, the function of its predictions, and its Dense layer where that is all."""
    for build, told in (
        (lambda m, x: dense(m, gap(m, x), activation="softmax"), ("softmax", "dense", "dense")),
        (lambda m, x: dense(m, gap(m, x)), ("linear", None, "dense")),
        (
            lambda m, x: m.layer("Softmax", m.layer("Dropout", dense(m, gap(m, x))), axis=-1, name="f"),
            ("softmax", "f", "dense"),
        ),
        (
            lambda m, x: m.layer("Softmax", dense(m, gap(m, x)), axis=[-1], name="f"),
            ("softmax", "f", "dense"),
        ),
        (
            lambda m, x: m.layer(
                "Flatten", m.layer("Activation", dense(m, gap(m, x)), activation="sigmoid", name="f")
            ),
            ("sigmoid", "f", "dense"),
        ),
        (lambda m, x: m.op("Sigmoid", dense(m, gap(m, x))), ("sigmoid", "sigmoid_5", "dense")),
        (lambda m, x: m.tf("nn.softmax", dense(m, gap(m, x)), axis=-1), ("softmax", "tf_5", "dense")),
        (lambda m, x: m.tf("nn.softmax", dense(m, gap(m, x))), ("softmax", "tf_5", "dense")),
        (lambda m, x: m.tf("nn.sigmoid", dense(m, gap(m, x))), ("sigmoid", "tf_5", "dense")),
        (lambda m, x: dense(m, m.layer("Flatten", gap(m, x, keepdims=True))), ("linear", None, "dense")),
    ):
        head, layer = folded(build)
        assert layer is None  # that Dense layer is the one
        assert (head.activation, head.function and head.function.path[-1], head.dense.path[-1]) == told
        assert head.end.path == ("maps",)
        assert head.layers[0].inputs == (("maps",),)
        assert head.computing == (head.dense,)
    for build, activation, computing in (
        (lambda m, x: dense(m, conv(m, gap(m, x, keepdims=True)), "last"), "linear", ["conv", "last"]),
        (lambda m, x: gap(m, conv(m, x, activation="softmax")) and Ref("conv"), "softmax", None),
        (lambda m, x: norm(m, dense(m, gap(m, x)), "norm3"), "linear", ["dense", "norm3"]),
        (lambda m, x: conv(m, gap(m, x, keepdims=True), activation="sigmoid"), "sigmoid", ["conv"]),
        (lambda m, x: m.op("Sum", dense(m, x), axis=[1, 2]), "linear", ["dense", "sum_4"]),
    ):
        head = find_head(network(build))
        assert head.activation == activation
        assert computing is None or [node.path[-1] for node in head.computing] == computing
        assert head.dense is None


def test_functions_change_no_logits():
    """A softmax or sigmoid at the end is none of the matrix."""
    for function in ("softmax", "sigmoid"):
        check(
            lambda m, x, f=function: dense(m, norm(m, gap(m, x)), activation=f),
            times("dense", normed("norm", MEAN, 0.25)),
        )
        check(
            lambda m, x, f=function: m.layer("Activation", conv(m, gap(m, x, keepdims=True)), activation=f),
            times("conv", MEAN),
        )
        check(lambda m, x, f=function: conv(m, gap(m, x, keepdims=True), activation=f), times("conv", MEAN))


def test_backbones():
    """No Dense layer, nothing to fold: the maps or their averages are what the network puts out."""
    for build, end in (
        (lambda _, x: x, "maps"),
        (gap, "maps"),
        (lambda m, x: m.layer("Flatten", gap(m, x, keepdims=True)), "maps"),
        (lambda m, x: m.layer("Dropout", gap(m, x)), "maps"),
        (lambda m, x: gap(m, m.layer("ReLU", m.layer("BatchNormalization", x), name="post")), "post"),
    ):
        head, layer = folded(build)
        assert layer is None
        assert head.end.path == (end,)
        assert (head.activation, head.function, head.dense, head.computing) == (None, None, None, ())


def test_ends_of_other_networks():
    """The last activation is where the averages are taken, wherever that is."""

    def plain(m, x):
        x = m.layer("ReLU", m.layer("BatchNormalization", x), name="post")
        return dense(m, gap(m, x))

    def joined(m, _):
        """Maps put side by side by the network itself, each the output of a plain ReLU."""
        parts = [
            m.layer("ReLU", m.layer("Conv2D", m.layer("ReLU", conv(m, m.input, f"c{i}")))) for i in (1, 2)
        ]
        return dense(m, gap(m, m.layer("Concatenate", *parts, name="joined")))

    def two(m, x):
        """Logits that are added, of one ReLU that follows no addition."""
        x = m.layer("ReLU", m.layer("BatchNormalization", x), name="post")
        return m.layer("Add", dense(m, gap(m, x)), dense(m, gap(m, x), "other"))

    for build, end in ((plain, "post"), (joined, "joined"), (two, "post")):
        assert find_head(network(build)).end.path == (end,)
    check(two, ONCE + times("other", MEAN))


ALONE = "stands there without a Dense layer"
UNKNOWN = "is no linear layer that npcam knows"
SHAPED = "arranges values in a way that npcam does not follow"
MORE = "and more layers follow"
REFUSED = {
    "a function between": (
        lambda m, x: dense(
            m, m.layer("Activation", dense(m, gap(m, x), "square"), activation="relu", name="f")
        ),
        "the top: f (Activation) is of function relu",
    ),
    "a sigmoid between": (
        lambda m, x: dense(m, m.op("Sigmoid", dense(m, gap(m, x), "square"))),
        "the top: sigmoid_5 (Sigmoid) is of function sigmoid",
    ),
    "a function in between": (
        lambda m, x: dense(m, dense(m, gap(m, x), "square", "relu")),
        f"the top: square (Dense) has the activation relu, {MORE}",
    ),
    "a function at each position": (
        lambda m, x: gap(m, conv(m, x, activation="tanh")),
        f"the top: conv (Conv2D) has the activation tanh, {MORE}",
    ),
    "a function of the average": (
        lambda m, x: dense(m, m.layer("ReLU", gap(m, x), name="f")),
        "the top: f (ReLU) is of function relu",
    ),
    "another function": (
        lambda m, x: dense(m, gap(m, x), activation="tanh"),
        "dense (Dense) has the activation tanh; npcam runs softmax, sigmoid, linear",
    ),
    "a ReLU of logits": (
        lambda m, x: m.layer("ReLU", dense(m, gap(m, x)), name="f"),
        "the top: f (ReLU) is of function relu",
    ),
    "another function apart": (
        lambda m, x: m.layer("Activation", dense(m, gap(m, x)), activation="elu", name="f"),
        "f (Activation) has the activation elu; npcam runs softmax, sigmoid, linear",
    ),
    "two functions": (
        lambda m, x: m.layer("Activation", dense(m, gap(m, x), activation="sigmoid"), activation="softmax"),
        "the top: dense (Dense) has two activations, sigmoid and softmax; one expected",
    ),
    "the maximum": (
        lambda m, x: dense(m, m.layer("GlobalMaxPooling2D", x, name="p")),
        "the top: p (GlobalMaxPooling2D) takes the maximum",
    ),
    "the maximum alone": (
        lambda m, x: m.layer("GlobalMaxPooling2D", x, name="p"),
        "the top: p (GlobalMaxPooling2D) takes the maximum",
    ),
    "maxima": (
        lambda m, x: dense(m, gap(m, m.layer("MaxPooling2D", x, name="p"))),
        f"the top: p (MaxPooling2D) {UNKNOWN}",
    ),
    "gates of averages": (
        lambda m, x: dense(
            m,
            gap(
                m,
                m.layer(
                    "Multiply",
                    gap(m, x, keepdims=True),
                    m.layer("Activation", conv(m, gap(m, x, keepdims=True)), activation="sigmoid"),
                    name="g",
                ),
            ),
        ),
        f"the top: g (Multiply) {UNKNOWN}",
    ),
    "gates": (
        lambda m, x: m.layer("Multiply", dense(m, gap(m, x)), dense(m, gap(m, x), "other"), name="g"),
        f"the top: g (Multiply) {UNKNOWN}",
    ),
    "a norm of the layer's own": (
        lambda m, x: dense(m, m.layer("LayerNormalization", gap(m, x), name="n")),
        f"the top: n (LayerNormalization) {UNKNOWN}",
    ),
    "a number divided": (
        lambda m, x: m.op("TrueDivide", 1.0, dense(m, gap(m, x))),
        f"the top: truedivide_5 (TrueDivide) {UNKNOWN}",
    ),
    "three subtracted": (
        lambda m, x: m.layer(
            "Subtract",
            *[dense(m, gap(m, x), n) for n in ("dense", "other", "square")][:2],
            gap(m, conv(m, x)),
            name="s",
        ),
        f"the top: s (Subtract) {UNKNOWN}",
    ),
    "no Dense layer": (
        lambda m, x: m.layer("Softmax", gap(m, x), name="f"),
        f"the top: f (Softmax) {ALONE}",
    ),
    "a batch norm alone": (lambda m, x: norm(m, gap(m, x)), f"the top: norm (BatchNormalization) {ALONE}"),
    "a sum alone": (lambda m, x: m.op("Sum", x, axis=[1, 2]), f"the top: sum_3 (Sum) {ALONE}"),
    "an addition alone": (
        lambda m, x: m.layer("Add", gap(m, x), gap(m, x), name="a"),
        f"the top: a (Add) {ALONE}",
    ),
    "a softmax of maps": (
        lambda m, x: dense(m, x, activation="softmax"),
        "the top: dense (Dense) stands where global average pooling was expected",
    ),
    "logits of maps": (dense, "the top: dense (Dense) puts out values for each position"),
    "logits of rows": (
        lambda m, x: conv(m, m.op("Mean", x, axis=1, keepdims=True)),
        "the top: conv (Conv2D) puts out values for each position",
    ),
    "predictions at each position": (
        lambda m, x: gap(m, dense(m, x, activation="softmax")),
        f"the top: dense (Dense) has the activation softmax, {MORE}",
    ),
    "no pooling": (
        lambda m, x: dense(m, m.layer("Flatten", x, name="f")),
        "the top: f (Flatten) where global average pooling was expected",
    ),
    "positions left out": (
        lambda m, x: gap(m, conv(m, x, strides=[2, 2])),
        "the top: conv (Conv2D) leaves positions out",
    ),
    "a larger window": (
        lambda m, x: gap(m, m.layer("Conv2D", x, name="spread", kernel_size=[3, 3])),
        "spread (Conv2D) has kernel (3, 3); a plain 1x1 convolution expected",
    ),
    "a kernel for fewer": (
        lambda m, x: dense(m, norm(m, gap(m, x)), "short"),
        "short (Dense) has a kernel of shape (3, 3) for 4 channels",
    ),
    "a kernel of another rank": (
        lambda m, x: dense(m, norm(m, gap(m, x)), "spread"),
        "spread (Dense) has a kernel of shape (3, 3, 4, 3) for 4 channels",
    ),
    "a bias for fewer": (
        lambda m, x: dense(m, norm(m, gap(m, x)), "odd"),
        "odd (Dense) has a bias of shape (2,) for 3 channels",
    ),
    "channels first": (
        lambda m, x: dense(m, gap(m, x, data_format="channels_first")),
        "globalaveragepooling2d_3 (GlobalAveragePooling2D) has channels_first; npcam reads channels_last",
    ),
    "a part of the map": (
        lambda m, x: dense(m, gap(m, m.layer("AveragePooling2D", x, name="p"))),
        "p (AveragePooling2D) averages (2, 2) of a map of (3, 2); a class activation map needs one average",
    ),
    "windows that overlap": (
        lambda m, x: dense(
            m, gap(m, m.layer("AveragePooling2D", x, pool_size=[3, 2], padding="same", strides=1, name="p"))
        ),
        "p (AveragePooling2D) averages (3, 2) of a map of (3, 2); a class activation map needs one average",
    ),
    "several averages": (
        lambda m, x: dense(m, gap(m, m.layer("AdaptiveAveragePooling2D", x, output_size=[1, 2], name="p"))),
        "the top: p (AdaptiveAveragePooling2D) puts out values for several positions",
    ),
    "two axes of one": (
        lambda m, x: dense(m, gap(m, m.layer("Reshape", x, target_shape=[6, 4]), name="p")),
        "p (GlobalAveragePooling2D) averages over 2 axes where there are 1",
    ),
    "one axis of two": (
        lambda m, x: dense(m, m.layer("GlobalAveragePooling1D", x, name="p")),
        "p (GlobalAveragePooling1D) averages over 1 axes where there are 2",
    ),
    "softmax of the wrong axis": (
        lambda m, x: m.op("Softmax", conv(m, gap(m, x, keepdims=True)), axis=1),
        "the top: softmax_5 (Softmax) goes over axis 1, not over the classes",
    ),
    "softmax of TensorFlow's wrong axis": (
        lambda m, x: m.tf("nn.softmax", dense(m, gap(m, x)), axis=0),
        "the top: tf_5 (TFOpLambda) goes over axis 0, not over the classes",
    ),
    "side by side of rows": (
        lambda m, x: gap(m, dense(m, m.layer("Concatenate", x, conv(m, x, "square"), axis=1, name="c"))),
        "the top: c (Concatenate) joins other things than channels",
    ),
    "side by side of the batch": (
        lambda m, x: m.layer(
            "Concatenate", dense(m, gap(m, x)), dense(m, gap(m, x), "other"), axis=0, name="c"
        ),
        "the top: c (Concatenate) joins other things than channels",
    ),
    "side by side of an average": (
        lambda m, x: gap(m, dense(m, m.layer("Concatenate", x, gap(m, x, keepdims=True), name="c"))),
        "the top: c (Concatenate) joins other things than channels",
    ),
    "added to an average": (
        lambda m, x: gap(m, dense(m, m.layer("Add", x, gap(m, x, keepdims=True), name="a"))),
        "the top: a (Add) joins layers of different shapes",
    ),
    "added to fewer": (
        lambda m, x: m.layer("Add", dense(m, gap(m, x)), dense(m, gap(m, x), "one"), name="a"),
        "the top: a (Add) joins layers of different shapes",
    ),
    "several layers' maps": (
        lambda m, x: dense(
            m, m.layer("Add", gap(m, x), gap(m, m.layer("ReLU", m.layer("Add", x, m.input), name="more")))
        ),
        "the predictions are made of the maps of several layers, more, maps; a ResNet's are of one ReLU",
    ),
    "no backbone": (
        lambda m, _: dense(m, gap(m, m.input)),
        "input_layer (InputLayer) where a ResNet's last activation was expected: a head without its backbone",
    ),
    "an axis in the batch's place": (
        lambda m, x: dense(m, m.op("ExpandDims", gap(m, x), axis=0)),
        f"the top: expanddims_4 (ExpandDims) {SHAPED}",
    ),
    "an axis in the channels' place": (
        lambda m, x: dense(m, m.op("ExpandDims", gap(m, x), axis=-1)),
        f"the top: expanddims_4 (ExpandDims) {SHAPED}",
    ),
    "an axis in the channels' place, from in front": (
        lambda m, x: dense(m, m.op("ExpandDims", gap(m, x), axis=2)),
        f"the top: expanddims_4 (ExpandDims) {SHAPED}",
    ),
    "two axes at once": (
        lambda m, x: dense(m, m.op("ExpandDims", gap(m, x), axis=[1, 2])),
        f"the top: expanddims_4 (ExpandDims) {SHAPED}",
    ),
    "squeezed of everything": (
        lambda m, x: conv(m, m.op("Squeeze", gap(m, x, keepdims=True), axis=None)),
        f"the top: squeeze_4 (Squeeze) {SHAPED}",
    ),
    "squeezed of positions": (
        lambda m, x: dense(m, m.op("Squeeze", m.op("Mean", x, axis=1, keepdims=True), axis=[1, 2])),
        f"the top: squeeze_4 (Squeeze) {SHAPED}",
    ),
    "squeezed of the channels": (
        lambda m, x: m.op("Squeeze", dense(m, gap(m, x), "one"), axis=-1),
        f"the top: squeeze_5 (Squeeze) {SHAPED}",
    ),
    "squeezed of the batch": (
        lambda m, x: dense(m, m.op("Squeeze", gap(m, x, keepdims=True), axis=[0, 1])),
        f"the top: squeeze_4 (Squeeze) {SHAPED}",
    ),
    "positions made channels": (
        lambda m, x: dense(m, m.layer("Reshape", x, target_shape=[-1], name="r")),
        f"the top: r (Reshape) {SHAPED}",
    ),
    "channels made positions": (
        lambda m, x: gap(m, dense(m, m.layer("Reshape", x, target_shape=[3, 4, 2], name="r"))),
        f"the top: r (Reshape) {SHAPED}",
    ),
    "more made of it": (
        lambda m, x: gap(m, dense(m, m.layer("Reshape", x, target_shape=[3, 3, 4], name="r"))),
        f"the top: r (Reshape) {SHAPED}",
    ),
    "arranged as one": (
        lambda m, x: dense(m, m.op("Reshape", gap(m, x), newshape=[1, 4])),
        f"the top: reshape_4 (Reshape) {SHAPED}",
    ),
    "arranged twice by itself": (
        lambda m, x: dense(m, m.op("Reshape", gap(m, x), newshape=[-1, -1])),
        f"the top: reshape_4 (Reshape) {SHAPED}",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_map_follows_from(case):
    """It is refused, with the name of the layer and the reason."""
    build, reason = REFUSED[case]
    refused(reason, build)


@pytest.mark.parametrize("axis", [0, 3, -1, [0, 1, 2], [1, 2, 3], None])
@pytest.mark.parametrize("kind", ["Mean", "Sum"])
def test_averages_of_other_axes(kind, axis):
    """The batch's and the channels' are not for the head to average over."""
    shown = sorted({n % 4 for n in ([axis] if isinstance(axis, int) else axis or [0])})
    refused(
        f"the top: {kind.lower()}_4 ({kind}) goes over axes {shown}, not over positions alone",
        lambda m, x: m.op(kind, conv(m, x), axis=axis),
    )


def test_normalised_over_other_axes():
    """The last axis is the third of maps and the first of averages."""
    refused("norm (BatchNormalization) normalises axis 3", lambda m, x: dense(m, norm(m, gap(m, x), axis=3)))
    refused("norm (BatchNormalization) normalises axis 1", lambda m, x: dense(m, gap(m, norm(m, x, axis=1))))


def test_a_second_input():
    """What it holds is no photograph."""

    def build(m, x):
        m.entries.append(m.entries[0] | {"name": "numbers"})
        return dense(m, m.layer("Concatenate", gap(m, x), Ref("numbers")))

    refused("numbers (InputLayer) is a second input of the top; npcam runs models of one photograph", build)


def test_matrices_without_end(monkeypatch):
    """More weights than the limit are refused before they are made; as many are not."""
    for build, weights, reason in (
        (
            lambda m, x: dense(m, norm(m, gap(m, x))),
            12,
            "dense (Dense) makes 3 values of 4 maps",
        ),
        (
            lambda m, x: dense(
                m, m.layer("Concatenate", gap(m, x), m.op("Negative", gap(m, x)), name="c"), "wide"
            ),
            32,
            "c (Concatenate) makes 8 values of 4 maps",
        ),
        (
            lambda m, x: dense(m, m.layer("Add", gap(m, x), m.op("Negative", gap(m, x)), name="a")),
            32,
            "a (Add) makes 8 values of 4 maps",
        ),
        (
            lambda m, x: m.layer("Add", dense(m, gap(m, x), "one"), gap(m, dense(m, x, "one2")), name="a"),
            16,
            "a (Add) makes 4 values of 4 maps",
        ),
    ):
        monkeypatch.setattr(heads, "MAX_HEAD_WEIGHTS", weights)
        monkeypatch.setitem(ARRAYS, "one2", ARRAYS["one"])
        assert folded(build)[1] is not None
        monkeypatch.setattr(heads, "MAX_HEAD_WEIGHTS", weights - 1)
        refused(f"{reason}; {weights - 1} weights at most", build)


def test_numbers_beyond_float32():
    """They become infinite, which is for the check of the weights to find, and warn of nothing."""
    _, (kernel, bias) = folded(lambda m, x: m.op("Multiply", dense(m, gap(m, x)), 1e300))
    assert np.isinf(kernel).all()
    assert np.isinf(bias).all()
