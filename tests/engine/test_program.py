"""Scratch memory by name, and operations in the order and the phase they were recorded in."""

import numpy as np
import pytest

from npcam.engine.program import Program, Recorder, Workspace, run_ops


def test_a_name_in_use_cannot_be_taken():
    """Neither again nor for what lies elsewhere; once it is free, it can."""
    scratch = Workspace(np.float32)
    x = scratch.take("x", (2, 2))
    with pytest.raises(RuntimeError, match=r"^scratch memory: 'x' is still in use"):
        scratch.take("x", (1,))
    y = scratch.take("y", (2, 2))
    with pytest.raises(RuntimeError, match=r"^scratch memory: 'x' is still in use"):
        scratch.rename(y, "x")
    scratch.free(x)
    scratch.rename(y, "x")
    with pytest.raises(RuntimeError, match=r"^scratch memory: 'x' is still in use"):
        scratch.take("x", (1,))
    scratch.take("y", (1,))


def test_what_is_not_in_use_cannot_be_freed():
    """Twice, or as a view: what `take` gave is what is freed."""
    scratch = Workspace(np.float32)
    x = scratch.take("x", (2, 2))
    with pytest.raises(RuntimeError, match=r"^scratch memory: an array of shape \(1, 2\) that is not in use"):
        scratch.free(x[:1])
    scratch.free(x)
    with pytest.raises(RuntimeError, match="not in use"):
        scratch.free(x)
    with pytest.raises(RuntimeError, match="not in use"):
        scratch.rename(x, "y")


def test_what_is_in_use_does_not_overlap():
    """Of three sizes taken and freed at random, no two share memory, and all are of the dtype."""
    rng, scratch, used = np.random.default_rng(0), Workspace(np.float64), {}
    for i in range(200):
        if used and rng.random() < 0.5:
            scratch.free(used.pop(rng.choice(list(used))))
        else:
            used[f"{i}"] = scratch.take(f"{i}", (3, int(rng.integers(1, 9))))
        assert all(a is b or not np.shares_memory(a, b) for a in used.values() for b in used.values())
    assert {array.dtype for array in used.values()} == {np.dtype(np.float64)}


def test_the_smallest_piece_that_is_large_enough():
    """Memory grows only where nothing free fits."""
    scratch = Workspace(np.float32)
    pieces = [scratch.take(f"{n}", (n,)) for n in (30, 10, 20)]
    assert scratch.nbytes == 4 * 60
    scratch.free(*pieces)
    assert scratch.nbytes == 4 * 60
    assert scratch.take("a", (2, 5)).base is pieces[1].base
    assert scratch.take("b", (11,)).base is pieces[2].base
    assert scratch.take("c", (1,)).base is pieces[0].base
    scratch.take("d", (5,))
    assert scratch.nbytes == 4 * 65


def test_operations_run_in_order_and_know_their_layer():
    """A recorder cut at each meeting: every operation in one phase, of the layer set last."""
    threads = [Recorder(np.float32), Recorder(np.float32)]
    program, done = Program(threads, np.float32), []
    for phase in range(2):
        for i, record in enumerate(threads):
            record.layer = f"layer{phase}"
            record(done.append, (phase, i, 0))
            record(done.append, (phase, i, 1))
        program.meet()
    assert [[len(ops) for ops in phase] for phase in program.phases] == [[2, 2], [2, 2]]
    assert [op.layer for phase in program.phases for ops in phase for op in ops] == ["layer0"] * 4 + [
        "layer1"
    ] * 4
    assert not done
    for phase in program.phases:
        for ops in phase:
            run_ops(ops)
    assert done == [(phase, i, k) for phase in range(2) for i in range(2) for k in range(2)]
