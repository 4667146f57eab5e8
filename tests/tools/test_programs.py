"""Every program in `tools/` starts where npcam is installed, and the examples in its helpers are true."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each test starts a process

TOOLS = Path(__file__).parents[2] / "tools"
PROGRAMS = sorted(TOOLS.glob("*.py"))
WITH_EXAMPLES = [
    ".".join(path.relative_to(TOOLS).with_suffix("").parts)
    for path in sorted(TOOLS.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_the_program_explains_itself(program, tmp_path):
    """`--help` says how to call it, from any folder, and takes neither Keras nor PyTorch."""
    command = [sys.executable, program, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {program.stem}")


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_are_true(name):
    """What a docstring shows is what comes out."""
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert failed == 0
    assert attempted > 0
