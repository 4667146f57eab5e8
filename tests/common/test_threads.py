"""Threads that the system refuses: they cost speed, not the run."""

import _thread
import importlib
import os
import subprocess
import sys

import pytest
from helpers.program import EXAMPLES, environment

from npcam.common import threads

REFUSING = """
import _thread, sys, threading
real, left, sys.argv = _thread.start_new_thread, [int(sys.argv[1])], ["npcam", *sys.argv[2:]]
def start(*arguments, **options):
    if left[0] == 0:
        raise RuntimeError("can't start new thread")
    left[0] -= 1
    return real(*arguments, **options)
_thread.start_new_thread = threading._start_new_thread = start
threading.Thread.start.__globals__["_start_joinable_thread"] = start  # of Python 3.13
from npcam.cli.commands import main
status = main()
import threadpoolctl
assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} == {1}
sys.exit(status)
"""


@pytest.mark.parametrize(("allowed", "most"), [(0, 0), (2, 2), (5, 9)])
def test_as_many_as_the_system_allows(monkeypatch, allowed, most):
    """One after the other is started until one is refused."""
    started = []

    def start(function, arguments):
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(real(function, arguments))

    real = _thread.start_new_thread
    monkeypatch.setattr(_thread, "start_new_thread", start)
    assert threads.can_start(allowed)
    del started[:]
    assert not threads.can_start(most + 1)
    assert len(started) == most


@pytest.mark.parametrize("room", [False, True])
def test_what_blas_is_told(monkeypatch, room):
    """One thread where there is no room for more; else what the environment says."""
    monkeypatch.setattr(threads, "can_start", lambda count: room if count >= 3 else None)
    for name in threads.VARIABLES:
        monkeypatch.setenv(name, "3")
    threads.keep_blas_to_one()
    assert {os.environ[name] for name in threads.VARIABLES} == {"3" if room else "1"}


BLAS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")  # what OpenBLAS reads, and what others do


@pytest.mark.parametrize(("cores", "asked"), [(1, 3), (2, 6), (64, 192), (65, 192), (200, 192)])
def test_how_many_threads_are_tried(monkeypatch, cores, asked):
    """NumPy's, SciPy's and the team's, one each for a core; OpenBLAS knows no more than 64."""
    tried = []
    monkeypatch.setattr(threads, "can_start", lambda count: tried.append(count) or True)
    allowed = {0: set(range(cores))}  # 0 is this process
    monkeypatch.setattr(os, "sched_getaffinity", allowed.__getitem__, raising=False)
    threads.keep_blas_to_one()
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    threads.keep_blas_to_one()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    threads.keep_blas_to_one()
    assert tried == [asked, asked, 3]


@pytest.mark.parametrize("program", [False, True])
def test_only_the_program_tells_blas(monkeypatch, program):
    """Whoever only imports npcam keeps what the environment says."""
    for name in BLAS:
        monkeypatch.setenv(name, "3")

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as changed:
        changed.setattr(_thread, "start_new_thread", refuse)
        changed.setattr("npcam.common.interrupts.PROGRAM", program)
        importlib.reload(threads)
    assert {os.environ[name] for name in BLAS} == {"1" if program else "3"}


@pytest.mark.parametrize(
    ("words", "one"),
    [
        (["explain", "cat.jpg"], True),
        (["evaluate", "photos", "--json"], True),
        (["explain", "cat.jpg", "--digits"], False),
        (["verify", "explain"], False),
        (["--help"], False),
        ([], False),
    ],
)
@pytest.mark.parametrize("said", [{}, {"OMP_NUM_THREADS": "3"}, {"OPENBLAS_NUM_THREADS": "3"}])
def test_commands_of_the_engine_alone_spare_blas(monkeypatch, words, one, said):
    """They have no use for threads of BLAS; others have, and what a person says counts."""
    for name in BLAS:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)  # as it is afterwards, too
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    threads.spare_blas(words)
    found = {name: os.environ[name] for name in BLAS if name in os.environ}
    assert found == (said or (dict.fromkeys(BLAS, "1") if one else {}))


@pytest.mark.slow
@pytest.mark.parametrize(("command", "most"), [("explain", 1), ("summary", None)])
def test_the_program_spares_blas_in_time(command, most):
    """NumPy has been told before it is imported: OpenBLAS keeps to one thread in the whole process."""
    program = f"""if True:
        import sys
        sys.argv = ["npcam", {command!r}, "--help"]
        import npcam, threadpoolctl
        print(*(pool["num_threads"] for pool in threadpoolctl.threadpool_info()))"""
    env = {name: value for name, value in environment().items() if name not in BLAS}
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, env=env, capture_output=True, text=True
    )
    assert set(done.stdout.split()) == {str(most or min(threads.cores(), threads.MOST))}


@pytest.mark.slow
@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_a_photograph_with_hardly_a_thread(tmp_path, allowed):
    """Nothing is said, and the picture is there."""
    words = ["explain", EXAMPLES / "chelsea.png", "-o", tmp_path]
    command = [sys.executable, "-W", "error", "-c", REFUSING, str(allowed), *map(str, words)]
    done = subprocess.run(command, check=False, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "chelsea_cam.png").is_file()
