"""`tools/balance.py`: what an operation takes, which tasks there are, and how threads would share them."""

import itertools
import sys
import threading
import time

import balance
import numpy as np
import pytest
from benchmarks import ops, tasks
from helpers.networks import random_tensors, small_file
from numpy.lib.stride_tricks import as_strided

from npcam.engine import Engine, passes
from npcam.engine.program import Op, run_ops
from npcam.resnet import Architecture
from npcam.weights import Weights

SMALL = Architecture(blocks=(1, 2), strides=(1, 2))


def by_the_clock(costs, threads):
    """Whole seconds, one after the other: at each, whoever is free takes the next task in order."""
    waiting, left, now = list(costs), [0] * threads, 0
    while waiting or any(left):
        for i in range(threads):
            while left[i] == 0 and waiting:
                left[i] = waiting.pop(0)
        left = [max(seconds - 1, 0) for seconds in left]
        now += 1
    return now


def best(costs, threads):
    """The earliest end that there is, of all ways to give the tasks to the threads."""
    return min(
        max(sum(c for c, t in zip(costs, taken, strict=True) if t == thread) for thread in range(threads))
        for taken in itertools.product(range(threads), repeat=len(costs))
    )


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_sharing_against_a_clock_and_against_all_ways(threads):
    """The end is that of a clock that ticks, and within Graham's bound, 2 - 1/threads, of the best way."""
    rng = np.random.default_rng(threads)
    for _ in range(40):
        costs = rng.integers(1, 9, rng.integers(1, 7)).tolist()
        end, least = tasks.makespan(costs, threads), best(costs, threads)
        assert end == by_the_clock(costs, threads)
        assert least <= end <= (2 - 1 / threads) * least


def test_the_order_of_tasks_matters():
    """A long task that comes last is waited for; nothing is sorted for the better."""
    assert [tasks.makespan(costs, 2) for costs in ([1, 1, 1, 1, 4], [4, 1, 1, 1, 1])] == [6, 4]


def test_a_balance_adds_up():
    """One thread never waits; with a thread for every task of a phase, only the critical path is left."""
    costs = [[5, 3, 2], [7], [1, 1, 1, 1]]
    alone = tasks.balance(costs, 1)
    assert (alone.total, alone.work, alone.waited, alone.meetings, alone.tasks) == (21, 21, 0, 0, 8)
    many = tasks.balance(costs, 4)
    assert (many.total, many.critical, many.meetings) == (13, 13, 3)
    assert many.waited == pytest.approx((2 + 3 + 5 + 3 * 7) / (4 * 13))  # who waits in which phase
    two = tasks.balance(costs, 2)
    assert two.total == sum(by_the_clock(phase, 2) for phase in costs) == 5 + 7 + 2


def addresses(array):
    """Every byte that an array's elements lie in."""
    start = array.__array_interface__["data"][0]
    steps = array.strides
    firsts = {start + sum(i * s for i, s in zip(at, steps, strict=True)) for at in np.ndindex(array.shape)}
    return {first + i for first in firsts for i in range(array.itemsize)}


def test_what_a_matmul_takes():
    """Sums as loops count them, every number read or written once, and the longer of the two."""
    a, b, y = (np.ones(shape, np.float32) for shape in ((2, 5, 7), (7, 3), (2, 5, 3)))
    op = Op(np.matmul, a, b, out=y)
    counted = sum(2 for _ in np.ndindex(2, 5, 3) for _ in range(7))
    assert ops.products(op) == counted == 420
    moved = sum(len(addresses(array)) for array in (a, b, y))
    assert ops.touched(op) == moved == 4 * (70 + 21 + 30)
    assert ops.seconds(op, ops.Core(100.0, 1e9)) == pytest.approx(counted / 100)
    assert ops.seconds(op, ops.Core(1e9, 100.0)) == pytest.approx(moved / 100)


def test_what_other_operations_take():
    """Memory alone: slices what they hold, overlapping windows and repeated vectors what lies under them."""
    x = np.zeros((9, 9, 4), np.float32)
    windows = as_strided(x, (7, 7, 3, 12), (*x.strides[:2], x.strides[0], 4))
    y, some, bias = np.zeros((7, 7, 3, 12), np.float32), x[..., 1:3], np.zeros(2, np.float32)
    for arrays in ((y, windows), (some, some), (some, np.broadcast_to(bias, some.shape)), (x[:0], x[:0])):
        op = Op(np.copyto, *arrays)
        assert ops.touched(op) == sum(len(addresses(array)) for array in arrays)
        assert ops.products(op) == 0
    added = Op(np.add, some, some, out=some)
    assert ops.touched(added) == 3 * len(addresses(some))  # read twice and written


def test_the_core_by_a_clock(monkeypatch):
    """Of several runs the best one counts."""
    for measure, work in ((ops.sgemm_peak, 2 * 8**3), (ops.copy_bandwidth, 2 * 4 * 8)):
        ticks = iter([0.0, 4.0, 10.0, 12.0, 20.0, 23.0])
        monkeypatch.setattr(time, "perf_counter", lambda ticks=ticks: next(ticks))
        assert measure(8, runs=3) == pytest.approx(work / 2)


@pytest.mark.parametrize("photographs", [1, 5])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_tasks_are_those_that_the_engine_does(threads, photographs, monkeypatch):
    """The operations are those of a run of the engine, by layer and size; no thread is started for them."""
    weights = Weights(SMALL, random_tensors(SMALL), (40, 56), "made up")
    x = np.random.default_rng(0).normal(size=(photographs, 40, 56, 3)).astype(np.float32)
    lock, done = threading.Lock(), []

    def noted(recorded):
        run_ops(recorded)
        with lock:
            done.extend(recorded)

    with monkeypatch.context() as patch:
        patch.setattr(passes, "run_ops", noted)
        Engine(SMALL, weights.tensors, threads=threads).run(x)
    started = threading.active_count()
    copy, run = np.copyto, passes.run_ops
    phases = tasks.recorded_phases(tasks.folded(weights, threads), threads, photographs, (40, 56))
    assert threading.active_count() == started
    assert (np.copyto, passes.run_ops) == (copy, run)
    recorded = [op for phase in phases for task in phase for op in task]
    copies = [op for op in recorded if not hasattr(op, "layer")]  # which a pass does by itself
    both = [
        sorted((op.layer, op.func.__name__, ops.products(op), ops.touched(op)) for op in some)
        for some in ([op for op in recorded if hasattr(op, "layer")], done)
    ]
    assert both[0] == both[1]
    assert sum(products > 0 for _, _, products, _ in both[0]) >= 10  # the stem, and three of each block
    copied = sum(op.args[1].nbytes for op in copies if op.args[1].shape[-1] == 3)
    alone = 1 if photographs == 1 else photographs % threads  # photographs that all threads share
    twice = 7 * (threads - 1) * alone  # rows that two neighbours read
    assert copied == x.nbytes + twice * x[0, 0].nbytes


def test_sixteen_threads_are_not_needed():
    """More threads than this machine has share one photograph in tasks that add up to the same products."""
    weights = Weights(SMALL, random_tensors(SMALL), (224, 224), "made up")
    sums, started = {}, threading.active_count()
    for threads in (1, 16):
        phases = tasks.recorded_phases(tasks.folded(weights, threads), threads, 1, (224, 224))
        sums[threads] = sum(ops.products(op) for phase in phases for task in phase for op in task)
    assert threading.active_count() == started
    # rows of the 7x7 that two shares need are done twice
    assert sums[1] <= sums[16] <= 1.5 * sums[1]


def test_the_table(tmp_path, capsys, monkeypatch):
    """A row per number of threads; speed-up and waiting follow from its times; it says how it came about."""
    command = ["balance.py", "--weights", small_file(tmp_path / "small.h5"), "--size", "64"]
    command += ["--threads", "1,2,4", "--peak", "0.01", "--bandwidth", "0.01"]
    monkeypatch.setattr(sys, "argv", command)
    balance.main()
    first, _, _, head, _, *rows = capsys.readouterr().out.splitlines()
    assert first == "computed, not measured: batch 1, 64x64;"
    names = [cell.strip() for cell in head.strip("|").split("|")]
    found = [dict(zip(names, (c.strip() for c in row.strip("|").split("|")), strict=True)) for row in rows]
    assert [row["threads"] for row in found] == ["1", "2", "4"]
    totals = [float(row["total ms"]) for row in found]
    assert totals[0] > totals[1] > totals[2] > 20  # so that a digit after the point is 0.3 % at most
    for row, total in zip(found, totals, strict=True):
        threads, work = int(row["threads"]), float(row["work ms"])
        assert float(row["speed-up"].rstrip("x")) == pytest.approx(totals[0] / total, rel=0.005, abs=0.005)
        assert float(row["waited"].rstrip("%")) == pytest.approx(100 * (1 - work / threads / total), abs=1)
        assert float(row["critical path ms"]) <= total <= work
