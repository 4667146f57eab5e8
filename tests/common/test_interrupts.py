"""Ctrl-C and SIGTERM at any moment: status 130, no word, nothing half-written, nothing swallowed."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
from helpers.networks import small_file
from helpers.program import CHECKOUT, environment, start
from PIL import Image

from npcam.cli import commands
from npcam.common import interrupts
from npcam.common.interrupts import INTERRUPTED, Signals


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Each test has a folder of its own, with a photograph and weights."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (60, 40), (200, 90, 9)).save("cat.png")
    small_file("w.h5")


def guarded(process):
    """Wait until npcam has its handlers: that the process catches SIGTERM, which Python itself does not."""
    caught = 0
    while not caught >> (signal.SIGTERM - 1) & 1:
        time.sleep(0.002)
        told = Path(f"/proc/{process.pid}/status").read_text()
        caught = int(re.search(r"SigCgt:\s*([0-9a-f]+)", told)[1], 16)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell what is caught")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [["record", "cat.png", "--weights", "w.h5", "-o", "r.h5"], ["summary"]])
def test_at_random_moments(number, words):
    """From npcam's first import to the last line: 130 and silence, or the command was done before."""
    rng, seen = random.Random(int(number)), set()
    for delay in [0, *(rng.uniform(0, 1.0) for _ in range(9))]:
        with start(*words, text=False) as process:
            guarded(process)
            time.sleep(delay)
            process.send_signal(number)
            _, said = process.communicate(timeout=60)
        assert (process.returncode in (0, INTERRUPTED), said) == (True, b""), process.returncode
        seen.add(process.returncode)
        assert not [name for name in os.listdir() if name.endswith(".part")]  # noqa: PTH208
        if Path("r.h5").exists():
            h5py.File("r.h5").close()
    assert INTERRUPTED in seen


def program(body, *arguments):
    """What a program called npcam does: its status, output and errors."""
    head = "import os, signal, sys, time, weakref; sys.argv[0] = 'npcam'\n"
    head += "for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, signal.SIG_DFL)\n"
    head += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = [sys.executable, "-c", head + body, *arguments]
    done = subprocess.run(command, check=False, env=environment(), capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_while_the_rest_is_imported(number):
    """There is nothing to clean up yet: the program ends at once."""
    body = f"import npcam.common.interrupts; os.kill(os.getpid(), signal.{number}); print('goes on')"
    assert program(body) == (INTERRUPTED, "", "")


SWALLOWED = """
import npcam
from npcam.cli import commands
from npcam.common.interrupts import unfinished
class Thing: pass
def interrupted(_):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000): pass
def command(_):
    open("half", "w").close(); unfinished.add("half")
    thing = Thing(); kept = weakref.ref(thing, interrupted)
    del thing  # the callback is interrupted: Python prints that and goes on
    time.sleep(30)
commands._command = command
sys.exit(commands.main())
"""


@pytest.mark.slow
def test_an_interrupt_that_a_callback_swallows():
    """The program ends all the same, without a word, and what was being written is gone."""
    began = time.monotonic()
    assert program(SWALLOWED) == (INTERRUPTED, "", "")
    assert time.monotonic() - began < 20
    assert not Path("half").exists()


CAUGHT = """
import npcam
from npcam.cli import commands
def command(_):
    try:
        os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)
    except BaseException: {then}
commands._command = command
sys.exit(commands.main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("then", ["time.sleep(30)", "raise RuntimeError('another')", "return 0"])
def test_an_interrupt_that_a_library_catches(then):
    """Waited for a second, made into another error, or ignored: status 130."""
    began = time.monotonic()
    assert program(CAUGHT.format(then=then)) == (INTERRUPTED, "", "")
    assert time.monotonic() - began < 20


RUNS_TEXT = """
import sys; sys.argv[0] = "npcam"
from npcam.cli import commands
commands._command = lambda _: exec("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
sys.exit(commands.main())
"""


@pytest.mark.slow
def test_an_interrupt_of_text_that_is_run():
    """Python notes an interrupt that leaves an `exec`, and ends `-m` by the signal: here it is 130."""
    Path("runs_text.py").write_text(RUNS_TEXT)
    program = (sys.executable, "-m", "runs_text")
    with start(program=program, env={"PYTHONPATH": f"{CHECKOUT}:."}) as process:
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == INTERRUPTED


def test_a_caller_keeps_its_handlers(monkeypatch):
    """Whoever calls `main` has its own handlers back, and those of Python while nothing runs."""

    def mine(*_):
        raise AssertionError

    monkeypatch.setattr(commands, "_command", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    before = [signal.signal(number, mine) for number in interrupts.NUMBERS]
    hook = sys.unraisablehook
    try:
        assert commands.main(["summary"]) == INTERRUPTED
        assert [signal.getsignal(number) for number in interrupts.NUMBERS] == [mine] * 2
        assert sys.unraisablehook is hook
    finally:
        for number, handler in zip(interrupts.NUMBERS, before, strict=True):
            signal.signal(number, handler)


def test_an_ignored_signal_stays_ignored():
    """As in background jobs of a shell."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        signals = Signals(program=False)
        signals.watch()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        signals.stop()
    finally:
        signal.signal(signal.SIGTERM, before)
