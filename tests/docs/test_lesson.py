"""The lesson's chapters, each run from its first line to its last, its exercises' answers included."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.needs import needs

import npcam

ROOT = Path(npcam.__file__).parents[1]
LESSON = Path(__file__).parents[2] / "docs" / "lesson"
CHAPTERS = sorted(LESSON.glob("plot_*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_runs_to_its_end(chapter):
    """From the repository's root, as its reader starts it: every number comes out, every answer holds."""
    needs("matplotlib")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    environment.pop("LESSON_WEIGHTS", None)
    command = [sys.executable, str(chapter)]
    done = subprocess.run(
        command, check=False, cwd=LESSON.parents[1], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()


def test_there_are_eight_chapters():
    """Numbered from 1 to 8, so that they are read in order."""
    assert [path.name.split("_")[1] for path in CHAPTERS] == [str(n) for n in range(1, 9)]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_has_three_exercises_and_an_answer_for_each(chapter):
    """What one will see comes first; each answer has code that fails where the answer is wrong."""
    text = chapter.read_text(encoding="utf-8")
    assert "You will see" in (ast.get_docstring(ast.parse(text)) or "")
    exercises, answers = text.split("# Exercises\n")[1].split("# Answers\n")
    assert re.findall(r"^# (\d)\. ", exercises, re.MULTILINE) == ["1", "2", "3"]
    parts = re.split(r"^# \*\*\d\.\*\* ", answers, flags=re.MULTILINE)[1:]
    assert len(parts) == 3
    for part in parts:
        assert re.search(r"^\s*(assert |np\.testing\.assert)", part, re.MULTILINE), part


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_no_number_of_the_bundled_model_is_typed(chapter):
    """Prose gives no results: no class's name or percentage stands in it, so other weights run as well."""
    text = chapter.read_text(encoding="utf-8")
    prose = " ".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    names = npcam.load_model().class_names
    assert not [name for name in names if re.search(rf"\b{name.replace('_', ' ')}\b", prose)]
    assert re.findall(r"\d+(?:\.\d+)? %", prose) in ([], ["20 %", "20 %"])  # the box's convention
