"""`tools/benchmark.py`: the busy processes beside the engines, the order of measurements, the tables."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import benchmark
import pytest
from benchmarks import servers, tables
from benchmarks.load import busy_processes
from helpers.child import start_child

TOOLS = Path(__file__).parents[2] / "tools"
WAITS = 60  # seconds that anything may take on a busy machine before it counts as not happening
PROC = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system has no /proc")
HOLDS_TWO = """
import sys, time
from benchmarks.load import busy_processes
with busy_processes(2) as pids:
    print(*pids, flush=True)
    time.sleep(600)
"""


def alive(pid):
    """Whether a process is there and has not ended; one whose parent is yet to be told has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def ticks(pid):
    """How long a process has computed, in the system's ticks (proc(5): utime)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


def comes_true(condition):
    """Whether something becomes true before long."""
    end = time.monotonic() + WAITS
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@PROC
def test_busy_processes_compute_and_are_gone():
    """As many as asked for, each of which goes on computing at our priority; afterwards none is left."""
    with busy_processes(2) as pids:
        assert len(set(pids)) == 2
        before = [ticks(pid) for pid in pids]
        assert comes_true(lambda: all(ticks(pid) > was for pid, was in zip(pids, before, strict=True)))
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in pids} == {own}
    assert not any(map(alive, pids))


@PROC
def test_none_is_left_after_a_failure():
    """What goes wrong beside them ends them, too, and is not swallowed."""
    seen = []

    def fail():
        with busy_processes(1) as pids:
            seen.extend((pid, alive(pid)) for pid in pids)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    ((pid, was_alive),) = seen
    assert was_alive
    assert not alive(pid)


@PROC
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_none_is_left_after_a_signal(number):
    """Ctrl-C ends them; and whoever is killed and can end nothing leaves none, either."""
    child = start_child(
        [sys.executable, "-c", HOLDS_TWO], cwd=TOOLS, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with child:
        pids = child.stdout.readline().split()
        assert len(pids) == 2
        assert all(alive(int(pid)) for pid in pids)
        child.send_signal(number)
        assert child.wait(WAITS) != 0
    assert comes_true(lambda: not any(alive(int(pid)) for pid in pids))


def test_one_that_does_not_start(monkeypatch):
    """A program that cannot be run is an error, not a quiet measurement."""
    monkeypatch.setattr("benchmarks.load.BUSY", "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="a busy process stopped with exit status 3"), busy_processes(1):
        pass


class Stopwatch:
    """An engine whose seconds are given, and that notes when it was asked."""

    def __init__(self, name, seconds, asked):
        self.name, self.cold_start, self._seconds, self._asked = name, 1.5, iter(seconds), asked

    def run(self, n):
        self._asked.append((self.name, n))
        return {"seconds": next(self._seconds), "peak_mb": 100 + len(self._asked)}


def test_engines_take_turns(monkeypatch):
    """One batch each in turn, the warm-up left out, milliseconds per photograph."""
    monkeypatch.setattr(servers, "PAUSE", 0)
    asked = []
    engines = [
        Stopwatch("a", [9, 9, 0.008, 0.016], asked),
        Stopwatch("b", [9, 9, 0.024, 0.032], asked),
    ]
    times = servers.take_turns(engines, 4, rounds=2)
    assert asked == [("a", 4), ("b", 4)] * (servers.WARM_UP + 2)
    assert times == {"a": pytest.approx([2, 4]), "b": pytest.approx([6, 8])}


def test_every_engine_chooses_its_kernels(monkeypatch):
    """What forces them on OpenBLAS is told and taken out; a new process then has its own."""
    for name in servers.FORCED:
        monkeypatch.delenv(name, raising=False)
    by_itself = servers.blas_kernels()
    assert by_itself
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert servers.let_blas_choose() == {"OPENBLAS_CORETYPE": "Haswell"}
    assert servers.let_blas_choose() == {}
    assert servers.blas_kernels() == by_itself


def test_quiet_and_then_under_load(monkeypatch):
    """Every batch is measured without busy processes first, then beside as many as asked for."""
    seconds = {
        ("a", 1, 0): [0.010, 0.020, 0.030],
        ("a", 1, 3): [0.040, 0.050, 0.090],
        ("a", 32, 0): [0.320],
        ("a", 32, 3): [0.640],
    }
    running, order = [0], []

    class Busy:
        def __init__(self, count):
            self.count = count

        def __enter__(self):
            running[0] += self.count

        def __exit__(self, *_):
            running[0] -= self.count

    def take_turns(engines, n, rounds):
        order.append((n, running[0], rounds))
        return {e.name: [1000 * s / n for s in seconds[e.name, n, running[0]]] for e in engines}

    monkeypatch.setattr(benchmark, "busy_processes", Busy)
    monkeypatch.setattr(benchmark, "take_turns", take_turns)
    engine = benchmark.compare([Stopwatch("a", [0, 0], [])], [1, 32], rounds=3, load=3)["a"]
    assert order == [(1, 0, 3), (1, 3, 3), (32, 0, 1), (32, 3, 1)]
    assert engine["ms"] == pytest.approx({1: 20, 32: 10})
    assert engine["load_ms"] == pytest.approx({1: 50, 32: 20})
    assert engine["quartiles"][1] == pytest.approx((15, 25))
    assert engine["load_quartiles"][1] == pytest.approx((45, 70))
    assert (engine["peak_mb_1"], engine["peak_mb"], engine["cold_start"]) == (101, 102, 1.5)


def test_without_load_nothing_is_measured_twice(monkeypatch):
    """No busy process, no second column."""
    monkeypatch.setattr(servers, "PAUSE", 0)
    engine = benchmark.compare([Stopwatch("a", [1] * 9, [])], [1], rounds=1, load=0)["a"]
    assert set(engine) == {"ms", "quartiles", "peak_mb", "peak_mb_1", "cold_start"}


RESULTS = {
    "batches": [1, 8],
    "engines": {
        "npcam": {
            "ms": {1: 40.0, 8: 30.0},
            "load_ms": {1: 80.0, 8: 45.0},
            "quartiles": {1: (39.0, 42.0), 8: (29.0, 31.0)},
            "load_quartiles": {1: (70.0, 95.0), 8: (44.0, 50.0)},
            **{"cold_start": 0.7, "peak_mb_1": 280.0, "peak_mb": 700.0},
        },
        "other": {
            "ms": {1: 50.0, 8: 45.0},
            "load_ms": {1: 60.0, 8: 90.0},
            "quartiles": {1: (48.0, 53.0), 8: (44.0, 47.0)},
            "load_quartiles": {1: (58.0, 66.0), 8: (80.0, 99.0)},
            **{"cold_start": 3.3, "peak_mb_1": 500.0, "peak_mb": 900.0},
        },
    },
}


def cells(table):
    """A Markdown table as {its row's name: its cells}; all rows have as many."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len({len(row) for row in rows}) == 1
    assert set(rows[1]) == {"---"}
    return {row[0]: row[1:] for row in rows if row is not rows[1]}


def test_the_table_under_load():
    """Medians, quartiles and leads are what the numbers say, quiet beside under load."""
    found = cells(tables.load_table(RESULTS))
    assert found["engine"][:2] == ["batch 1 ms, quiet", "batch 1 ms, under load"]
    assert found["engine"][2:4] == ["npcam is faster, batch 1, quiet", "under load"]
    assert found["npcam"][:4] == ["40.0 (39.0-42.0)", "80.0 (70.0-95.0)", "1.00x", "1.00x"]
    assert found["other"][:4] == ["50.0 (48.0-53.0)", "60.0 (58.0-66.0)", "1.25x", "0.75x"]
    assert found["other"][4:] == ["45.0 (44.0-47.0)", "90.0 (80.0-99.0)", "1.50x", "2.00x"]


def test_the_table_of_batches():
    """The same for the table without load, with start and memory."""
    found = cells(tables.batches_table(RESULTS))
    assert found["other"] == ["50.0", "45.0", "1.25x", "1.50x", "3.3", "500", "900"]


def test_a_lead_needs_npcam():
    """Without npcam among the engines there is nothing to be faster than."""
    alone = RESULTS | {"engines": {"other": RESULTS["engines"]["other"]}}
    assert cells(tables.batches_table(alone))["other"][2:4] == ["-", "-"]


@PROC
@pytest.mark.slow
def test_a_run_under_load(tmp_path):
    """The whole program, npcam alone: the numbers in the JSON are those that the table shows."""
    numbers = tmp_path / "numbers.json"
    command = [sys.executable, TOOLS / "benchmark.py", "--quick", "--engines", "npcam", "--batches", "1"]
    command += ["--rounds", "2", "--load", "1", "--json", numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    results = json.loads(numbers.read_text())
    assert (results["load"], results["rounds"], results["batches"]) == (1, 2, [1])
    engine = results["engines"]["npcam"]
    row = [line for line in done.stdout.splitlines() if line.startswith("| npcam |")][-1]
    quiet, loaded, *leads = [cell.strip() for cell in row.strip("|").split("|")][1:]
    assert leads == ["1.00x", "1.00x"]
    for cell, kind in ((quiet, ""), (loaded, "load_")):
        shown = [float(number) for number in re.findall(r"\d+\.\d", cell)]
        there = [engine[f"{kind}ms"]["1"], *engine[f"{kind}quartiles"]["1"]]
        assert shown == pytest.approx(there, abs=0.051)  # one digit after the point
