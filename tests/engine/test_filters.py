"""Weights as the engine multiplies with them, against the layers that they stand for."""

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.pieces import small_pieces
from helpers.rounding import assert_within_rounding

from npcam import ops
from npcam.engine import filters, slices
from npcam.engine.filters import block_size, fold_batch_norm, fold_network, transform_blocks
from npcam.engine.slices import slices_of
from npcam.engine.strides import block_strides
from npcam.engine.team import Team
from npcam.engine.winograd import F2, F4, transform_filters
from npcam.resnet import Architecture

ARCH = Architecture(blocks=(2, 1), strides=(1, 2))


def conv_bn(x, tensors, name):
    """A convolution and its batch norm in float64."""
    conv = {n: a.astype(np.float64) for n, a in tensors[f"{name}_conv"].items()}
    bn = {n: a.astype(np.float64) for n, a in tensors[f"{name}_bn"].items()}
    return ops.batch_norm(ops.conv2d(x, **conv), **bn, epsilon=ARCH.epsilon)


@pytest.mark.parametrize("bias", [True, False])
def test_one_convolution_for_two_layers(bias):
    """conv(x, kernel) + bias is the batch norm of the convolution, with and without its own bias."""
    tensors = dict(random_tensors(ARCH, 3, dtype=np.float64))
    if not bias:
        tensors["conv2_block1_2_conv"] = {"kernel": tensors["conv2_block1_2_conv"]["kernel"]}
    x = np.random.default_rng(0).normal(size=(1, 5, 4, 3))
    kernel, offset = fold_batch_norm(tensors, "conv2_block1_2_conv", "conv2_block1_2_bn", ARCH)
    found, expected = ops.conv2d(x, kernel, offset), conv_bn(x, tensors, "conv2_block1_2")
    size = ops.conv2d(abs(x), abs(kernel), abs(offset) + 3)
    assert_within_rounding(found, expected, size, 40, np.float64)


def test_folded_into_memory_that_is_given():
    """The kernel lies there, in its own type; the bias is float64."""
    tensors = random_tensors(ARCH, 3)
    room = np.empty((3, 3, 3, 3), np.float32)
    folded = fold_batch_norm(tensors, "conv2_block1_2_conv", "conv2_block1_2_bn", ARCH, room)
    assert folded.kernel is room
    assert folded.bias.dtype == np.float64
    alone = fold_batch_norm(tensors, "conv2_block1_2_conv", "conv2_block1_2_bn", ARCH)
    assert np.array_equal(alone.kernel, room)


def whole(kernel):
    """A kernel (S, ..., K / S) without its slices, (..., K)."""
    return np.concatenate(list(kernel), axis=-1)


@pytest.mark.parametrize("team", [1, 2, 3, 5])
@pytest.mark.parametrize(("large", "unpacked"), [(0, 0), (1 << 21, 0), (1 << 21, 1500)])
def test_a_blocks_convolutions(team, large, unpacked, monkeypatch):
    """With the floors that the activations are kept by, kernels and last biases make the true outputs.

    Also where the kernels lie in slices, and where the last one has rows to spare.
    """
    monkeypatch.setattr(slices, "LARGE", large)
    if unpacked:
        small_pieces(monkeypatch)
    tensors = random_tensors(ARCH, 6, dtype=np.float64)
    network = fold_network(tensors, ARCH, Team(team), unpacked)
    assert [block.kernel_3.shape[1] for block in network.blocks] == [13, 7, 39 if unpacked else 37]
    assert [block.name for block in network.blocks] == ["conv2_block1", "conv2_block2", "conv3_block1"]
    stem = fold_batch_norm(tensors, "conv1_conv", "conv1_bn", ARCH)
    assert np.array_equal(network.stem, stem.kernel.reshape(147, -1))
    assert np.array_equal(network.stem_floor, -stem.bias)
    rng = np.random.default_rng(0)
    for i, block in enumerate(network.blocks):
        kernels = [whole(kernel) for kernel in (block.kernel_1, block.kernel_2, block.kernel_3)]
        assert block.large == (not large)
        stored = block.kernel_1, block.kernel_2, block.kernel_3
        for kernel, plain in zip(stored, kernels, strict=True):
            width = 4 if unpacked else slices.SLICE
            count = slices_of(plain.shape[-1], 1 if unpacked else team, width)
            assert len(kernel) == (count if block.large or unpacked else 1)
        assert block.channels == tuple(kernel.shape[-1] for kernel in kernels)
        x = rng.normal(size=(1, 4, 5, len(kernels[0])))
        kept = x if i else x + network.stem_floor  # the first block's input is kept minus the stem's bias
        y = ops.relu(conv_bn(x, tensors, f"{block.name}_1"))
        y1 = np.maximum(kept @ kernels[0], block.floor_1)
        assert np.allclose(y1 - block.floor_1, y, rtol=0, atol=1e-12)
        expected = ops.relu(conv_bn(y, tensors, f"{block.name}_2"))
        y2 = np.maximum(ops.conv2d(y1, kernels[1]), block.floor_2)
        assert np.allclose(y2 - block.floor_2, expected, rtol=0, atol=1e-12)
        expected = conv_bn(expected, tensors, f"{block.name}_3")
        beside = kept[:, 1:-1, 1:-1]
        ones = np.ones((*y2.shape[:3], len(kernels[2]) - y2.shape[3] - block.projects * beside.shape[3]))
        if block.projects:
            expected = expected + conv_bn(x, tensors, f"{block.name}_0")[:, 1:-1, 1:-1]
        joined = np.concatenate([y2, *([beside] if block.projects else []), ones], axis=3)
        assert np.allclose(joined @ kernels[2], expected, rtol=0, atol=1e-12)


def test_sizes_and_what_may_be_done_in_place():
    """A block's numbers are those of its kernels and one bias; a whole shortcut lets it work in place."""
    tensors, strides = random_tensors(ARCH, 3), block_strides(ARCH)
    blocks = fold_network(tensors, ARCH, Team(1)).blocks
    for block, plain in zip(blocks, strides, strict=True):
        parts = "0123" if plain.projects else "123"
        kernels = sum(tensors[f"{plain.name}_{part}_conv"]["kernel"].size for part in parts)
        assert block.size == block_size(tensors, plain) == kernels + block.channels[2]
    assert [block.projects for block in blocks] == [True, False, True]
    assert not any(block.in_place for block in blocks)  # the second skips what conv3 does not read
    arch = Architecture(blocks=(3,), strides=(2,))
    blocks = fold_network(random_tensors(arch, 3), arch, Team(1)).blocks
    assert [block.in_place for block in blocks] == [False, True, True]


def test_winograds_form_is_made_once(monkeypatch):
    """When it is asked for, and then it is there; each form by itself."""
    block = fold_network(random_tensors(ARCH, 3), ARCH, Team(1)).blocks[0]
    made = []
    monkeypatch.setattr(
        filters, "transform_filters", lambda *given: made.append(transform_filters(*given)) or made[-1]
    )
    assert not made
    assert block.transformed(F4) is block.transformed(F4) is made[0]
    assert block.transformed(F2) is block.transformed(F2) is made[1]
    assert len(made) == 2
    assert np.array_equal(made[0], transform_filters(block.kernel_2))


def test_all_forms_in_one_piece_of_memory():
    """Those that are missing; one that is there stays what it was."""
    blocks = fold_network(random_tensors(ARCH, 3), ARCH, Team(2)).blocks
    first = blocks[0].transformed(F2)
    assert [block.has(F2) for block in blocks] == [True, False, False]
    transform_blocks([(block, form) for block in blocks for form in (F2, F4)], Team(2))
    assert blocks[0].transformed(F2) is first
    made = [block.transformed(form) for block in blocks for form in (F2, F4)][1:]
    memory = made[0].base
    assert all(form.base is memory for form in made)
    assert memory.size == sum(form.size for form in made)
    for block in blocks:
        assert np.array_equal(block.transformed(F4), transform_filters(block.kernel_2, F4))
    transform_blocks([], Team(1))
