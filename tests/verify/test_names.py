"""Names of other programs: which layer of npcam's they mean, in every spelling that exporters have."""

import json

import pytest

from npcam.common.errors import InputError
from npcam.layers import layers
from npcam.resnet import RESNET50, Architecture
from npcam.verify.names import dotted, keras_names, read_map, torchvision_names

ALL = [layer.name for layer in layers(RESNET50)]


def torchvision(name):
    """torchvision's module for a layer of Keras's; the k-th call of a block's ReLU is `relu_k`."""
    if not name.startswith("conv") or name.startswith("conv1_"):
        stem = {"conv1_conv": "conv1", "conv1_bn": "bn1", "conv1_relu": "relu", "pool1_pool": "maxpool"}
        return stem.get(name) or {"avg_pool": "avgpool", "predictions": "fc", "input_layer": "x"}.get(name)
    stage, block, *part = name.removeprefix("conv").split("_")
    start = f"layer{int(stage) - 1}.{int(block.removeprefix('block')) - 1}"
    if part == ["out"]:
        return f"{start}.relu_2"
    if part == ["add"]:
        return f"{start}.add"
    number, kind = part
    if number == "0":
        return f"{start}.downsample.{0 if kind == 'conv' else 1}"
    if kind == "relu":
        return f"{start}.relu" + ("" if number == "1" else "_1")
    return f"{start}.{kind}{number}"


def onnx_spelling(name):
    """A module's name as `torch.onnx.export` writes it: /layer1/layer1.0/conv1/Conv_output_0."""
    parts = name.split(".")
    path = [".".join(parts[: i + 1]) for i in range(len(parts))]
    if name.startswith("layer"):
        block = f"/{parts[0]}/{'.'.join(parts[:2])}"
        if parts[2] == "add":
            return f"{block}/Add_output_0"
        down = f"downsample/downsample.{parts[3]}" if parts[2] == "downsample" else parts[2]
        return f"{block}/{down}/Op_output_0"
    return f"/{path[-1]}/Op_output_0"


SPELLINGS = {
    "modules": str,
    "wrapped": lambda name: f"model.backbone.{name}",
    "fx": lambda name: name.replace(".", "_"),
    "onnx": onnx_spelling,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_torchvisions_names(spelling):
    """Every layer of ResNet-50 but its paddings, as modules, in a wrapper, by torch.fx and out of ONNX."""
    ours = {torchvision(name): name for name in ALL if torchvision(name)}
    ours["fc"] = "logits"
    expected = {SPELLINGS[spelling](theirs): name for theirs, name in ours.items()}
    if spelling == "wrapped":
        expected["x"] = expected.pop("model.backbone.x")
    assert torchvision_names(list(expected), RESNET50) == expected
    assert len(expected) == 177 - 2


@pytest.mark.parametrize(
    "names",
    [
        ("relu", "relu_1", "relu_2"),
        ("relu1", "relu2", "relu3"),
        ("relu.0", "relu.1", "relu.2"),
        ("act1", "act2", "act3"),
    ],
)
def test_the_three_relus_of_a_block(names):
    """Counted from 0 or from 1, in any order of the file."""
    expected = ["conv2_block2_1_relu", "conv2_block2_2_relu", "conv2_block2_out"]
    theirs = [f"layer1.1.{name}" for name in names]
    assert torchvision_names(theirs, RESNET50) == dict(zip(theirs, expected, strict=True))
    assert torchvision_names(theirs[::-1], RESNET50) == dict(zip(theirs, expected, strict=True))


def test_one_relu_of_a_block_is_told_by_its_shape():
    """A hook that writes over itself keeps the last call; one that does not, the first."""
    name = "layer1.1.relu"
    assert torchvision_names([name], RESNET50) == {name: "conv2_block2_out"}
    found = torchvision_names([name], RESNET50, lambda _, layer: not layer.endswith("_out"))
    assert found == {name: "conv2_block2_1_relu"}


def test_blocks_stages_and_what_is_none():
    """A block is its output, a stage its last block's; other names are nobody's."""
    names = ["layer1", "layer1.2", "layer4.2.out", "layer5.0.conv1", "layer1.3.conv1", "layer1.0.conv4", "b"]
    assert torchvision_names(names, RESNET50) == {
        "layer1": "conv2_block3_out",
        "layer1.2": "conv2_block3_out",
        "layer4.2.out": "conv5_block3_out",
    }
    assert dotted("/layer1/layer1.0/relu_1/Relu_output_0") == "layer1.0.relu_1"
    assert dotted("/GlobalAveragePool_output_0") == "globalaveragepool"


def test_kerass_names():
    """Alone, with an output's number, and inside of a path, where the last step of a layer counts."""
    assert keras_names(ALL, RESNET50) == {name: name for name in ALL}
    names = [
        "resnet50/conv1_conv/Conv2D:0",
        "resnet50/conv1_conv/BiasAdd:0",
        "conv1_relu:0",
        "logits",
        "x",
        "q",
    ]
    assert keras_names(names, RESNET50) == {
        "resnet50/conv1_conv/Conv2D:0": "",
        "resnet50/conv1_conv/BiasAdd:0": "conv1_conv",
        "conv1_relu:0": "conv1_relu",
        "logits": "logits",
        "x": "input_layer",
    }


def test_a_map_goes_either_way(tmp_path):
    """From their names to ours or from ours to theirs; null leaves an array out."""
    path, names = tmp_path / "map.json", ["stem", "norm", "noise"]
    path.write_text(json.dumps({"stem": "conv1_conv", "norm": "conv1_bn", "noise": None, "gone": "avg_pool"}))
    expected = {"stem": "conv1_conv", "norm": "conv1_bn"}
    assert read_map(path, names, RESNET50) == {**expected, "noise": ""}
    path.write_text(json.dumps({"conv1_conv": "stem", "conv1_bn": "norm", "avg_pool": None}))
    assert read_map(path, names, RESNET50) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1]", 'expected an object such as {"stem.conv": "conv1_conv"}'),
        ('{"a": 1}', "expected an object"),
        ("{", "damaged JSON"),
        ("[" * 100_000, "nested too deeply"),
        (
            '{"a": "conv9"}',
            "'a' is mapped to 'conv9', which is no layer; `npcam summary` lists the layers' names",
        ),
    ],
)
def test_other_maps_are_refused(tmp_path, text, reason):
    """In one line that names the file."""
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(InputError) as caught:
        read_map(tmp_path / "map.json", ["a"], Architecture())
    assert str(caught.value).startswith(f"{tmp_path / 'map.json'}: ")
    assert reason in str(caught.value)
    with pytest.raises(
        InputError, match=r"none\.json: no such file; give --names keras, torchvision or a JSON"
    ):
        read_map(tmp_path / "none.json", ["a"], Architecture())
