"""Every command of `docs/bring-your-own.md` runs, on made-up photographs and with fewer steps."""

import re
import shlex
from pathlib import Path

import train_bundled
from helpers.made_up_photos import CLASSES, make_photographs
from helpers.needs import needs

from npcam.cli import commands as cli

torch = needs("torch")
keras = needs("keras")

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "bring-your-own.md"


PROGRAMS = {
    ("npcam",): cli.main,
    ("python", "tools/train_bundled.py"): train_bundled.main,
}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def run(line):
    """One command as a shell would run it, but in this process, where Keras is imported already."""
    words = shlex.split(line)
    for name, main in PROGRAMS.items():
        if tuple(words[: len(name)]) == name:
            files = [
                sorted(map(str, Path().glob(word))) if "*" in word else [word] for word in words[len(name) :]
            ]
            arguments = [word for several in files for word in several]
            if main is train_bundled.main:
                arguments += ["--batch", "4", "--threads", "1"]
            return main(arguments)
    raise AssertionError(f"no such program: {line}")


def test_every_command_of_the_page_runs(tmp_path, monkeypatch, capsys):
    make_photographs(tmp_path / "photos", each=1)
    (tmp_path / "weights").symlink_to(ROOT / "weights")
    monkeypatch.chdir(tmp_path)
    # The passes over the photographs are what takes hours; two are enough to see that all goes through.
    shorter = [(" 20@160", " 2@32"), ('weights="imagenet"', "weights=None")]
    commands = "".join(blocks("sh"))
    python = "".join(blocks("python"))
    for long, short in shorter:
        assert long in commands + python
        commands, python = commands.replace(long, short), python.replace(long, short)
    for line in commands.splitlines():
        if "keras-model.keras" in line:
            exec(compile(python, str(PAGE), "exec"), {})
        assert run(line) == 0, line
    assert (tmp_path / "run" / "class_names.txt").read_text().split() == list(CLASSES)
    assert (tmp_path / "names.txt").read_text().split() == list(CLASSES)
    assert len(list((tmp_path / "maps").iterdir())) == len(CLASSES)
    assert "expected calibration error" in capsys.readouterr().out
    assert (tmp_path / "results" / "index.html").is_file()
