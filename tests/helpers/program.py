"""npcam in a process of its own, as people start it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from helpers.child import start_child

import npcam

CHECKOUT = str(Path(npcam.__file__).parents[1])
EXAMPLES = Path(CHECKOUT) / "examples"
MEASURED = """
import re, sys
from pathlib import Path
from npcam.cli.commands import main
status = main(sys.argv[1:])
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(status)
"""


def environment(**changes):
    """The environment of such a process."""
    return {**os.environ, "PYTHONPATH": CHECKOUT, **changes}


def run(*arguments, env=None, **options):
    """Run a command to its end; standard output and error are bytes, unless they go elsewhere."""
    with start(*arguments, env=env, text=False, **options) as process:
        out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def shell(line):
    """Run a line of shell in which `npcam` is the command."""
    program = ["/bin/sh", "-c", f'npcam() {{ "{sys.executable}" -m npcam "$@"; }}; {line}']
    with start(program=program) as process:
        out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(line, process.returncode, out, err)


def start(*arguments, program=(sys.executable, "-m", "npcam"), env=None, **options):
    """Start a command and go on."""
    defaults = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [*program, *map(str, arguments)]
    return start_child(command, env=environment(**(env or {})), **(defaults | options))


def peak_memory(*arguments):
    """Run a command to its end; its status, what it said on standard error, and its peak memory in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, arguments)],
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr, 1024 * int(re.findall(r"\d+", done.stdout)[-1])
