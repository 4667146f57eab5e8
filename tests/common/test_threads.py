"""Threads that the system refuses: they cost speed, not the run."""

import _thread
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


@pytest.mark.slow
@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_a_photograph_with_hardly_a_thread(tmp_path, allowed):
    """Nothing is said, and the picture is there."""
    words = ["explain", EXAMPLES / "chelsea.png", "-o", tmp_path]
    command = [sys.executable, "-W", "error", "-c", REFUSING, str(allowed), *map(str, words)]
    done = subprocess.run(command, check=False, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "chelsea_cam.png").is_file()
