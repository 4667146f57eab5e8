"""Weights without their model: which ResNet they make, by names in every scheme, else by order and shapes."""

from types import SimpleNamespace

import pytest
from helpers.handmade_keras import SMALL, snake_case, tensors_of

from npcam import InputError
from npcam.keras_files.arrays import SavedArray, SavedLayer
from npcam.keras_files.weights_alone import from_weights
from npcam.layers import layers
from npcam.resnet import Architecture

TENSORS = tensors_of()
LAYERS = layers(SMALL)


UNCERTAIN = (
    "nothing in the file tells batch norm's epsilon and the padding before the pool; say with --network "
    "which one it is (keras, 2018, 2017), or convert a file that holds the whole model"
)
ONE_DENSE = "a class activation map needs global average pooling followed by exactly one Dense layer"


def old_name(name):
    """The name until 2018 of one of today's layers."""
    if name == "predictions":
        return "fc1000"
    if name.startswith("conv1"):
        return {"conv1_conv": "conv1", "conv1_bn": "bn_conv1"}[name]
    stage, block, part, kind = name.split("_")[0][4:], *name.split("_")[1:]
    letter = "abc"[int(block[5:]) - 1]
    return f"{'res' if kind == 'conv' else 'bn'}{stage}{letter}_branch{('1', '2a', '2b', '2c')[int(part)]}"


def array(shape, layer="", weight=""):
    """An array of which only the shape is known."""
    return SavedArray(layer, weight, SimpleNamespace(shape=shape, extent=shape, whole_numbers=None))


def named(name=str, weights=True, tensors=TENSORS):
    """The older layout of today's network: its layers by any name, its arrays by theirs or by order."""
    return [
        SavedLayer(
            (name(layer),),
            (),
            tuple(array(a.shape, name(layer), n if weights else "") for n, a in arrays.items()),
        )
        for layer, arrays in tensors.items()
    ]


def bare(*names):
    """Layers without weights, in the older layout."""
    return [SavedLayer((name,), (), ()) for name in names]


def numbered(with_names=False, tensors=TENSORS, above=()):
    """The newer layout of today's network, with the names of its layers or without."""
    saved, numbers = [], {}
    for layer in LAYERS:
        stem = snake_case(layer.kind)
        number = numbers[stem] = numbers.get(stem, -1) + 1
        slot = (*above, f"{stem}_{number}" if number else stem)
        path = (*("m" for _ in above), layer.name) if with_names else ()
        saved.append(
            SavedLayer(path, slot, tuple(array(a.shape) for a in tensors.get(layer.name, {}).values()))
        )
    return saved


def check(found, tensors=TENSORS, **architecture):
    """Every array is the one of its name, and the architecture is that of the file but for what is said."""
    assert {layer: list(arrays) for layer, arrays in found.arrays.items()} == {
        layer: list(arrays) for layer, arrays in tensors.items()
    }
    for layer, arrays in tensors.items():
        assert {n: d.shape for n, d in found.arrays[layer].items()} == {n: a.shape for n, a in arrays.items()}
    expected = {"blocks": SMALL.blocks, "strides": (1, 2), "pool_padding": 1, "epsilon": 1.001e-5}
    assert found.architecture == Architecture(**expected | architecture)


def refused(saved, reason, network=None):
    """Refused for exactly that reason."""
    with pytest.raises(InputError) as error:
        from_weights(saved, network, "x.h5")
    assert str(error.value) == f"x.h5: {reason}"


@pytest.mark.parametrize("weights", [True, False])
def test_todays_names(weights):
    """They are Keras's network of today, whether the arrays have names or only an order."""
    found = from_weights(named(weights=weights), None, "x.h5")
    check(found, activation="softmax")
    assert found.notes == ()


def test_by_number_and_name():
    """The newer layout with its layers' names, in a model or in one within it."""
    for above in ((), ("functional",), ("functional", "functional_1")):
        check(from_weights(numbered(True, above=above), None, "x.h5"))


def test_by_number_alone():
    """Without names the order tells, here of today's network."""
    check(from_weights(numbered(), None, "x.h5"))


def test_a_name_counts_only_where_the_file_has_it_whole():
    """A path that is shorter than the slot is that of a model around the layer."""
    saved = [
        SavedLayer(("conv1_conv",), ("functional", layer.slot[-1]), layer.arrays) for layer in numbered()
    ]
    check(from_weights(saved, None, "x.h5"))


@pytest.mark.parametrize(
    ("listed", "network"),
    [
        (("zero_padding2d_1", "max_pooling2d_1"), "2017"),
        (("conv1_pad", "max_pooling2d"), "2017"),
        (("zero_padding2d_1", "max_pooling2d_1", "flatten_1"), "2017"),
        (("conv1_pad", "pool1_pad", "max_pooling2d_1"), "2018"),
        (("zero_padding2d", "zero_padding2d_1", "pool1_pool"), "2018"),
        ((), None),
        (("zero_padding2d",), None),
        (("max_pooling2d",), None),
        (("a_zero_padding2d", "max_pooling2d"), None),
    ],
)
def test_old_names(listed, network):
    """The layers without weights tell 2017 and 2018 apart; where nothing does, the flag has to."""
    settings = {"2017": {"pool_padding": 0, "epsilon": 1e-3}, "2018": {"epsilon": 1e-3}, "keras": {}}
    saved = [*named(old_name), *bare(*listed)]
    if network is None:
        refused(saved, UNCERTAIN)
    else:
        check(from_weights(saved, None, "x.h5"), **settings[network])
    for given, expected in settings.items():
        check(from_weights(saved, given, "x.h5"), **expected)


@pytest.mark.parametrize(
    ("listed", "certain"),
    [
        (("conv1_pad", "pool1_pad", "pool1_pool"), True),
        (("zero_padding2d", "zero_padding2d_1", "max_pooling2d"), True),
        (("conv1_pad",), True),
        (("pool1_pool",), False),
        (("conv1_pad", "pool1_pool"), False),
    ],
)
def test_todays_names_among_layers_that_are_listed(listed, certain):
    """Where the pool is listed there must be two paddings."""
    saved = [*named(), *bare(*listed)]
    if certain:
        check(from_weights(saved, None, "x.h5"))
    else:
        refused(saved, UNCERTAIN)
    check(from_weights(saved, "2018", "x.h5"), epsilon=1e-3)


def test_the_network_of_2017_by_order():
    """Its shortcuts come last, it has one padding and a Flatten."""
    order = [n for n in TENSORS if n.endswith("conv")]
    order.sort(key=lambda n: (n.split("_")[:-2], {"1": 0, "2": 1, "3": 2, "0": 3}.get(n[-6], 0)))
    order.remove("conv1_conv")
    order.insert(0, "conv1_conv")
    saved = []
    for i, name in enumerate(order):
        for kind, layer in (("conv2d", name), ("batch_normalization", f"{name[:-4]}bn")):
            arrays = tuple(array(a.shape) for a in TENSORS[layer].values())
            saved.append(SavedLayer((), (f"{kind}_{i}",), arrays))
    saved.append(SavedLayer((), ("dense",), tuple(array(a.shape) for a in TENSORS["predictions"].values())))
    rest = [SavedLayer((), (name,), ()) for name in ("zero_padding2d", "max_pooling2d", "flatten")]
    found = from_weights([*saved, *rest], None, "x.h5")
    assert found.architecture.pool_padding == 0
    assert found.architecture.epsilon == 1e-3
    for layer, arrays in TENSORS.items():
        assert {n: d.shape for n, d in found.arrays[layer].items()} == {n: a.shape for n, a in arrays.items()}
    # One stage tells nothing of the order, and then the Flatten alone does.
    one = Architecture(blocks=(2,), strides=(1,))
    flat = [*rest, *(layer for layer in numbered(tensors=tensors_of(one)) if layer.arrays)]
    assert from_weights(flat, None, "x.h5").architecture.pool_padding == 0


def test_nested_models():
    """In the older layout a model is one layer, whose arrays tell of its layers; Keras may number these."""
    for name in (str, old_name, lambda layer: f"{layer}_1"):
        arrays = tuple(array for layer in named(name)[:-1] for array in layer.arrays)
        top = [layer for layer in named() if layer.path == ("predictions",)]
        saved = [SavedLayer(("resnet50",), (), arrays), *top]
        check(from_weights(saved, "keras", "x.h5"))


def test_layers_of_another_name():
    """The Dense layer may have any name, and none makes a backbone."""
    for other in ("my_dense", "fc1000", "dense_3"):
        saved = named(lambda layer, other=other: other if layer == "predictions" else layer)
        check(from_weights(saved, None, "x.h5"))
    tensors = {n: a for n, a in TENSORS.items() if n != "predictions"}
    check(from_weights(named(tensors=tensors), None, "x.h5"), tensors, activation=None)


def test_batch_norms_by_their_arrays():
    """Two to four arrays of one axis are a batch norm's."""
    for count in (2, 3, 4):
        with pytest.raises(InputError, match="layers extra besides the ResNet's"):
            from_weights([*named(), SavedLayer(("extra",), (), (array((5,)),) * count)], None, "x.h5")


def test_many_other_layers():
    """A network of another kind is not named layer by layer."""
    others = [SavedLayer((f"other_{i}",), (), (array((1, 1, 2, 2)),)) for i in range(50)]
    with pytest.raises(InputError, match=r"layers other_0, other_1, .*, other_5 and 44 more besides"):
        from_weights([*named(), *others], None, "x.h5")


def test_a_dense_layer_that_reads_whole_maps():
    """Its inputs are a multiple of the maps' channels."""
    channels = 16  # of SMALL's last maps

    def top(rows):
        tensors = {n: a for n, a in TENSORS.items() if n != "predictions"}
        return [*named(tensors=tensors), SavedLayer(("fc",), (), (array((rows, 3)), array((3,))))]

    assert TENSORS["predictions"]["kernel"].shape == (channels, 3)
    refused(
        top(4 * channels),
        "fc reads 64 values, 4 for each of 16 channels, as after a Flatten; a class activation map needs "
        "global average pooling before the Dense layer",
    )
    for rows in (channels, channels + 1, channels // 2):  # a wrong shape, which others name
        assert from_weights(top(rows), None, "x.h5").architecture.activation == "softmax"
    one = [*named()[:2], SavedLayer(("fc",), (), (array((64, 3)),))]  # no maps to compare with
    assert from_weights(one, None, "x.h5").architecture.activation == "softmax"


def test_version_2():
    """A layer that only ResNetV2 has, by its name."""
    saved = [*named(), SavedLayer(("post_bn",), (), (array((8,)),) * 4)]
    refused(saved, "layer post_bn is ResNetV2's; npcam runs ResNet (v1)")


def test_classes_of_another_name():
    """Where the file names classes, one that a ResNet has not is refused, whatever its arrays look like."""
    for kind in ("std_conv2d", "einsum_dense_1", "my_dense"):
        shapes = ((1, 1, 3, 4), (4,)) if "conv" in kind else ((16, 3), (3,))
        saved = SavedLayer((), (kind,), tuple(array(shape) for shape in shapes))
        refused(
            [*numbered(), saved],
            f"{kind} has weights {shapes[0]}, {shapes[1]}, of no layer that npcam knows in a ResNet; "
            "convert a model without it",
        )
    head = [
        layer._replace(slot=("head",), attribute=True) for layer in numbered() if layer.slot == ("dense",)
    ]
    others = [layer for layer in numbered() if layer.slot != ("dense",)]
    check(from_weights([*others, *head], None, "x.h5"))  # the attribute of a subclassed model


def test_quantised_kernels():
    """Integers are no weights of a network of floats, whatever lies beside them."""
    quantised = SimpleNamespace(shape=(16, 3), extent=(16, 3), whole_numbers="int8")
    top = SavedLayer(("head",), (), (SavedArray("head", "kernel", quantised), array((3,)), array((3,))))
    rest = named(tensors={n: a for n, a in TENSORS.items() if n != "predictions"})
    refused([*rest, top], "head is quantised (int8); npcam runs floats: save the model unquantised")


def test_the_average_that_is_not_listed():
    """Nothing tells how maps are pooled where no average is listed; a backbone does not pool."""
    top = SavedLayer(("avg_pool",), (), ())
    assert from_weights([*named(), top], None, "x.h5").pooled
    assert not from_weights(named(), None, "x.h5").pooled
    backbone = {n: a for n, a in TENSORS.items() if n != "predictions"}
    assert from_weights(named(tensors=backbone), None, "x.h5").pooled
