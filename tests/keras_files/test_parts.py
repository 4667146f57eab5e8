"""The parts of a ResNet from their ends: each of its layers matters, and each is named where it differs."""

import pytest
from helpers.handmade_keras import SMALL, changed, config_of, entry

from npcam import InputError
from npcam.keras_files import read_graph
from npcam.keras_files.parts import find_block, find_stem
from npcam.keras_files.walk import Walk
from npcam.resnet import Architecture


def walk(config):
    return Walk(read_graph(config, "x.h5"), "x.h5")


def at(w, name):
    return w.graph.nodes[(name,)]


def refused(reason, step, *args):
    """The step is refused for exactly that reason."""
    with pytest.raises(InputError) as error:
        step(*args)
    assert str(error.value) == f"x.h5: {reason}"


def end(name):
    return f"{name}_out"


@pytest.mark.parametrize("stride_in", [1, 2])
def test_blocks(stride_in):
    """Layers by the ends of Keras's names, the stride and the convolution that takes it, and what is read."""
    arch = Architecture(blocks=(1, 2), strides=(1, 3), stride_in=stride_in)
    w = walk(config_of(arch))
    kinds = [f"{part}_{kind}" for part in "0123" for kind in ("conv", "bn")]
    for name, parts, stride, x in (
        ("conv2_block1", kinds, 1, "pool1_pool"),
        ("conv3_block1", kinds, 3, "conv2_block1_out"),
        ("conv3_block2", kinds[2:], 1, "conv3_block1_out"),
    ):
        block = find_block(w, at(w, end(name)))
        assert {part: node.path[0] for part, node in block.parts.items()} == {p: f"{name}_{p}" for p in parts}
        assert block.stride == stride
        assert block.stride_in == (stride_in if stride > 1 else 1)
        assert block.x.path == (x,)
        assert block.projects == ("0_conv" in parts)


def rewired(config, layer, *sources):
    """A configuration in which a layer reads other layers."""
    found = next(e for e in config["config"]["layers"] if e["name"] == layer)
    found["inbound_nodes"] = entry("x", "x", *sources)["inbound_nodes"]
    return config


@pytest.mark.parametrize("name", ["conv3_block1", "conv3_block2"])
def test_the_branches_of_a_sum_in_any_order(name):
    """The shortcut may be added first or last."""
    config = config_of()
    add = next(e for e in config["config"]["layers"] if e["name"] == f"{name}_add")
    add["inbound_nodes"][0]["args"][0].reverse()
    w = walk(config)
    assert find_block(w, at(w, end(name))).parts["3_bn"].path == (f"{name}_3_bn",)


def test_sums_of_keras_1():
    """A Merge that sums is today's Add; other ways to merge are not."""
    for mode, fits in (("sum", True), ("mul", False), ("concat", False)):
        config = config_of()
        found = next(e for e in config["config"]["layers"] if e["name"] == "conv3_block2_add")
        found["class_name"], found["config"]["mode"] = "Merge", mode
        w = walk(config)
        if fits:
            assert find_block(w, at(w, "conv3_block2_out")).x.path == ("conv3_block1_out",)
        else:
            reason = (
                "conv3_block2_add (Merge) where a residual block's Add was expected; npcam runs ResNet (v1)"
            )
            refused(reason, find_block, w, at(w, "conv3_block2_out"))


def test_what_is_no_sum():
    """Another layer, a batch norm, a sum of one or of three, and an end that is no ReLU."""
    where = "where a residual block's Add was expected; npcam runs ResNet (v1)"
    name = "conv3_block2"
    for kind in ("Multiply", "Average", "Conv2D"):
        config = config_of()
        next(e for e in config["config"]["layers"] if e["name"] == f"{name}_add")["class_name"] = kind
        config = rewired(config, f"{name}_add", "conv3_block1_out", f"{name}_3_bn")
        w = walk(config)
        refused(f"{name}_add ({kind}) {where}", find_block, w, at(w, end(name)))
    three = rewired(config_of(), f"{name}_add", "conv3_block1_out", f"{name}_3_bn", f"{name}_3_bn")
    w = walk(three)
    refused(f"{name}_add (Add) {where}", find_block, w, at(w, end(name)))
    w = walk(rewired(config_of(), end(name), f"{name}_3_bn"))
    refused(f"{name}_3_bn (BatchNormalization) {where}", find_block, w, at(w, end(name)))
    w = walk(rewired(rewired(config_of(), end(name), f"{name}_3_bn"), f"{name}_3_bn", "conv3_block1_add"))
    reason = "normalises after the addition, as ResNetV2 does; npcam runs ResNet (v1)"
    refused(f"{name}_3_bn (BatchNormalization) {reason}", find_block, w, at(w, end(name)))
    w = walk(config_of())
    refused(f"{name}_add (Add) where a ResNet has a ReLU", find_block, w, at(w, f"{name}_add"))


NO_BOTTLENECK = (
    "(Add) adds what is no bottleneck (convolutions 1x1, 3x3, 1x1, each with batch norm) and its shortcut; "
    "npcam runs ResNet-50, -101 and -152"
)


@pytest.mark.parametrize(
    ("layer", "reads"),
    [
        ("conv3_block2_3_bn", "conv3_block2_2_relu"),  # a batch norm without its convolution
        ("conv3_block2_3_conv", "conv3_block2_2_bn"),  # no activation between
        ("conv3_block2_2_relu", "conv3_block2_2_conv"),
        ("conv3_block2_2_bn", "conv3_block2_1_relu"),
        ("conv3_block2_2_conv", "conv3_block2_1_bn"),
        ("conv3_block2_1_relu", "conv3_block2_1_conv"),
        ("conv3_block2_1_bn", "conv3_block1_out"),
        ("conv3_block2_1_conv", "conv3_block1_add"),  # the shortcut begins elsewhere
    ],
)
def test_every_layer_of_a_block_matters(layer, reads):
    """Leave out any one, and it is no bottleneck."""
    w = walk(rewired(config_of(), layer, reads))
    refused(f"conv3_block2_add {NO_BOTTLENECK}", find_block, w, at(w, "conv3_block2_out"))


@pytest.mark.parametrize(
    ("layer", "reads"),
    [
        ("conv3_block1_0_bn", "conv2_block1_out"),
        ("conv3_block1_0_conv", "conv2_block1_add"),
        ("conv3_block1_add", ("conv3_block1_0_conv", "conv3_block1_3_bn")),
    ],
)
def test_every_layer_of_a_shortcut_matters(layer, reads):
    """A convolution of what the block reads, and a batch norm."""
    w = walk(rewired(config_of(), layer, *([reads] if isinstance(reads, str) else reads)))
    refused(f"conv3_block1_add {NO_BOTTLENECK}", find_block, w, at(w, "conv3_block1_out"))


def test_activations_within_a_block():
    """They must be ReLUs, which the layer is named for."""
    w = walk(changed(config_of(), "conv3_block2_1_relu", activation="elu"))
    reason = "conv3_block2_1_relu (Activation) of function elu where a ResNet has a plain ReLU"
    refused(reason, find_block, w, at(w, "conv3_block2_out"))


STRIDES = [
    ("conv3_block2", {"1_conv": 2}, None),  # a stride and no convolution in the shortcut
    ("conv3_block1", {"0_conv": 1}, None),
    ("conv3_block1", {"2_conv": 2}, None),  # both take a stride
    ("conv3_block1", {"3_conv": 2}, None),
    ("conv3_block1", {"1_conv": 1, "3_conv": 2}, None),
    ("conv3_block1", {"0_conv": 4}, None),
    ("conv3_block1", {"0_conv": 4, "2_conv": 2}, None),
    ("conv3_block1", {"1_conv": 4, "0_conv": 4}, (4, 1)),
    ("conv3_block1", {"1_conv": 1, "2_conv": 2}, (2, 2)),
]


@pytest.mark.parametrize(("name", "strides", "expected"), STRIDES)
def test_strides(name, strides, expected):
    """The shortcut's is that of the branch, which one convolution takes."""
    config = config_of()
    for part, stride in strides.items():
        config = changed(config, f"{name}_{part}", strides=[stride, stride])
    w = walk(config)
    if expected:
        block = find_block(w, at(w, end(name)))
        assert (block.stride, block.stride_in) == expected
        return
    with pytest.raises(InputError) as error:
        find_block(w, at(w, end(name)))
    start = f"x.h5: {name}_3_conv (Conv2D) ends a block of strides that do not fit together: {{"
    assert str(error.value).startswith(start)
    for part, stride in strides.items():
        assert f"'{part}': {stride}" in str(error.value)


@pytest.mark.parametrize(("part", "kernel"), [("0", 1), ("1", 1), ("2", 3), ("3", 1)])
def test_kernels(part, kernel):
    """1x1, 3x3, 1x1, and 1x1 in the shortcut."""
    layer = f"conv3_block1_{part}_conv"
    w = walk(changed(config_of(), layer, kernel_size=[5, 5]))
    reason = f"{layer} (Conv2D) has kernel (5, 5); a plain {kernel}x{kernel} convolution expected"
    refused(reason, find_block, w, at(w, "conv3_block1_out"))


@pytest.mark.parametrize("pool_padding", [0, 1])
def test_the_stem(pool_padding):
    """Padding, the 7x7 convolution, batch norm, ReLU, perhaps a padding, the pool."""
    w = walk(config_of(Architecture(blocks=(1,), strides=(1,), pool_padding=pool_padding)))
    stem = find_stem(w, at(w, "pool1_pool"))
    assert {name: node.path[0] for name, node in stem.parts.items()} == {
        "conv1_conv": "conv1_conv",
        "conv1_bn": "conv1_bn",
    }
    assert stem.pool_padding == pool_padding
    assert stem.entry.path == ("input_layer",)


POOL = "pool1_pool (MaxPooling2D)"
STEMS = [
    ("pool1_pool", {"pool_size": [2, 2]}, f"{POOL} is not a 3x3 pool of stride 2"),
    ("pool1_pool", {"pool_size": [3, 2]}, f"{POOL} is not a 3x3 pool of stride 2"),
    ("pool1_pool", {"strides": [3, 3]}, f"{POOL} is not a 3x3 pool of stride 2"),
    ("pool1_pool", {"strides": None}, f"{POOL} is not a 3x3 pool of stride 2"),
    ("pool1_pool", {"padding": "same"}, f'{POOL} has padding "same", which Keras\'s ResNets do not have'),
    (
        "pool1_pool",
        {"data_format": "channels_first"},
        f"{POOL} has channels_first; npcam reads channels_last models only",
    ),
    ("pool1_pad", {"padding": [[2, 2], [2, 2]]}, f"{POOL} follows a padding of 2; 0 or 1 expected"),
    ("conv1_pad", {"padding": [[2, 2], [2, 2]]}, "conv1_conv (Conv2D) follows a padding of 2; 3 expected"),
    (
        "conv1_pad",
        {"padding": [[3, 3], [2, 4]]},
        "conv1_pad (ZeroPadding2D) pads [[3, 3], [2, 4]]; the same on all sides expected",
    ),
    ("conv1_conv", {"strides": [1, 1]}, "conv1_conv (Conv2D) must have stride 2"),
    (
        "conv1_conv",
        {"kernel_size": [5, 5]},
        "conv1_conv (Conv2D) has kernel (5, 5); a plain 7x7 convolution expected",
    ),
    (
        "conv1_relu",
        {"activation": "elu"},
        "conv1_relu (Activation) of function elu where a ResNet has a plain ReLU",
    ),
]


@pytest.mark.parametrize(("layer", "settings", "reason"), STEMS)
def test_other_stems(layer, settings, reason):
    """What is different is named."""
    w = walk(changed(config_of(), layer, **settings))
    refused(reason, find_stem, w, at(w, "pool1_pool"))


def test_stems_of_other_layers():
    """A layer that is left out, or in another's place; the words of Keras 1 for the pool."""
    for layer, reads, reason in (
        ("conv1_conv", "input_layer", "conv1_conv (Conv2D) follows a padding of 0; 3 expected"),
        ("conv1_bn", "conv1_pad", "conv1_pad (ZeroPadding2D) where a ResNet has a Conv2D"),
        ("conv1_relu", "conv1_conv", "conv1_conv (Conv2D) where a ResNet has a BatchNormalization"),
        ("pool1_pad", "conv1_bn", "conv1_bn (BatchNormalization) where a ResNet has a ReLU"),
    ):
        w = walk(rewired(config_of(), layer, reads))
        refused(reason, find_stem, w, at(w, "pool1_pool"))
    for mode, fits in (("valid", True), ("same", False)):
        config = changed(config_of(), "pool1_pool", border_mode=mode)
        found = next(e for e in config["config"]["layers"] if e["name"] == "pool1_pool")
        del found["config"]["padding"]
        w = walk(config)
        if fits:
            assert find_stem(w, at(w, "pool1_pool")).pool_padding == 1
        else:
            refused(
                f'{POOL} has padding "same", which Keras\'s ResNets do not have',
                find_stem,
                w,
                at(w, "pool1_pool"),
            )
    config = changed(config_of(), "pool1_pool", pool_size=None, strides=None)
    w = walk(config)
    refused(f"{POOL} is not a 3x3 pool of stride 2", find_stem, w, at(w, "pool1_pool"))
    assert SMALL.pool_padding == 1
