"""What is recorded is what the schedule says, and scratch memory is not used again too early."""

from collections import defaultdict

import numpy as np
import pytest
from helpers.agreement import photographs
from helpers.networks import random_tensors
from helpers.pieces import product, small_pieces, winograd_products

from npcam.engine import Engine, passes
from npcam.engine.filters import fold_network
from npcam.engine.program import Workspace
from npcam.engine.schedule import make_schedule
from npcam.engine.team import Team
from npcam.resnet import Architecture

ARCH = Architecture(blocks=(2, 2, 2, 1))


@pytest.fixture
def ops_run(monkeypatch):
    """A list that fills with (thread's number, operation) as a pass runs, tasks one after the other."""
    seen, recorders = [], {}

    def run_ops(ops):
        for op in ops:
            op()
            seen.append((recorders.setdefault(id(ops), len(recorders)), op))

    monkeypatch.setattr(passes, "run_ops", run_ops)
    return seen


def method_of(ops):
    """How the operations of one layer compute it, as far as their matmuls tell."""
    forms = {winograd_products(op) for op in ops} - {0}
    return {36: "F(4x4,3x3)", 16: "F(2x2,3x3)"}[forms.pop()] if forms else "im2col"


def multiplications(ops):
    """Of all matmuls with a kernel."""
    return sum(op.keywords["out"].size * op.args[0].shape[-1] for op in ops if product(op))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 3, 8])
@pytest.mark.parametrize("size", [(112, 96), (136, 136)])
@pytest.mark.parametrize("unpacked", [0, 1500])
def test_what_is_printed_is_what_runs(ops_run, threads, n, size, unpacked, monkeypatch):
    """Layer by layer: method, multiplications, how it is shared, and how many photographs go at once."""
    monkeypatch.setattr("npcam.engine.engine.unpacked_products", lambda: unpacked)
    if unpacked:
        small_pieces(monkeypatch)
    monkeypatch.setattr("npcam.engine.slices.LARGE", 30_000)
    engine = Engine(ARCH, random_tensors(ARCH, 7), threads=threads)
    group = max(1, n // threads * threads) if n > 1 else 1
    steps = engine.plan(group, *size)
    engine.run(photographs(group, *size))
    assert list(dict.fromkeys(step.shared for step in steps)) == [
        "rows" if group == 1 else "photographs",
        "channels",
    ]
    by_layer = defaultdict(list)
    for _, op in ops_run:
        by_layer[op.layer].append(op)
    assert set(by_layer) - {"avg_pool", "predictions"} == {step.layer for step in steps}
    for step in steps:
        ops = by_layer[step.layer]
        assert method_of(ops) in step.method or "1x1" in step.method
        found, said = multiplications(ops), group * step.products
        if step.layer == "conv1_conv":  # rows at the edge of a piece are computed for both sides
            assert said <= found < 1.5 * said
        elif step.layer.endswith("_3_conv"):  # and the bias, and some to spare for sums in equal parts
            terms, results = said // np.prod(step.output) // group, np.prod(step.output) * group
            more, rest = divmod(found - said, results)
            assert rest == 0
            assert 1 <= more <= (terms // 16 + 2 if unpacked else 1)
        else:
            assert found == said
        if step.layer != "conv1_conv" and not step.layer.endswith("_2_conv"):
            check_shares([product(op) for op in ops if product(op)], step, threads, group)


def check_shares(parts, step, threads, group):
    """What a 1x1's matmuls make, (positions, channels), are the parts that a step tells."""
    h, w, k = step.output
    if step.shared == "channels":
        assert step.photographs == group
        assert threads <= len(parts) <= 2 * threads
        assert {m for m, _ in parts} == {group * h * w}
        assert sum(channels for _, channels in parts) == k
    elif step.shared == "photographs":
        assert parts == [(step.photographs * h * w, k)] * (group // step.photographs)
    else:
        assert step.photographs == group == 1
        assert min(2, threads) <= len(parts) <= threads
        assert {channels for _, channels in parts} == {k}
        assert sum(m for m, _ in parts) == h * w


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("channels_from", [0, 10_000, 1 << 30])
@pytest.mark.parametrize("stride_in", [1, 2])
def test_memory_is_not_used_again_too_early(n, channels_from, stride_in, monkeypatch):
    """With memory of its own for everything that is taken, filled with NaN, the results are the same."""
    monkeypatch.setattr("npcam.engine.slices.LARGE", channels_from)
    monkeypatch.setattr("npcam.engine.geometry.FEW_TILES", 3)
    arch = Architecture(blocks=(2, 2, 2, 1), stride_in=stride_in)
    tensors, x = random_tensors(arch, 7), photographs(n, 90, 75)
    expected = Engine(arch, tensors, threads=2).run(x).logits

    def take(self, name, shape):
        assert name not in self._used
        array = np.full(shape, np.nan, self._dtype)
        self._used[name] = array, array
        return array

    monkeypatch.setattr(Workspace, "take", take)
    engine = Engine(arch, tensors, threads=2)
    for _ in range(2):
        found = engine.run(x).logits
        assert np.abs(found - expected).max() <= 64 * np.finfo(np.float32).eps * np.abs(expected).max()


@pytest.mark.parametrize(("n", "photographs_kept"), [(1, 1), (4, 2)])
def test_all_scratch_memory_is_counted(n, photographs_kept, monkeypatch):
    """Every workspace once, and a padded photograph, or one for each of two threads."""
    monkeypatch.setattr("npcam.engine.slices.LARGE", 10_000)
    made, plain = [], Workspace.__init__
    monkeypatch.setattr(Workspace, "__init__", lambda self, dtype: made.append(self) or plain(self, dtype))
    network = fold_network(random_tensors(ARCH, 7), ARCH, Team(1))
    recorded = passes.record_pass(make_schedule(network, n, (64, 80), 2), Team(2))
    assert sum(scratch.nbytes > 0 for scratch in made) > 2
    padded = photographs_kept * 70 * 86 * 3 * 4
    assert recorded.nbytes == sum(scratch.nbytes for scratch in made) + padded
    assert recorded.photographs == n


def test_threads_have_photographs_of_their_own():
    """In order: what a batch gives at each place is what the photograph there gives alone."""
    engine, x = Engine(ARCH, random_tensors(ARCH, 7), threads=3), photographs(6, 64, 80)
    together = engine.run(x).logits
    for i in range(6):
        alone = engine.run(x[i : i + 1]).logits[0]
        assert np.abs(together[i] - alone).max() <= 64 * np.finfo(np.float32).eps * np.abs(alone).max()


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("pool_padding", [0, 1])
@pytest.mark.parametrize("size", [(32, 40), (75, 50), (90, 71)])
def test_nothing_of_the_photograph_before_is_left(threads, pool_padding, size):
    """Each share takes the rows that it reads: the second photograph's bits are those of a new engine."""
    arch = Architecture(blocks=(1, 1), strides=(1, 2), pool_padding=pool_padding)
    tensors, (first, second) = random_tensors(arch, 5), photographs(2, *size)
    used = Engine(arch, tensors, threads=threads)
    used.run(first[None])
    assert np.array_equal(
        used.run(second[None]).logits, Engine(arch, tensors, threads=threads).run(second[None]).logits
    )
