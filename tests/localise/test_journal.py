"""Rows kept as they come: stopped at any byte, damaged, of another evaluation, on a full disk."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.unreadable import refuse_to_open

from npcam.common.errors import InputError
from npcam.datasets.photographs import Photograph
from npcam.localise import journal as module
from npcam.localise.journal import Journal, digest

ABOUT = {
    "npcam": "1.0",
    "weights_sha256": "ab" * 32,
    "dataset": {"kind": "folders", "sha256": "cd" * 32},
    "options": {"align": "corners", "map_of": "true"},
}
NAMES = ("a.png", "b é.png", "c\udcff.png", "d\n.png", "e.png")
BATCHES = [range(2), range(2, 4), range(4, 5)]
BAD = 3  # the place of the one that cannot be read


@pytest.fixture
def photographs(tmp_path):
    """Five files, and what a data set says of them."""
    found = []
    for i, name in enumerate(NAMES):
        path = tmp_path / f"{i}.png"
        path.write_bytes(bytes([i]))
        found.append(Photograph(str(path), name, i))
    return found


@pytest.fixture
def path(tmp_path):
    """Where the rows are."""
    return tmp_path / "rows.jsonl"


def row(photograph):
    """Its row, short; one of them could not be read."""
    found = {"photo": photograph.name, "photo_sha256": module.sha256_if_there(photograph.path)}
    return found | ({"error": "is none"} if photograph.label == BAD else {"p": 0.1 + photograph.label / 3})


def write(path, photographs, batches=BATCHES, about=ABOUT):
    """Write all rows that are not there yet, as `npcam evaluate` does; returns how many were there."""
    with Journal(path, about, photographs, BATCHES) as journal:
        before = len(journal.rows)
        for batch in batches:
            if batch.start >= len(journal.rows):
                journal.add([row(photographs[i]) for i in batch])
        assert list(journal.rows) == [row(one) for one in photographs[: len(journal.rows)]]
    return before


def test_rows_are_lines_of_json(path, photographs):
    """A line of what it is, and one for each photograph; what is read back is what was added."""
    assert write(path, photographs) == 0
    head, *lines = path.read_bytes().decode("ascii").splitlines()
    assert json.loads(head) == ABOUT
    assert [json.loads(line) for line in lines] == [row(photograph) for photograph in photographs]
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert write(path, photographs) == 5
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_rows_are_there_at_once(path, photographs):
    """What was added is in the file before the next batch: whoever kills the process finds it there."""
    with Journal(path, ABOUT, photographs, BATCHES) as journal:
        for done, batch in enumerate(BATCHES):
            assert len(path.read_bytes().splitlines()) == 1 + (0, 2, 4)[done]
            journal.add([row(photographs[i]) for i in batch])
    assert len(path.read_bytes().splitlines()) == 6


def test_a_run_cut_at_any_byte_goes_on(path, photographs):
    """Whole batches are kept, whatever follows is done again; the file ends with the same bytes."""
    write(path, photographs)
    whole = path.read_bytes()
    ends = [len(b"".join(whole.splitlines(keepends=True)[: 1 + n])) for n in range(6)]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        lines = sum(end <= size for end in ends[1:])
        assert write(path, photographs) == max((n for n in (2, 4, 5) if n <= lines), default=0), size
        assert path.read_bytes() == whole, size


def test_what_is_kept_is_not_written_again(path, photographs, monkeypatch):
    """A run that is killed while it begins takes nothing from the rows of those before."""
    write(path, photographs, BATCHES[:2])
    before = path.read_bytes()
    path.write_bytes(before + b'{"photo": "e.p')
    monkeypatch.setattr(Journal, "_write", lambda _, data: data and pytest.fail(f"wrote {data}"))
    Journal(path, ABOUT, photographs, BATCHES).__exit__()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"weights_sha256": "00"}, "weights sha256"),
        ({"options": {"align": "centers", "map_of": "true"}}, "options align"),
        ({"options": {"align": "centers", "map_of": "predicted"}}, "options align, options map of"),
        ({"dataset": {"kind": "CSV", "sha256": "11"}}, "dataset kind, dataset sha256"),
        ({"npcam": "1.1", "weights_sha256": "00"}, "npcam, weights sha256"),
        ({"more": True}, "more"),
    ],
)
def test_another_evaluation_is_refused(path, photographs, changes, named):
    """One line names what differs, and nothing is changed."""
    write(path, photographs)
    before = path.read_bytes()
    message = rf"is of an evaluation with other {named}; choose another -o, or remove this folder$"
    with pytest.raises(InputError, match=message):
        Journal(path, {**ABOUT, **changes}, photographs, BATCHES)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "data",
    [b"\n", b"hello\n", b"[]\n", b"{}\n", b'{"npcam"\n', b"\xff\n", b"[" * 10**5, b'{"a": 1}\n', b"null"],
)
def test_something_else_is_refused(path, photographs, data):
    """A file of that name which npcam did not write is left alone."""
    path.write_bytes(data)
    with pytest.raises(InputError, match="is of something else; choose another -o"):
        Journal(path, ABOUT, photographs, BATCHES)
    assert path.read_bytes() == data


def test_more_than_the_first_line_differs(path, photographs):
    """A first line that begins like this one's, and goes on, is another one."""
    path.write_bytes(json.dumps(ABOUT).encode() + b" \n")
    with pytest.raises(InputError, match=r"is of something else; choose"):
        Journal(path, ABOUT, photographs, BATCHES)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"7",
        b"[]",
        b"{}",
        b'{"photo": "a.png"}',
        b'{"photo": 7, "error": "a"}',
        b"\x00\x00",
        b"\xff",
        b"[" * 10**5,
    ],
)
def test_a_damaged_line_is_named(path, photographs, line):
    """The third line is no row of the second photograph: said, and the file left as it is."""
    write(path, photographs)
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:2], line + b"\n", *lines[3:]])
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"rows\.jsonl, line 3: is no row of b é\.png; remove the file"):
        Journal(path, ABOUT, photographs, BATCHES)
    assert path.read_bytes() == damaged


def test_a_photograph_that_has_changed_is_refused(path, photographs):
    """Its row is of another one; so is that of one that has gone."""
    write(path, photographs)
    before = path.read_bytes()
    Path(photographs[1].path).write_bytes(b"another")
    with pytest.raises(InputError, match=r"1\.png: has changed since it was measured; remove .*rows\.jsonl"):
        Journal(path, ABOUT, photographs, BATCHES)
    Path(photographs[1].path).unlink()
    with pytest.raises(InputError, match=r"1\.png: no such file; it was there when it was measured"):
        Journal(path, ABOUT, photographs, BATCHES)
    assert path.read_bytes() == before


def test_a_photograph_that_was_mended_is_measured(path, photographs):
    """It could not be read before and is another file now: its batch and what follows are done again."""
    write(path, photographs)
    Path(photographs[BAD].path).write_bytes(b"mended")
    assert write(path, photographs) == 2
    assert write(path, photographs) == 5
    Path(photographs[BAD].path).unlink()
    assert write(path, photographs) == 2


def test_a_photograph_that_could_not_be_opened_and_can_be_now(path, photographs, monkeypatch):
    """Its row has no hash: it is measured as soon as there is one, and not before."""
    with monkeypatch.context() as patch:
        refuse_to_open(patch, photographs[BAD].path, PermissionError(errno.EACCES, "Permission denied"))
        found = row(photographs[BAD])
        del found["photo_sha256"]
        with Journal(path, ABOUT, photographs, BATCHES) as journal:
            journal.add([row(one) for one in photographs[:2]])
            journal.add([row(photographs[2]), found])
        with Journal(path, ABOUT, photographs, BATCHES) as journal:
            assert len(journal.rows) == 4
    with Journal(path, ABOUT, photographs, BATCHES) as journal:
        assert len(journal.rows) == 2


def test_two_runs_at_once(path, photographs):
    """The second one is told of the first, in this process or another; when that ends, it may begin."""
    pytest.importorskip("fcntl")
    program = (
        "import sys; from npcam.localise.journal import Journal\n"
        f"try: Journal(__import__('pathlib').Path(sys.argv[1]), {ABOUT!r}, [], [])\n"
        "except Exception as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[2])}
    with Journal(path, ABOUT, photographs, BATCHES) as journal:
        journal.add([row(one) for one in photographs[:2]])
        before = path.read_bytes()
        with pytest.raises(
            InputError, match=r"another run is writing here; wait for it, or choose another -o"
        ):
            Journal(path, ABOUT, photographs, BATCHES)
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert done.stdout.strip().endswith("another run is writing here; wait for it, or choose another -o")
        assert path.read_bytes() == before
    assert write(path, photographs) == 2


def test_one_that_is_refused_locks_nothing(path, photographs):
    """After a complaint of another evaluation's rows the file is free."""
    write(path, photographs)
    with pytest.raises(InputError) as kept:
        Journal(path, {**ABOUT, "npcam": "2"}, photographs, BATCHES)
    assert write(path, photographs) == 5
    del kept


def test_no_place_to_write(tmp_path, photographs, monkeypatch):
    """A folder that is not there, one in the file's place, or that may not be written to: one line."""
    with pytest.raises(
        InputError, match=r"cannot write here \(No such file or directory\); choose another -o"
    ):
        Journal(tmp_path / "nowhere" / "rows.jsonl", ABOUT, photographs, BATCHES)
    with pytest.raises(InputError, match=r"cannot write here \(Is a directory\); choose another -o"):
        Journal(tmp_path, ABOUT, photographs, BATCHES)
    path = tmp_path / "rows.jsonl"
    refuse_to_open(monkeypatch, path, PermissionError(errno.EROFS, "Read-only file system"))
    with pytest.raises(InputError, match=r"cannot write here \(Read-only file system\); choose another -o"):
        Journal(path, ABOUT, photographs, BATCHES)
    assert not path.exists()


@pytest.mark.parametrize("room", range(0, 900, 61))
def test_a_full_disk(path, photographs, monkeypatch, room):
    """Room for so many bytes: one line says so, whole batches are kept, and with room it goes on."""
    real, left = Journal._open, [room]

    class Full:
        """A file on a disk with little room: as much as there is of it is written, and then nothing."""

        def __init__(self, file):
            self._file = file

        def write(self, data):
            if not left[0] and data:
                raise OSError(errno.ENOSPC, "No space left on device")
            part = bytes(data[: left[0]])
            left[0] -= len(part)
            return self._file.write(part)

        def __getattr__(self, name):
            return getattr(self._file, name)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_open", lambda self: Full(real(self)))
        with pytest.raises(InputError, match=r"writing failed \(No space left on device\); make room"):
            write(path, photographs)
    assert path.stat().st_size == room
    assert write(path, photographs) in (0, 2, 4)
    assert len(path.read_bytes().splitlines()) == 6


def test_what_is_no_file_is_refused(tmp_path, photographs):
    """A device that never ends, and a pipe that nobody writes to: one line, and no waiting."""
    pipe = tmp_path / "rows.jsonl"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(InputError, match=r"cannot write here \(not a file\); choose another -o"):
            Journal(path, ABOUT, photographs, BATCHES)


def test_a_limit_of_the_system(path, photographs):
    """The system takes no more bytes in the midst of a line: one line says so, and the rest is lost."""
    program = (
        "import json, resource, sys\n"
        "from pathlib import Path\n"
        "from npcam.localise.journal import Journal\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"
        "with Journal(Path(sys.argv[1]), json.loads(sys.argv[2]), [], []) as journal:\n"
        "    try:\n"
        "        for i in range(9): journal.add([{'photo': 'a' * 80}])\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )
    pytest.importorskip("resource")
    command = [sys.executable, "-W", "error", "-c", program, str(path), json.dumps(ABOUT)]
    environment = {**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == f"InputError {path}: writing failed (File too large); make room, and go on\n"
    assert done.stderr == ""
    assert path.stat().st_size == 500
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert write(path, photographs) == 0


def test_the_digest_of_a_data_set_is_of_what_it_says(photographs):
    """Names, classes, boxes, sizes and their order; not of where the folder lies."""
    same = [one._replace(path="/elsewhere" + one.path) for one in photographs]
    assert digest(same) == digest(photographs)
    first, *rest = photographs
    others = [
        [first._replace(name="z.png"), *rest],
        [first._replace(label=4), *rest],
        [first._replace(boxes=((0.0, 0.0, 1.0, 1.0),)), *rest],
        [first._replace(size=(4, 5)), *rest],
        [*rest, first],
        rest,
    ]
    assert len({digest(one) for one in [photographs, *others]}) == 7
