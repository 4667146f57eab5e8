"""All commands: their help, their one line for each mistake, and what interrupts them."""

import argparse
import errno
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import npcam
from npcam.cli import commands
from npcam.cli.commands import COMMANDS, main

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(npcam.__file__).parent.parent)}


def parser_of(name):
    """The parser of one command."""
    actions = commands._parser()._actions
    (subparsers,) = (action for action in actions if isinstance(action, argparse._SubParsersAction))
    return subparsers.choices[name]


def help_of(words, capsys):
    """What `npcam ... --help` prints."""
    with pytest.raises(SystemExit) as caught:
        main([*words, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.fixture
def wide(monkeypatch):
    """A terminal on which help is not wrapped."""
    monkeypatch.setenv("COLUMNS", "400")


NAMES = ("explain", "evaluate", "convert", "summary", "inspect", "fetch", "verify", "record")


@pytest.mark.usefixtures("wide")
def test_help_lists_the_commands(capsys):
    """Each with what it is about, which its own help begins with as a sentence."""
    text = help_of([], capsys)
    assert text.startswith("usage: npcam [-h] [--version] COMMAND ...\n")
    assert tuple(re.findall(r"^    ([a-z]+) +\S", text, re.MULTILINE)) == NAMES
    for command in COMMANDS:
        assert re.search(rf"^    {command.name} +{re.escape(command.about)}$", text, re.MULTILINE)
        own = help_of([command.name], capsys).split("\n\n")
        assert own[0].startswith(f"usage: npcam {command.name} [-h] ")
        sentence = own[1]
        assert sentence[0].isupper()
        assert sentence.lower() == f"{command.about}.".lower()


def test_version(capsys):
    """The version that the package has."""
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"npcam {npcam.__version__}\n"


# What argparse says by itself, what people call their files, and how a size is written.
OTHER_WORDS = "positional arguments h help message and exit strange HxW"


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_has_no_word_of_its_own(name, capsys):
    """Each word of it stands in the documentation, too, or in the rest of the program: no slip of the pen."""
    sources = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("npcam/**/*.py")]
    others = "\n".join(path.read_text() for path in sources if path.parent.name != "cli")
    assert words(help_of([name] if name else [], capsys)) - words(others) - words(OTHER_WORDS) == set()


def words(text):
    """The words of a text, in small letters."""
    return set(re.findall(r"[a-z0-9]+", text.lower()))


# What an option without a default of its own is taken for, as the library has it.
RULES = {
    ("verify", "names"): "told from the names",
    ("convert", "activation"): "softmax",
    ("convert", "input_size"): "224",
    ("explain", "alpha"): "0.7; for --style flat 0.5",
    ("explain", "colormap"): "ember; for --style flat viridis",
    ("explain", "format"): "jpeg for a JPEG, png for all others; or as -o FILE ends",
    ("explain", "max_size"): "its own, to 6000",
    ("explain", "sort"): "as the photographs are named",
    ("explain", "target"): "the most probable one",
    ("record", "backend"): "$KERAS_BACKEND, or an installed one",
    ("record", "layers"): "all, and the logits",
    ("summary", "plan"): "1",
    ("verify", "backend"): "$KERAS_BACKEND, or an installed one",
}


@pytest.mark.parametrize("name", NAMES)
def test_help_gives_each_default(name):
    """Every option has a help, which names its default: the parser's own, or the rule that stands for one."""
    rules = {}
    for action in parser_of(name)._actions:
        assert action.help
        said = re.search(r"\(default: ([^)]+)\)|(\w+) \(default[;)]", action.help)
        found = said and (said[1] or said[2])
        if action.dest == "weights":
            assert found == "the bundled model"
        elif action.default is None or isinstance(action.default, bool) or action.dest == "help":
            rules |= {(name, action.dest): found} if found else {}
        else:
            assert found == str(action.default)
    assert rules == {key: rule for key, rule in RULES.items() if key[0] == name}


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_good_usage(name):
    """Every example in the help, and every call in the documentation, is one that the command takes."""
    pages = "\n".join(page.read_text() for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    own = [line for line in parser_of(name).epilog.split("\n") if line.startswith("  npcam ")]
    assert own
    shown = [line for line in pages.split("\n") if line.startswith(f"npcam {name} ")]
    for line in [*own, *shown]:
        call = re.split(r"  +| #| \|", line.strip())[0].split()
        assert call[:2] == ["npcam", name]
        assert commands._parser().parse_args(call[1:]).run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: COMMAND; see npcam --help"),
        (["explain"], "the following arguments are required: PHOTO; see npcam explain --help"),
        (["convert", "a"], "the following arguments are required: DESTINATION; see npcam convert --help"),
        (["convert"], "the following arguments are required: SOURCE, DESTINATION; see npcam convert --help"),
        (["inspect"], "the following arguments are required: FILE; see npcam inspect --help"),
        (["fetch"], "the following arguments are required: NAME; see npcam fetch --help"),
        (["verify", "a"], "the following arguments are required: --against; see npcam verify --help"),
        (["record", "a"], "the following arguments are required: -o/--output; see npcam record --help"),
        (["summary", "a"], "unrecognized arguments: a; see npcam --help"),
        (
            ["summary", "--plan", "0"],
            "argument --plan: expected a whole number from 1 up, got '0'; see npcam summary --help",
        ),
        (
            ["explain", "a", "--top", "x"],
            "argument --top: expected a whole number from 1 up, got 'x'; see npcam explain --help",
        ),
        (
            ["explain", "a", "--alpha", "x"],
            "argument --alpha: invalid float value: 'x'; see npcam explain --help",
        ),
    ],
)
def test_bad_usage(arguments, said, capsys):
    """One line with what is wrong and where help is, and status 2."""
    assert main(arguments) == 2
    assert capsys.readouterr() == ("", f"npcam: {said}\n")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (npcam.InputError("a.h5: is bad"), 2, "npcam: a.h5: is bad\n"),
        (MemoryError(), 2, "npcam: not enough memory; try fewer or smaller photographs\n"),
        (
            ImportError("a.so: failed to map segment"),
            2,
            "npcam: not enough memory to load a library (a.so: failed to map segment); allow more\n",
        ),
        (KeyboardInterrupt(), 130, ""),
        (OSError(errno.EIO, "Input/output error", "a.h5"), 2, "npcam: a.h5: Input/output error\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "npcam: output: No space left on device\n"),
        (OSError("odd"), 2, "npcam: output: odd\n"),
    ],
)
def test_what_a_command_may_meet(monkeypatch, capsys, error, status, said):
    """Whatever stops a command has its status and at most one line."""

    def stopped(_):
        raise error

    monkeypatch.setattr(commands, "COMMANDS", [c._replace(run=stopped) for c in COMMANDS])
    assert main(["summary"]) == status
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("a bug"), ZeroDivisionError()])
def test_a_bug_is_not_called_somebodys_mistake(monkeypatch, capsys, error):
    """What is nobody's input is raised as it is: a line that blames the file would be untrue."""

    def stopped(_):
        raise error

    monkeypatch.setattr(commands, "COMMANDS", [c._replace(run=stopped) for c in COMMANDS])
    with pytest.raises(type(error)) as caught:
        main(["summary"])
    assert caught.value is error
    assert capsys.readouterr() == ("", "")


def test_an_interrupt_that_became_another_error(monkeypatch, capsys):
    """A library may turn a KeyboardInterrupt into an error of its own: still status 130, with no word."""

    def swallowed(_):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise npcam.InputError("a.h5: is bad") from None

    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr(commands, "COMMANDS", [c._replace(run=swallowed) for c in COMMANDS])
        assert main(["summary"]) == 130
    finally:
        signal.signal(signal.SIGINT, former)
    assert capsys.readouterr() == ("", "")


def test_a_fault_of_npcams_own_is_shown(monkeypatch):
    """What is nobody's to mend but ours keeps its traceback."""

    def stopped(_):
        raise ImportError("no module named npcam.nothing")

    monkeypatch.setattr(commands, "COMMANDS", [c._replace(run=stopped) for c in COMMANDS])
    with pytest.raises(ImportError, match="nothing"):
        main(["summary"])


@pytest.mark.parametrize("status", [0, 1, 2])
def test_a_commands_status_is_the_programs(monkeypatch, status):
    """`npcam verify` says 1 where a layer is off."""
    monkeypatch.setattr(commands, "COMMANDS", [c._replace(run=lambda _: status) for c in COMMANDS])
    assert main(["summary"]) == status


def test_the_arguments_are_those_of_the_process(monkeypatch, capsys):
    """Without any given, they come from the command line."""
    monkeypatch.setattr(sys, "argv", ["npcam", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out.startswith("npcam ")


def test_as_a_module(run, narrow):
    """`python -m npcam` is `npcam`, its status, too."""
    done = run("summary", "--weights", narrow)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == npcam.load_model(narrow).summary() + "\n"
    assert run("summary", "--weights", "none.h5").returncode == 2


@pytest.mark.slow
def test_output_may_be_piped_into_head():
    """A reader that leaves early is no error."""
    command = f'"{sys.executable}" -m npcam summary | head -n 1'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_importing_is_quick_because_the_heavy_libraries_wait():
    """SciPy, h5py and Pillow are not imported before they are needed."""
    program = "import npcam, sys; print([m for m in ('scipy', 'h5py', 'PIL') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    assert done.stdout == "[]\n"


def png_of(width, height):
    """A PNG that declares a size and holds nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    end = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + end


def bad_calls(narrow, photo):
    """Wrong calls, and what the one line must hold."""
    shutil.copy(narrow, "nan.h5")
    with h5py.File("nan.h5", "a") as file:
        file["conv1_bn/beta"][0] = np.nan
    Path("half.png").write_bytes(Path(photo).read_bytes()[:9_000])
    Path("empty.jpg").write_bytes(b"")
    Path("empty").mkdir()
    Path("bomb.png").write_bytes(png_of(30_000, 30_000))
    explain = ["explain", photo, "--weights", narrow]
    return {
        "see npcam explain --help": ["explain"],
        "see npcam --help": ["expain", photo],
        "none.jpg: no such file": ["explain", "none.jpg"],
        "empty: holds no pictures": ["explain", "empty"],
        "*.gif: no file is called like this": ["explain", "*.gif"],
        "--json and --jsonl: two ways": [*explain, "--json", "--jsonl"],
        "--sort: is the order of": [*explain, "--sort", "photo"],
        "t.txt: --csv writes a .csv file": [*explain, "--csv", "t.txt"],
        "s.jpg: --contact-sheet writes a .png file": [*explain, "--contact-sheet", "s.jpg"],
        "cat.png: is the input cat.png itself; choose another --contact-sheet": [
            *explain,
            "--contact-sheet",
            photo,
        ],
        "cat.png: is the input cat.png itself; choose another -o": [*explain, "-o", photo],
        "one.png: is one picture's name, and there are 2 photographs": [
            "explain",
            photo,
            photo,
            "-o",
            "one.png",
        ],
        "and there are several pictures or maps": [
            *(*explain, "-o", "one.png", "--target", "top2", "--save-map"),
        ],
        "one.png: is the name of a png; leave out --format jpeg": [
            *(*explain, "-o", "one.png", "--format", "jpeg"),
        ],
        "empty.jpg: is empty": ["explain", "empty.jpg"],
        "half.png: is damaged or truncated": ["explain", "half.png"],
        "bomb.png: has too many pixels": ["explain", "bomb.png"],
        "HDF5 file, perhaps weights": ["explain", narrow],
        "cat.png: is a picture": ["explain", photo, "--weights", photo],
        "NaN": ["explain", photo, "--weights", "nan.h5"],
        "no such class": [*explain, "--target", "zebra"],
        "from 0 to 4": [*explain, "--target", "5"],
        "viridis": [*explain, "--colormap", "hot"],
        "opacity": [*explain, "--alpha", "2"],
        "choose one of": [*explain, "--interpolation", "cubic"],
        "cat.png/maps: cannot make this folder": [*explain, "-o", "cat.png/maps"],
        "nowhere/w.h5: cannot write here": ["convert", "alone.h5", "nowhere/w.h5"],
        "none.h5: no such file": ["summary", "--weights", "none.h5"],
    }


@pytest.mark.usefixtures("alone")
def test_every_mistake_is_one_line_and_status_2(narrow, photo, capsys):
    """No traceback, nothing written, and the line says what is wrong."""
    calls = bad_calls(narrow, photo)
    before = {p: p.stat().st_mtime_ns for p in Path().rglob("*")}
    for words, arguments in calls.items():
        assert main(arguments) == 2, words
        out, err = capsys.readouterr()
        assert out == "", words
        assert err.startswith("npcam: ")
        assert err.count("\n") == 1, err
        assert words in err
    assert {p: p.stat().st_mtime_ns for p in Path().rglob("*")} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device to write to")
def test_a_full_disk_is_one_line(run, narrow):
    """Standard output that takes nothing more."""
    with Path("/dev/full").open("w") as full:
        done = run("summary", "--weights", narrow, stdout=full)
    assert done.returncode == 2
    assert done.stderr == f"npcam: output: {os.strerror(errno.ENOSPC)}\n"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_half_written_file(narrow, photo, number):
    """Ctrl-C among a thousand photographs: whole pictures only, and no traceback."""
    # A caller that ignores SIGINT, such as nohup, hands that on to the child, which then undoes it.
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from npcam.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["explain", *[photo] * 1000, "-o", "maps", "--weights", narrow]
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        process.stdout.readline()  # the first one is done
        time.sleep(0.2)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""
    files = list(Path("maps").iterdir())
    assert 0 < len(files) < 1000
    for file in files:
        with Image.open(file) as image:
            image.load()
