"""Work shared through Dask: real schedulers and workers, in processes of their own, some of them killed."""

import json
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.needs import needs
from helpers.networks import small_file
from helpers.program import environment, run, start
from PIL import Image

from npcam.cli.commands import main
from npcam.cli.names import Names
from npcam.cli.options import complain
from npcam.pictures.saved import Origin
from npcam.stream.batches import Batches, Reading
from npcam.stream.carried import Carried, Place

needs("distributed")
psutil = needs("psutil")  # which distributed needs
PHOTOS = 120
PORTS = ["--port", "0", "--dashboard-address", "127.0.0.1:0"]
OPTIONS = ["../photos", "--weights", "../narrow.h5", "--jsonl", "-o", "maps", "--csv", "table.csv"]
OPTIONS += ["--contact-sheet", "sheet.png", "--save-map"]

# A work that counts how often it is unpacked, and does what an item says.
PROGRAM = """
import os, signal, sys
from npcam.common.errors import InputError
from npcam.stream.cluster import cluster

class Work:
    def __getstate__(self):
        return {"folder": os.getcwd()}
    def __setstate__(self, state):
        open(f"unpacked-{os.getpid()}-{os.urandom(4).hex()}", "x").close()
    def __call__(self, item):
        if item == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "fail":
            raise FileNotFoundError(2, "of the work's own", "x")
        return item, os.environ["OMP_NUM_THREADS"]

def items(kind):
    for n in range(60):
        taken.append(n)
        yield kind if n == 40 and kind != "go on" else n

if __name__ == "__main__":
    taken, given = [], []
    try:
        with cluster(None, 2) as ready:
            for result in ready.in_order(Work(), items(sys.argv[1])):
                given.append(result)
                assert len(taken) - len(given) <= 8, "more ahead than 4 for each of 2 workers"
    except (InputError, FileNotFoundError) as error:
        print(type(error).__name__, error)
    print([n for n, _ in given] == list(range(len(given))), len(given), {threads for _, threads in given})
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A folder with a narrow network and many small photographs, one of which is none."""
    folder = tmp_path_factory.mktemp("room")
    small_file(folder / "narrow.h5", class_names=("cat", "dog", "cow", "cock", "crow"))
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(PHOTOS):
        pixels = rng.integers(0, 256, (60, 90, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number:03}.png")
    (folder / "photos" / "077.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def expected(room):
    """Every file, and what was said, where threads of one process did the work."""
    (room / "threads").mkdir()
    done = run("explain", *OPTIONS, cwd=room / "threads")
    assert done.returncode == 2
    assert done.stderr.decode().startswith("npcam: ../photos/077.png: ")
    return done.stdout.decode(), done.stderr.decode(), files(room / "threads")


@pytest.fixture
def scheduler(room):
    """The address of a scheduler without workers."""
    with child("dask_scheduler", "--scheduler-file", "scheduler.json", *PORTS, cwd=room) as process:
        (room / "scheduler.pid").write_text(str(process.pid))
        while not (room / "scheduler.json").exists() or not (room / "scheduler.json").read_text():
            time.sleep(0.02)
        yield json.loads((room / "scheduler.json").read_text())["address"]
    (room / "scheduler.json").unlink()


@contextmanager
def child(program, *arguments, cwd=None):
    """A program of Dask's for as long as a block lasts."""
    command = [sys.executable, "-m", f"distributed.cli.{program}", *arguments]
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1"], env=environment(), cwd=cwd, **nowhere
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def worker(address, cwd):
    """A worker of a scheduler's, of one process, that nobody starts again."""
    options = [
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
        "--local-directory",
        str(cwd.parent / "dask"),
    ]
    return child("dask_worker", address, *options, cwd=cwd)


def files(folder):
    """What a folder holds: {name: bytes}."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def workers_of(process):
    """The processes that work for one of ours."""
    children = psutil.Process(process.pid).children()
    return [one for one in children if not any("resource_tracker" in w for w in one.cmdline())]


def finish(process, expected, folder):
    """Let a run end, of which some lines were read; it gives the same as threads of one process did."""
    _, err, made = expected
    rest, said = process.communicate(timeout=120)
    assert process.returncode == 2
    first, *others = said.splitlines(keepends=True)
    assert "2 workers; dashboard: http://127.0.0.1:" in first
    assert "".join(others) == err
    assert files(folder) == made
    return rest


@pytest.mark.slow
def test_a_local_cluster_gives_the_same_bytes_though_a_worker_is_killed(room, expected):
    """JSON Lines, table, contact sheet, maps and pictures; the killed one is replaced."""
    folder = room / "local"
    folder.mkdir()
    with start("explain", *OPTIONS, "--workers", "2", cwd=folder) as process:
        lines = [process.stdout.readline() for _ in range(9)]
        before = workers_of(process)
        assert len(before) == 2
        before[0].send_signal(signal.SIGKILL)
        rest = finish(process, expected, folder)
    assert "".join(lines) + rest == expected[0]


@pytest.mark.slow
def test_a_scheduler_and_two_workers_give_the_same_bytes_though_one_is_killed(
    room, expected, scheduler, tmp_path
):
    """The same over a scheduler; first without workers, then with one in another folder, then with two."""
    folder = room / "scheduled"
    folder.mkdir()
    command = ["explain", *OPTIONS, "--scheduler", scheduler]
    none = run(*command, cwd=folder)
    assert (none.returncode, none.stdout) == (2, b"")
    assert none.stderr.decode() == f"npcam: {scheduler}: this scheduler has no workers; start some\n"
    (tmp_path / "elsewhere").mkdir()
    with worker(scheduler, tmp_path / "elsewhere"):
        done = run(*command, cwd=folder)
        lost, said = done.returncode, done.stderr.decode().splitlines()
    assert lost == 2
    assert f"this worker runs in {tmp_path / 'elsewhere'}, not in {folder}" in said[-1]
    assert files(folder) == {}
    with worker(scheduler, folder) as killed, worker(scheduler, folder):
        wait_for_two(scheduler)
        with start(*command, cwd=folder) as process:
            lines = [process.stdout.readline() for _ in range(9)]
            killed.kill()
            killed.wait()
            rest = finish(process, expected, folder)
    assert "".join(lines) + rest == expected[0]


@pytest.mark.slow
def test_a_scheduler_that_is_killed_ends_the_run(room, scheduler, tmp_path):
    """Status 2 and one line, however much Dask has to say of it."""
    number = int((room / "scheduler.pid").read_text())
    options = [word.replace("..", str(room)) for word in OPTIONS]
    with (
        worker(scheduler, tmp_path),
        start("explain", *options, "--scheduler", scheduler, cwd=tmp_path) as process,
    ):
        for _ in range(9):
            process.stdout.readline()
        psutil.Process(number).kill()
        _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    _, found = err.splitlines()
    assert found == "npcam: the scheduler is gone, and the work with it; run the command again"
    assert "table.csv" not in files(tmp_path)


@pytest.mark.slow
def test_a_worker_without_npcam_is_refused(room, scheduler, tmp_path):
    """Status 2 and one line that says what it lacks; nothing is left."""
    options = [word.replace("..", str(room)) for word in OPTIONS]
    program = "import sys; sys.modules['npcam'] = None\nfrom distributed.cli.dask_worker import main; main()"
    bare = [sys.executable, "-c", program, scheduler, "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
    with subprocess.Popen(
        bare, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        done = run("explain", *options, "--scheduler", scheduler, cwd=tmp_path)
        process.kill()
    assert (done.returncode, done.stdout) == (2, b"")
    said = done.stderr.decode().splitlines()[-1]
    assert said.startswith("npcam: a worker cannot take the work: ModuleNotFoundError")
    assert said.endswith("; install the same npcam for every worker")
    assert files(tmp_path) == {}


def wait_for_two(scheduler):
    """Wait until a scheduler has two workers, and no others."""
    program = "import sys, time; from distributed import Client; c = Client(sys.argv[1])\n"
    program += "while len(c.nthreads()) != 2: time.sleep(0.05)"
    subprocess.run([sys.executable, "-c", program, scheduler], check=True, env=environment(), timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_workers_too(room, tmp_path, number):
    """Status 130, no word of Dask's, nothing half-written, and no process is left."""
    (tmp_path / "here").mkdir()
    options = [word.replace("..", str(room)) for word in OPTIONS]
    with start("explain", *options, "--workers", "2", cwd=tmp_path / "here") as process:
        for _ in range(9):
            process.stdout.readline()
        others = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(err.splitlines()) == 1
    assert psutil.wait_procs(others, timeout=20)[1] == []
    made = files(tmp_path / "here")
    assert made
    assert not [name for name in made if name.endswith(".part")]
    assert "table.csv" not in made


@pytest.mark.slow
def test_work_is_unpacked_once_by_each_worker(tmp_path):
    """Sixty items in two workers: two processes unpacked the work, once each; results are in order."""
    done = program(tmp_path, "go on")
    assert done.stdout.splitlines() == ["True 60 {'1'}"]
    unpacked = [path.name.split("-")[1] for path in tmp_path.glob("unpacked-*")]
    assert len(unpacked) == len(set(unpacked)) == 2


@pytest.mark.slow
def test_what_work_raises_is_raised_in_its_turn(tmp_path):
    """An OSError of the work's own is not taken for one of the connection."""
    done = program(tmp_path, "fail")
    assert done.stdout.splitlines() == [
        "FileNotFoundError [Errno 2] of the work's own: 'x'",
        "True 40 {'1'}",
    ]


# A worker that is stopped for five times as long as results are waited for, with results in its memory.
STOPPED = """
import os, signal, threading, time
import npcam.stream.cluster as stream

class Work:
    def __call__(self, item):
        return item, os.getpid()

if __name__ == "__main__":
    stream.LOOK = 0.2
    with stream.cluster(None, 1) as ready:
        results = ready.in_order(Work(), range(8))
        given = [next(results)]
        process = given[0][1]
        while not all(future.done() for future in ready._client.futures.values()):
            time.sleep(0.01)
        os.kill(process, signal.SIGSTOP)
        threading.Timer(1, os.kill, [process, signal.SIGCONT]).start()
        print([item for item, _ in given + list(results)])
"""


@pytest.mark.slow
def test_results_that_come_late_are_waited_for(tmp_path):
    """Tasks are done, and their results are long in coming: that is no scheduler that is gone."""
    assert program(tmp_path, "", STOPPED).stdout == "[0, 1, 2, 3, 4, 5, 6, 7]\n"


@pytest.mark.slow
def test_an_item_that_kills_its_workers_is_given_up(tmp_path):
    """Two workers die of it, then it is said so; what came before was given, in order.

    An item that a worker had beside the deadly one when it died may be blamed as well.
    """
    done = program(tmp_path, "die", DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1")
    said, given = done.stdout.splitlines()
    assert said == "InputError one batch ended 2 workers, one after the other; give them more memory"
    count = re.fullmatch(r"True (\d+) \{'1'\}", given)
    assert count is not None, given
    assert 40 - 4 * 2 <= int(count[1]) <= 40


def program(folder, kind, text=PROGRAM, **changes):
    """Run a program; nothing is said on standard error but where the dashboard is."""
    (folder / "program.py").write_text(text)
    command = [sys.executable, "-W", "error", "program.py", kind]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(**changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.returncode == 0
    return done


@pytest.mark.slow
def test_who_does_not_answer_is_no_scheduler(room, tmp_path):
    """A program that takes the connection and says nothing is given up; status 2 and one line."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        options = [word.replace("..", str(room)) for word in OPTIONS]
        done = run("explain", *options, "--scheduler", address, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith(f"npcam: {address}: no scheduler answers (timed out")
    assert done.stderr.decode().endswith(
        "; is it a Dask scheduler that runs, and can be reached from here?\n"
    )
    assert done.stderr.count(b"\n") == 1
    assert "table.csv" not in files(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--workers", "2", "--scheduler", "tcp://x:1"],
            "--workers and --scheduler: a scheduler has workers",
        ),
        (["--workers", "0"], "argument --workers: expected a whole number from 1 up, got '0'"),
    ],
)
def test_options_that_do_not_fit(capsys, options, message):
    """Refused in one line, before anything is read."""
    assert main(["explain", "nowhere.png", *options]) == 2
    assert capsys.readouterr().err.startswith(f"npcam: {message}")


def test_without_dask(capsys, monkeypatch):
    """What is missing, and how to have it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["explain", "nowhere.png", "--workers", "2"]) == 2
    told = "sharing work needs distributed; `pip install distributed bokeh` brings it, or "
    assert capsys.readouterr().err.startswith(f"npcam: {told}")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"_version": "0.0.1"}, r"has npcam .*, and 0\.0\.1 was asked for"),
        ({"_place": Place(Path("/"), None)}, "not in /, where relative paths begin"),
        ({"_place": Place(Path.cwd(), Path("/nowhere/.witness"))}, "does not see /nowhere as it is here"),
        ({"_packed": b"damaged"}, "cannot unpack the work"),
        ({}, None),
    ],
)
def test_a_worker_that_does_not_fit_says_why(change, problem):
    """Another npcam, another folder, another file system, or work that cannot be unpacked."""
    carried = Carried(complain, Place(Path.cwd(), None), ours=False)
    for name, value in change.items():
        setattr(carried, name, value)
    carried = pickle.loads(pickle.dumps(carried))
    carried.setup(SimpleNamespace(address="tcp://there:1"))
    if problem is None:
        assert carried.problem is None
        assert carried("said on standard error") == 2
    else:
        with pytest.raises(Exception, match=f"^tcp://there:1: this worker .*{problem}"):
            carried("nothing")


def test_batches_can_be_sent():
    """The same batches in another process, which nobody has stopped."""
    batches = Batches(None, ["a.png"], Reading(align="centers"), complain)
    batches.stop.set()
    there = pickle.loads(pickle.dumps(batches))
    assert (there.photos, there.reading, there.finish) == (["a.png"], Reading(align="centers"), complain)
    assert not there.stop.is_set()


def test_long_names_are_told_apart_by_every_process():
    """Two photographs whose names are cut to one have pictures of two names, whoever asks first."""
    photos = [f"{'x' * 200}{number}.png" for number in range(3)]
    names = Names(photos, Path(), "weights")
    apart = [pickle.loads(pickle.dumps(names)).picture(number, Origin("a", "b")) for number in range(3)]
    assert len(set(apart)) == 3
    assert apart == [names.picture(number, Origin("a", "b")) for number in range(3)]
