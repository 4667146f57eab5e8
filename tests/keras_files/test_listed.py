"""What a file of weights alone lists besides its weights: taken for a ResNet's, refused by name, or said."""

import pytest

from npcam import InputError
from npcam.keras_files.arrays import SavedLayer
from npcam.keras_files.listed import check_counts, check_listed, listed_kinds
from npcam.keras_files.walk import IDENTITIES

WEIGHTED = SavedLayer(("resnet50",), (), ("an array",))  # only whether there are any is looked at
RESNET = (
    "input_2",
    "conv1_pad",
    "conv1_relu",
    "pool1_pool",
    "conv2_block1_1_relu",
    "conv2_block1_add",
    "add_7",
)
TOP = ("avg_pool", "dropout_1", "flatten", "softmax", "re_lu_3", "activation_48", "max_pooling2d_1")
COMPUTES = (
    *(
        "cropping2d",
        "up_sampling2d_1",
        "permute",
        "concatenate_2",
        "multiply",
        "average",
        "lambda_1",
        "subtract",
    ),
    *("unit_normalization", "leaky_re_lu_4", "elu", "attention", "global_average_pooling1d", "true_divide_1"),
)
FRONT = (
    "rescaling_1",
    "normalization",
    "resizing",
    "tf.math.truediv_1",
    "slicing_op_lambda",
    "tf_op_lambda_1",
    "tf_op_layer_Sub",
)


def bare(*names):
    """Layers without weights, in the older layout."""
    return [SavedLayer((name,), (), ()) for name in names]


def numbered(*names, attribute=False, above=()):
    """Layers without weights, in the newer layout."""
    return [SavedLayer((), (*above, name), (), attribute) for name in names]


def refused(saved, reason, told=False):
    """Refused in one line that begins so."""
    with pytest.raises(InputError) as error:
        check_listed(saved, told, "x.h5")
    assert str(error.value).startswith(f"x.h5: {reason}")


def test_what_a_resnet_is_made_of():
    """Its own layers, its head's, and those that do nothing outside of training: nothing is unknown."""
    found = check_listed([*bare(*RESNET), WEIGHTED, *bare(*TOP, *IDENTITIES)], False, "x.h5")
    assert found == ((), True, ())
    assert check_listed([*bare(*RESNET), WEIGHTED], False, "x.h5").pooled is False
    assert (
        check_listed(numbered("functional", "zero_padding2d", "random_flip_2"), False, "x.h5").unknown == ()
    )


@pytest.mark.parametrize("name", COMPUTES)
def test_what_computes(name):
    """It is refused by its own name, in both layouts, and whatever is said of the preprocessing."""
    for saved in (bare(name), [WEIGHTED, *bare(name)], numbered(name), numbered(name, above=("functional",))):
        for told in (False, True):
            refused(saved, f"{name} stands in the file, and weights alone do not say what it is given", told)


@pytest.mark.parametrize("name", FRONT)
def test_what_may_stand_in_front(name):
    """A person may say what it does; behind the ResNet, as far as the order tells, nobody can."""
    reason = f"{name} stands in the file, and weights alone do not say what it does"
    whole = "; convert a file that holds the whole model"
    say = ", or say with --preprocessing what it does to a photograph"
    refused([*bare(name), WEIGHTED], f"{reason}{whole}{say}")
    assert check_listed([*bare(name), WEIGHTED], True, "x.h5").front == (name,)
    with pytest.raises(InputError, match=f"{whole}$"):
        check_listed([WEIGHTED, *bare(name)], True, "x.h5")


def test_poolings():
    """A maximum is one by its class, or by the name that Keras gives it; an average by either."""
    for name in ("global_max_pooling2d_1", "max_pool", "GlobalMaxPool2D"):
        for saved in (bare(name), numbered(name)):
            refused(saved, f"{name} is global max pooling")
    refused(bare("global_max_pooling2d", "global_average_pooling2d"), "global_max_pooling2d is global max")
    assert check_listed(bare("max_pool", "avg_pool"), False, "x.h5").pooled  # the ResNet's own, renamed
    for name in ("global_average_pooling2d_3", "avg_pool", "average_pooling2d", "global_avg_pool2d"):
        assert check_listed(bare(name), False, "x.h5").pooled


def test_names_that_tell_nothing():
    """A person's own name is noted; an own class is refused; a model or an attribute is neither."""
    assert check_listed([*bare("gap", "relu1"), WEIGHTED], False, "x.h5").unknown == ("gap",)
    refused(numbered("soft_pool"), "soft_pool stands in the file")
    assert check_listed(numbered("pool", attribute=True), False, "x.h5").unknown == ("pool",)
    model = [*numbered("backbone", attribute=True), *numbered("add", above=("backbone",))]
    assert check_listed(model, False, "x.h5").unknown == ()


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("add", "conv2_block1_add", "merge_1"), "3 additions are listed, 2 expected"),
        (("conv1_pad", "pool1_pad", "zero_padding2d"), "3 zero paddings are listed, 2 expected"),
        (("max_pooling2d", "pool1_pool"), "2 max poolings are listed, 1 expected"),
        (("average_pooling2d", "global_average_pooling2d"), "2 average poolings are listed, 1 expected"),
    ],
)
def test_more_than_a_resnet_has(names, reason):
    """Then one of them stands elsewhere, and nothing tells which."""
    with pytest.raises(InputError, match=reason):
        check_counts(bare(*names), 2, "x.h5")
    check_counts(bare(*names[1:]), 2, "x.h5")


def test_beside_a_nested_model():
    """In the older layout a nested model is one layer: what is listed beside it is not the ResNet's."""
    arrays = tuple(type("Array", (), {"layer": name}) for name in ("conv1_conv", "conv1_bn"))
    nested = SavedLayer(("resnet50",), (), arrays)
    for name, reason in (("zero_padding2d", "1 zero paddings"), ("add", "1 additions")):
        with pytest.raises(InputError, match=f"{reason} are listed, 0 expected"):
            check_counts([*bare(name), nested], 2, "x.h5")
        check_counts([*bare(name, "max_pooling2d"), nested], 2, "x.h5")
    check_counts([*bare("avg_pool"), nested], 2, "x.h5")
    flat = [SavedLayer((array.layer,), (), (array,)) for array in arrays]
    check_counts([*bare("add", "conv1_pad"), *flat], 2, "x.h5")


def test_kinds():
    """Classes are counted without their numbers, by the slot where there is one."""
    saved = [*bare("zero_padding2d", "zero_padding2d_1"), SavedLayer(("my_pad",), ("zero_padding2d_2",), ())]
    assert listed_kinds(saved) == {"zeropadding2d": 3}
