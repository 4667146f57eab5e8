"""Every program in `tools/` starts where npcam is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).parents[2] / "tools").glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_the_program_explains_itself(program, tmp_path):
    """`--help` says how to call it, from any folder, and takes neither Keras nor PyTorch."""
    command = [sys.executable, program, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {program.stem}")
