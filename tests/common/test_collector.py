"""Python's collector, in the program and for whoever only imports npcam."""

import gc
import subprocess
import sys

from helpers.program import environment


def printed(*call):
    """What a new process prints."""
    done = subprocess.run(
        [sys.executable, *call], capture_output=True, text=True, check=True, env=environment()
    )
    return done.stdout.split()


def test_whoever_imports_npcam_keeps_the_collector():
    """Neither its thresholds nor what it looks through are changed, also not by commands that are called."""
    program = """if True:
        import gc, npcam.cli.commands
        before = gc.get_threshold(), gc.get_freeze_count()
        npcam.cli.commands.main(["summary", "--plan"])
        print(before == (gc.get_threshold(), gc.get_freeze_count()), *before[0])"""
    assert printed("-c", program)[-4:] == ["True", *map(str, gc.get_threshold())]


def test_the_program_leaves_it_out():
    """`npcam` has it run seldom from the start, and at the end nothing is looked through once more."""
    program = """if True:
        import atexit, gc, sys
        atexit.register(lambda: print(gc.get_threshold()[0], gc.get_freeze_count() > 10_000))
        sys.argv = ["npcam", "summary"]
        from npcam.cli.commands import main
        sys.exit(main())"""
    assert printed("-c", program)[-2:] == ["100000", "True"]
