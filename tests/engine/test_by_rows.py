"""Rows shared by threads: every row once, in pieces, and the same network however it is cut."""

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.pieces import product

from npcam import resnet
from npcam.engine import Engine, by_rows
from npcam.engine.filters import fold_network
from npcam.engine.program import Program, Recorder
from npcam.engine.schedule import make_schedule
from npcam.engine.team import Team
from npcam.resnet import Architecture


@pytest.mark.parametrize(
    "budgets", [(1, 1, 1), (9_000, 4_000, 1_000), (10**9, 9_000, 8_000), (10**9, 10**9, 10**9)]
)
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("n", [1, 6])
def test_pieces_of_any_size(budgets, threads, n, monkeypatch):
    """Row by row or all at once, strides and Winograd's tiles among them: the network of `resnet`."""
    for name, budget in zip(("STEM_BUDGET", "TILES_BUDGET", "POINTS_BUDGET"), budgets, strict=True):
        monkeypatch.setattr(by_rows, name, budget)
    monkeypatch.setattr("npcam.engine.geometry.FEW_TILES", 0)
    arch = Architecture(blocks=(2, 2, 2), strides=(1, 2, 2))
    tensors = random_tensors(arch, 6)
    x = np.random.default_rng(0).uniform(-120, 150, (n, 90, 101, 3)).astype(np.float32)
    name = resnet.last_activation(arch)
    wide = {la: {m: a.astype(np.float64) for m, a in arrays.items()} for la, arrays in tensors.items()}
    expected = resnet.features(x.astype(np.float64), wide, arch)
    found = Engine(arch, tensors, threads=threads).run(x, [name]).activations[name]
    assert np.abs(found - expected).max() < 64 * np.finfo(np.float32).eps * expected.max()


def pieces(program, layer):
    """(Positions or tiles, channels) that the matmuls of a layer make, Winograd's transforms left out."""
    ops = [op for phase in program.phases for ops in phase for op in ops if op.layer == layer]
    return [product(op) for op in ops if product(op)]


def test_pieces_of_full_sizes():
    """In ResNet-50's widths, as many pieces as the numbers in hand at a time demand.

    They are 2^19 in the stem's columns, 5 2^18 in Winograd's tiles (9 / 4 per number of the input) or the
    columns of a 3x3 (9 per number), and 2^19 in what a 1x1 makes.
    """
    arch = Architecture(blocks=(2, 1), strides=(1, 2))
    network = fold_network(random_tensors(arch, 64), arch, Team(1))
    found = {}
    for size in (224, 1120):
        schedule = make_schedule(network, 1, (size, size), 1)
        program = Program([Recorder(np.float32)], np.float32)
        y = by_rows.record_stem(program, schedule, np.zeros((1, size + 6, size + 6, 3), np.float32))
        assert y.shape == (1, size // 8, size // 8, 512)
        blocks = ("conv1_conv", "conv2_block1_2_conv", "conv2_block1_3_conv", "conv2_block2_2_conv")
        found[size] = [pieces(program, layer) for layer in blocks]
    stem, conv2, last, _ = found[224]
    assert [positions // 112 for positions, _ in stem] == [28, 29, 29, 29]
    assert len(conv2) == 1
    assert last == [(1568, 256)] * 2
    stem, conv2, last, skipping = found[1120]
    assert len(stem) == -(-280 * 1120 * 147 // 2**19)
    assert len(conv2) == -(-280 * 280 * 64 * 9 // 4 // (5 * 2**18))
    rows = [tiles // 70 * 4 for tiles, _ in conv2]
    assert sum(rows) == 280
    assert len(last) == sum(-(-high * 280 * 256 // 2**19) for high in rows)
    assert len(skipping) == -(-140 * 140 * 64 * 9 // (5 * 2**18))
    assert max(positions for positions, _ in last) * 256 <= 2**19
