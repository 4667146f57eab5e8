"""Files from strangers: refused by name, in one line, in bounded time and memory, with nothing run."""

import io
import json
import re
import shutil
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from helpers.handmade_keras import (
    config_of,
    entry,
    tensors_of,
    write_h5,
    write_keras,
    write_weights_h5,
    write_zip,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npcam import InputError
from npcam.common.limits import MAX_MESSAGE
from npcam.convert.conversion import convert
from npcam.convert.inspection import inspect
from npcam.keras_files import read_keras
from npcam.resnet import Architecture
from npcam.weights import read_weights

pytestmark = pytest.mark.slow  # many files, damaged in many ways

ARCH = Architecture(blocks=(1, 1), strides=(1, 2))
CONFIG, TENSORS = config_of(ARCH, width=4), tensors_of(ARCH, width=4)
KERNEL = "layers/conv2d/vars/0"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """One small ResNet in each layout."""
    folder = tmp_path_factory.mktemp("good")
    write_keras(folder / "good.keras", CONFIG, TENSORS)
    write_keras(folder / "deflated.keras", CONFIG, TENSORS, compress=True)
    write_weights_h5(folder / "good.weights.h5", CONFIG, TENSORS)
    write_h5(folder / "good.h5", CONFIG, TENSORS, as_text=True)
    convert(folder / "good.keras", folder / "npcam.h5")
    with h5py.File(folder / "good.h5") as a, h5py.File(folder / "gzip.h5", "w") as b:
        b.attrs.update(a.attrs)

        def compress(name, node):
            if isinstance(node, h5py.Dataset):
                b.create_dataset(name, data=node[...], chunks=True, compression="gzip", shuffle=True)
            else:
                b.require_group(name).attrs.update(node.attrs)

        a.visititems(compress)
    return folder


def refused(path, reason):
    """The file is refused with one line that says why; inspecting it says the same, and never fails."""
    with pytest.raises(InputError, match=reason) as error:
        read_keras(path)
    message = str(error.value)
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) <= MAX_MESSAGE + 3
    assert not inspect(path).converts


def without(file, name):
    """The shape of a dataset that is taken out of a file."""
    shape = file[name].shape
    del file[name]
    return shape


def external(file):
    shape = without(file, KERNEL)
    file.create_dataset(KERNEL, shape, "f4", external=[("/dev/zero", 0, 4 * int(np.prod(shape)))])


def virtual(file):
    shape = without(file, KERNEL)
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource("good.weights.h5", KERNEL, shape)
    file.create_virtual_dataset(KERNEL, layout)


def replaced(data, **options):
    """Put something else where a kernel belongs."""

    def change(file):
        without(file, KERNEL)
        file.create_dataset(KERNEL, data=data, **options)

    return change


def declared(shape, **options):
    """Declare a shape and store nothing."""

    def change(file):
        without(file, KERNEL)
        file.create_dataset(KERNEL, shape, "f4", **options)

    return change


def chunk_bomb(file):
    """A chunk of the right size on paper, which inflates to 64 MiB."""
    shape = without(file, KERNEL)
    dataset = file.create_dataset(KERNEL, shape, "f4", chunks=shape, compression="gzip")
    dataset.id.write_direct_chunk((0,) * 4, zlib.compress(bytes(2**21)))


def huge_chunk(file):
    without(file, "layers/conv2d/vars/1")
    file.create_dataset(
        "layers/conv2d/vars/1", (4,), "f4", maxshape=(None,), chunks=(2**28,), compression="gzip"
    )


def links(target, name=KERNEL):
    def change(file):
        del file[name]
        file[name] = target

    return change


def cycle(file):
    file["layers/functional/layers"] = file["layers"]


def poisoned(value):
    def change(file):
        file[KERNEL][0, 0, 0, 0] = value

    return change


def too_large_for_float32(file):
    values = file[KERNEL][...].astype("f8")
    without(file, KERNEL)
    file[KERNEL] = values * 1e300


HDF5 = {
    "soft link": (links(h5py.SoftLink("/layers/conv2d_1/vars/0")), "conv2d/vars/0 is a link to elsewhere"),
    "external link": (links(h5py.ExternalLink("good.h5", "/x")), "conv2d/vars/0 is a link to elsewhere"),
    "external group": (links(h5py.ExternalLink("good.weights.h5", "/layers"), "layers"), "link to elsewhere"),
    "external data": (external, "keeps its data in another file"),
    "virtual data": (virtual, "keeps its data in another file"),
    "strings": (replaced(np.array(["a"], object), dtype=h5py.string_dtype()), "conv2d/vars/0 holds object"),
    "opaque": (replaced(np.void(b"abc" * 9)), "conv"),
    "integers": (replaced(np.ones((7, 7, 3, 4), "i4")), "conv2d/vars/0 holds int32"),
    "terabytes": (declared((7, 7, 3, 2**40), chunks=(7, 7, 3, 64), compression="gzip"), "cut into|stores"),
    "nothing stored": (declared((7, 7, 3, 4)), "stores 0 bytes"),
    "compression bomb": (
        replaced(np.zeros((7, 7, 3, 2**18), "f4"), chunks=(7, 7, 3, 2**15), compression="gzip"),
        "declares shape|declare far more",
    ),
    "chunk bomb": (chunk_bomb, "unpacks to more than"),
    "huge chunk": (huge_chunk, "chunks of 1073741824 bytes"),
    "unknown filter": (replaced(np.ones((7, 7, 3, 4), "f4"), compression="lzf"), "needs the HDF5 filter"),
    "cycle": (cycle, "more than any ResNet has"),
    "NaN": (poisoned(np.nan), "NaN or infinity"),
    "infinity": (poisoned(-np.inf), "NaN or infinity"),
    "beyond float32": (too_large_for_float32, "NaN or infinity"),
    "missing array": (lambda file: without(file, KERNEL), "conv2d/vars/0 is missing"),
    "missing layer": (lambda file: file.__delitem__("layers/conv2d_3"), "2 missing: conv2_block1_0_conv/k"),
    "wrong shape": (replaced(np.ones((7, 7, 3, 5), "f4")), r"conv1_conv/bias \(4,\) \(expected \(5,\)\)"),
    "group for array": (lambda file: (without(file, KERNEL), file.create_group(KERNEL)), "is a group where"),
    "array for group": (
        lambda file: (file.__delitem__("layers/conv2d"), file.__setitem__("layers/conv2d", 1.0)),
        "is an array where",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HDF5)
def test_hdf5(good, tmp_path, case):
    """What HDF5 can do besides keeping arrays is refused, by the name of the tensor."""
    change, reason = HDF5[case]
    path = tmp_path / "bad.weights.h5"
    shutil.copy(good / "good.weights.h5", path)
    with h5py.File(path, "a") as file:
        change(file)
    refused(path, reason)


def test_texts_that_all_point_to_one(good, tmp_path):
    """A list of 4,000 names, each of them the model's whole configuration: read as a claim, not copied."""
    path = tmp_path / "bad.h5"
    shutil.copy(good / "good.h5", path)
    with h5py.File(path, "a") as file:
        config = file.attrs["model_config"]
        file["model_weights"].attrs.create("layer_names", ["X" * 21] * 4000, dtype=h5py.string_dtype())
    data = bytearray(path.read_bytes())

    def references(length):
        """Where the file refers to a text of that length: its size, and the address of a heap."""
        found = data.find(struct.pack("<I", length))
        while found >= 0:
            (heap,) = struct.unpack("<Q", data[found + 4 : found + 12])
            if data[heap : heap + 4] == b"GCOL":
                yield found
            found = data.find(struct.pack("<I", length), found + 1)

    whole = next(references(len(config)))
    for at in list(references(21)):
        data[at : at + 16] = data[whole : whole + 16]
    path.write_bytes(data)
    refused(path, "claims [0-9]+ bytes of text")


def test_attributes_kept_apart(tmp_path):
    """An attribute of any size, which HDF5 would load to tell its shape."""
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.attrs["layer_names"] = np.full(100_000, b"x" * 20)
    refused(tmp_path / "a.h5", "kept apart")


def test_names_that_would_not_print(tmp_path):
    """Control characters out of a file never reach the terminal."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = ["\x1b[2J\nevil" * 20]
    refused(tmp_path / "a.h5", "is missing")


def test_archives(good, tmp_path):
    """Bombs, members that are there twice, zips in zips, and names that point outside."""
    with zipfile.ZipFile(good / "good.keras") as file:
        config, weights = (file.read(name) for name in ("config.json", "model.weights.h5"))
    path = tmp_path / "bad.keras"
    both = ("config.json", config), ("model.weights.h5", weights)
    refused(write_zip(path, both[0], *both), "config.json is in the zip twice")
    refused(write_zip(path, *both, both[1]), "model.weights.h5 is in the zip twice")
    refused(write_zip(path, *both, ("../evil", b"")), "points outside")
    refused(write_zip(path, both[0], ("model.weights.h5", path.read_bytes())), "not an HDF5 file")
    refused(write_zip(path, both[0], ("model.weights.h5", bytes(2**26)), compress=True), "as a bomb")
    refused(write_zip(path, ("config.json", b" " * 2**26 + config), both[1], compress=True), "bytes of JSON")
    refused(write_zip(path, *[(f"{i}", b"") for i in range(2000)], *both), "a zip of 2002 members")
    refused(write_zip(path, both[1]), "a .keras file holds config.json")
    write_zip(path, *both)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "ends too early")
    at = whole.find(b"\x89HDF") + len(weights) // 2
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    refused(path, "Bad CRC-32")
    encrypted = bytearray(whole)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        found = encrypted.find(signature)
        while found >= 0:
            encrypted[found + flags] |= 1
            found = encrypted.find(signature, found + 4)
    path.write_bytes(encrypted)
    refused(path, "encrypted")


def test_configurations(good, tmp_path):
    """JSON that is deep or long, 100,000 layers, layers in circles, classes that are not Keras's."""
    with zipfile.ZipFile(good / "good.keras") as file:
        text, weights = (file.read(name) for name in ("config.json", "model.weights.h5"))
    path = tmp_path / "bad.keras"

    def with_config(config):
        config = config if isinstance(config, (bytes, str)) else json.dumps(config)
        return write_zip(path, ("config.json", config), ("model.weights.h5", weights))

    refused(with_config(b"[" * 100_000 + b"]" * 100_000), "nested too deeply")
    refused(with_config(b'{"a":' * 500 + b"1" + b"}" * 500), "class None")
    refused(with_config(b"{"), "damaged JSON")
    refused(with_config(b"[1]"), "not one that Keras writes")
    config = json.loads(text)
    refused(with_config(config | {"class_name": "Evil", "module": "os"}), "class 'Evil'")
    entry = {"class_name": "Activation", "config": {}, "inbound_nodes": []}
    many = [entry | {"name": f"layer{i}"} for i in range(100_000)]
    refused(
        with_config(config | {"config": config["config"] | {"layers": many}}), "5000 layers|bytes of JSON"
    )
    by_name = {layer["name"]: layer for layer in config["config"]["layers"]}
    history = by_name["conv2_block1_1_conv"]["inbound_nodes"][0]["args"][0]["config"]["keras_history"]
    history[0] = "conv3_block1_out"
    refused(with_config(config), "reads itself")
    history[0] = "nowhere"
    refused(with_config(config), "nowhere, which is not there")
    nested = json.loads(text)
    for _ in range(20):
        nested = {"class_name": "Sequential", "config": {"name": "s", "layers": [nested | {"name": "m"}]}}
    refused(with_config(nested), "nested more than")


def test_lambda_layers_are_named_and_never_run(tmp_path):
    """A Lambda holds code; it is refused by its name."""
    config = config_of(ARCH, width=4)
    config["config"]["layers"].append(entry("Lambda", "divide", "input_layer", function={"code": "4wEAAAA="}))
    write_keras(tmp_path / "a.keras", config, TENSORS)
    refused(tmp_path / "a.keras", "layer divide .Lambda. is Python code")


FLIPPED = ["good.keras", "deflated.keras", "good.weights.h5", "good.h5", "gzip.h5", "npcam.h5"]


@pytest.mark.parametrize("name", FLIPPED)
@settings(max_examples=25, deadline=10_000, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_flipped_bytes(good, tmp_path, name, data):
    """A damaged file is read or refused; nothing else ever comes out, and inspecting it never fails."""
    whole = bytearray((good / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([None, None, None, len(whole) // 2, len(whole) - 1]))
    path = tmp_path / name
    path.write_bytes(whole[:cut])
    for read in (read_weights if name == "npcam.h5" else read_keras, inspect):
        try:
            read(path)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017, either outcome is right


def test_not_a_file_of_weights(tmp_path):
    """Nothing, text, a zip's beginning, an empty zip; a folder or no file at all is no finding, either."""
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    for data, reason in (
        (b"", r"a\.h5: is empty \(0 bytes\); get it again$"),
        (b"hello", r"a\.h5: not an HDF5 file, or a truncated one; get it again or convert it anew$"),
        (b"PK\x03\x04", r"a\.h5: a zip that ends too early; get it again$"),
        (empty.getvalue(), r"a\.h5: a zip of nothing; a \.keras file holds config\.json and model"),
    ):
        (tmp_path / "a.h5").write_bytes(data)
        refused(tmp_path / "a.h5", reason)
    for path, reason in ((tmp_path, "is a directory"), (tmp_path / "none", "no such file")):
        for read in (read_keras, inspect):
            with pytest.raises(InputError, match=reason):
                read(path)


def layouts(tensors, folder):
    """The same arrays in each of Keras's layouts, with the model's configuration and without."""
    yield write_keras(folder / "a.keras", CONFIG, tensors)
    yield write_keras(folder / "numbered.keras", CONFIG, tensors, names=False)
    yield write_weights_h5(folder / "a.weights.h5", CONFIG, tensors)
    yield write_weights_h5(folder / "numbered.weights.h5", CONFIG, tensors, names=False)
    yield write_h5(folder / "whole.h5", CONFIG, tensors)
    yield write_h5(folder / "weights.h5", CONFIG, tensors, whole=False)
    yield write_h5(folder / "keras1.h5", CONFIG, tensors, whole=False, keras1=True)


def with_array(layer, name, array):
    """The tensors of the good files, but for one array."""
    return {**TENSORS, layer: {**TENSORS[layer], name: array}}


@pytest.mark.parametrize(
    ("layer", "name", "shape"),
    [
        ("conv1_conv", "kernel", ()),
        ("conv2_block1_2_conv", "kernel", ()),
        ("conv2_block1_3_conv", "kernel", ()),
        ("conv2_block1_2_conv", "kernel", (1, 1, 4, 4)),
        ("conv2_block1_2_conv", "kernel", (3, 3, 4)),
        ("conv2_block1_2_conv", "bias", ()),
        ("conv2_block1_2_bn", "moving_variance", ()),
        ("predictions", "kernel", ()),
        ("predictions", "bias", ()),
    ],
)
def test_arrays_of_another_shape(tmp_path, layer, name, shape):
    """One number, or too few axes, where a kernel or a vector belongs: refused in every layout."""
    assert TENSORS[layer][name].shape != shape
    # Where weights have no names, the layer's class and number, or that the convolutions are no ResNet's.
    said = rf"{layer}|conv2d(_\d+)?\b|batch_normalization(_\d+)?\b|dense\b|convolutions"
    for path in layouts(with_array(layer, name, np.full(shape, 0.5, "f4")), tmp_path):
        with pytest.raises(InputError) as error:
            read_keras(path)
        assert str(error.value).startswith(f"{path}: ")
        assert re.search(said, str(error.value).removeprefix(f"{path}: ")), error.value


def test_a_missing_kernel_is_called_missing(tmp_path):
    """By its layer's name and its own, not as a layer of another kind."""
    tensors = {**TENSORS, "conv2_block1_2_conv": {"bias": TENSORS["conv2_block1_2_conv"]["bias"]}}
    for name in ("whole.h5", "weights.h5", "keras1.h5"):
        options = {"whole": name == "whole.h5", "keras1": name == "keras1.h5"}
        refused(
            write_h5(tmp_path / name, CONFIG, tensors, **options), "1 missing: conv2_block1_2_conv/kernel$"
        )


def test_a_variance_that_has_no_root(tmp_path):
    """At or below -epsilon a batch norm's root is no divisor: refused by the tensor's name; above it runs."""
    epsilon, good = np.float32(ARCH.epsilon), TENSORS["conv2_block1_2_bn"]["moving_variance"]
    for value, fine in ((-epsilon / 2, True), (0, True), (-epsilon, False), (-1, False)):
        variance = good.copy()
        variance[1] = value
        for path in layouts(with_array("conv2_block1_2_bn", "moving_variance", variance), tmp_path):
            if fine:
                assert read_keras(path).tensors["conv2_block1_2_bn"]["moving_variance"][1] == variance[1]
            else:
                refused(path, r": conv2_block1_2_bn/moving_variance holds ")
