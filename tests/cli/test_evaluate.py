"""`npcam evaluate` as people run it: words, JSON, files; stopped at any moment and run again."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import wsol
from helpers.child import started
from helpers.data_set import BAD, CLASSES, lively_network, make_data_set
from helpers.needs import needs
from PIL import Image

import npcam
from npcam.cli.commands import main
from npcam.localise.evaluation import Evaluating
from npcam.localise.journal import Journal
from npcam.model import Model
from npcam.pictures.sheet import Sheet
from npcam.weights import Weights, read_weights, write_weights

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(npcam.__file__).parent.parent)}
# npcam in a process of its own that changes something of itself first.
PROGRAM = (
    "import os, sys, time; from pathlib import Path; from npcam.cli import main\n"
    "{}\nsys.exit(main(sys.argv[1:]))"
)
SMALL = ("--boxes", "boxes.json", "--weights", "lively.h5", "-o", "results")
RESULTS = {
    *(
        "best.png",
        "confusion.png",
        "curve.png",
        "index.html",
        "metrics.json",
        "mistakes.png",
        "per_photo.csv",
    ),
    *("reliability.png", "rows.jsonl", "worst.png"),
}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A data set and two networks for it, of 40x56 and of 224x224 pixels."""
    folder = make_data_set(tmp_path_factory.mktemp("evaluate"))
    lively_network(folder / "lively.h5", (40, 56))
    lively_network(folder / "square.h5")
    return folder


@pytest.fixture(autouse=True)
def here(made, tmp_path):
    """The data set in each test's own folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)


def files(folder="results"):
    """What is in a folder and below: names and bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def metrics(folder="results"):
    """The figures that were written."""
    return json.loads(Path(folder, "metrics.json").read_text("ascii"))


def rows(folder="results"):
    """The rows that were written."""
    return [json.loads(line) for line in Path(folder, "rows.jsonl").read_text("ascii").splitlines()[1:]]


def many(each=8):
    """A larger data set in the place of the small one."""
    for path in ("photos", "boxes.json"):
        shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()
    make_data_set(".", each)


def test_tables_and_files(run):
    """Figures in words, whatever could not be read, the exit status, and every file that belongs to it."""
    needs("matplotlib")
    needs("jinja2")
    done = run("evaluate", "photos", *SMALL)
    assert done.returncode == 2
    assert done.stderr == (
        f"npcam: photos/{BAD}: is no picture that npcam reads; give a photograph as JPEG, PNG, WebP, GIF, "
        "BMP or TIFF\n"
    )
    lines = done.stdout.splitlines()
    found = metrics()
    with_boxes = found["with_boxes"]
    threshold = f"{found['threshold']:g}"
    assert lines[0] == (
        f"20 photographs, {with_boxes} of them with boxes; 1 could not be read; "
        f"V1 is best at a threshold of {threshold}."
    )
    assert lines[-1] == "results/index.html"
    (top1,) = (line for line in lines if line.startswith("|  Top-1:"))
    assert f"{found['top1']['value']:.1%}" in top1
    pictures = {f"pictures/{name}/{i}.png.jpg" for name in CLASSES for i in range(4)}
    assert files().keys() == RESULTS | pictures


def test_json_is_metrics_json(capsys):
    """The same on standard output, and nothing else; what it was made with and from is in it."""
    assert main(["evaluate", "photos", *SMALL, "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == Path("results/metrics.json").read_text("ascii")
    found = json.loads(out)
    assert (found["photographs"], found["unreadable"]) == (20, 1)
    provenance = found["provenance"]
    assert provenance["npcam"] == npcam.__version__
    assert provenance["weights"] == "lively.h5"
    assert provenance["weights_sha256"] == hashlib.sha256(Path("lively.h5").read_bytes()).hexdigest()
    assert provenance["dataset"]["folder"] == "photos"
    assert provenance["dataset"]["kind"] == "JSON"
    assert provenance["options"] == {
        "map_of": "true",
        "thresholds": "min-max",
        "align": "corners",
        "interpolation": "nearest",
    }
    assert err.count("\n") == 1


def test_the_figures_are_those_of_each_photograph_explained(capsys):
    """Counted by hand from `npcam.explain`: top-1, top-5, the box at 20 %, the blind box."""
    assert main(["evaluate", "photos", *SMALL, "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    model, boxes = npcam.load_model("lively.h5"), json.loads(Path("boxes.json").read_text())
    right, hits, centred = [], [], []

    def iou(box, other):
        across, down = (min(box[i + 2], other[i + 2]) - max(box[i], other[i]) for i in (0, 1))
        both = max(0, across) * max(0, down)
        return both / (sum((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)) - both)

    for path, entry in boxes.items():
        e = npcam.explain(model, path, target=entry["class"])
        right.append(npcam.explain(model, path).label == entry["class"])
        width, height = e.photo.size
        true = [np.clip(b["xyxy"], 0, [width, height] * 2).tolist() for b in entry.get("boxes", [])]
        if true:
            hits.append(e.box is not None and max(iou(e.box, one) for one in true) >= 0.5)
            blind = [0.075 * width, 0.075 * height, 0.925 * width, 0.925 * height]
            centred.append(max(iou(blind, one) for one in true) >= 0.5)
    assert found["top1"]["value"] == np.mean(right)
    assert found["top5"]["value"] == 1
    assert found["with_boxes"] == len(hits)
    assert found["gt_known_20"]["value"] == pytest.approx(np.mean(hits), abs=1e-12)
    assert found["centred_box"]["value"] == pytest.approx(np.mean(centred), abs=1e-12)
    assert 0 < np.mean(right) < 1
    assert 0 < np.mean(hits) < 1


@pytest.mark.slow
@pytest.mark.parametrize("raw", [False, True])
def test_other_peoples_evaluator_finds_the_same(capsys, raw):
    """MaxBoxAcc and its second version from the score maps, with OpenCV's contours: to the last digit."""
    cv2 = needs("cv2")
    for align in ("corners", "centers"):
        folder = f"maps-{align}"
        options = ["--align", align, *(["--thresholds", "raw"] if raw else []), "--no-pictures", "--json"]
        out = ["--weights", "square.h5", "-o", f"results-{align}", "--score-maps", folder]
        assert main(["evaluate", "photos", "--boxes", "boxes.json", *out, *options]) == 2
        found = json.loads(capsys.readouterr().out)["max_box_acc"]
        judged = wsol.evaluate_folder(cv2, Path(folder))
        assert {name: share["value"] for name, share in found.items()} == pytest.approx(judged, abs=1e-9)
        assert len({path.name for path in Path(folder).rglob("*.npy")}) == 4
        assert len(list(Path(folder).rglob("*.npy"))) == 20
        assert 0.2 < judged["v1"] < 1


def test_coco_results():
    """A detection for each photograph that has a box, as the rows have it."""
    assert main(["evaluate", "photos", *SMALL, "--coco", "found/coco.json"]) == 2
    expected = [row for row in rows() if row.get("box")]
    found = json.loads(Path("found/coco.json").read_text())
    assert [one["image_id"] for one in found] == [row["photo"] for row in expected]
    for one, row in zip(found, expected, strict=True):
        x, y, width, height = one["bbox"]
        assert [x, y, x + width, y + height] == row["box"]
        assert one["score"] == row["probability_of_class"]


def test_the_map_of_the_predicted_class():
    """Its box and its map are measured; the figures of classes stay what they are."""
    assert main(["evaluate", "photos", *SMALL]) == 2
    assert main(["evaluate", "photos", *SMALL[:-1], "other", "--map-of", "predicted"]) == 2
    model = npcam.load_model("lively.h5")
    for true, predicted in zip(rows(), rows("other"), strict=True):
        if "error" in true:
            continue
        assert (true["explained"], predicted["explained"]) == (true["label"], true["predicted"])
        e = npcam.explain(model, Path("photos", predicted["photo"]))
        assert predicted["box"] == (e.box and list(e.box))
        assert all(true[name] == predicted[name] for name in ("predicted", "probability", "drop", "top"))
    one, other = metrics(), metrics("other")
    assert one["top1"] == other["top1"]
    assert one["max_box_acc"] != other["max_box_acc"]
    assert other["provenance"]["options"]["map_of"] == "predicted"


@pytest.mark.parametrize(
    ("option", "changed", "kept"),
    [
        (["--thresholds", "raw"], "max_box_acc", "gt_known_20"),
        (["--align", "centers"], "max_box_acc", "top1"),
        (["--interpolation", "bilinear"], "calibration", "centred_box"),
    ],
)
def test_options_change_what_they_should(option, changed, kept):
    """And nothing else: thresholds not npcam's own box, alignment no class, interpolation no blind box."""
    assert main(["evaluate", "photos", *SMALL, "--no-pictures"]) == 2
    assert main(["evaluate", "photos", *SMALL[:-1], "other", "--no-pictures", *option]) == 2
    one, other = metrics(), metrics("other")
    assert one[changed] != other[changed]
    assert one[kept] == other[kept]
    name = option[0][2:].replace("-", "_")
    assert other["provenance"]["options"] == {**one["provenance"]["options"], name: option[1]}


def test_without_boxes(capsys):
    """Figures of classes alone; the folders say the classes, and all are there."""
    Path("photos", BAD).unlink()
    assert main(["evaluate", "photos", "--weights", "lively.h5", "-o", "results"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("20 photographs, 0 of them with boxes.\n")
    assert err == ""
    assert metrics()["max_box_acc"]["v1"] is None
    assert "curve.png" not in files()


def test_a_linear_top(capsys):
    """Values that are no probabilities: no drop and no calibration, and no per cent of them anywhere."""
    lively_network("linear.h5", (40, 56), activation="linear")
    assert main(["evaluate", "photos", "--weights", "linear.h5", "-o", "results"]) == 2
    out = capsys.readouterr().out
    assert "Top-1" in out
    assert "Average" not in out
    assert "calibration" not in out
    assert not {"reliability.png"} & files().keys()


def test_a_run_that_is_done_computes_nothing(capsys, monkeypatch):
    """The rows are taken as they are; the files are the same bytes, the words the same words."""
    assert main(["evaluate", "photos", *SMALL]) == 2
    first, before = capsys.readouterr(), files()

    def computed(*_):
        raise AssertionError("computed something")

    monkeypatch.setattr(Model, "run", computed)
    monkeypatch.setattr(Evaluating, "__call__", computed)
    assert main(["evaluate", "photos", *SMALL]) == 2
    assert (capsys.readouterr(), files()) == (first, before)


def test_a_run_that_goes_on_computes_the_rest(capsys, monkeypatch):
    """Of three batches one is there: two are done, which is said; the results are the same."""
    assert main(["evaluate", "photos", *SMALL]) == 2
    before, real, done = files(), Evaluating.__call__, []
    lines = before["rows.jsonl"].splitlines(keepends=True)
    Path("results/rows.jsonl").write_bytes(b"".join(lines[:10]) + lines[10][:40])
    monkeypatch.setattr(Evaluating, "__call__", lambda self, batch: done.append(batch) or real(self, batch))
    capsys.readouterr()
    assert main(["evaluate", "photos/", *SMALL]) == 2
    assert sorted(done, key=lambda batch: batch.start) == [range(8, 16), range(16, 21)]
    assert "npcam: note: 8 of 21 photographs were measured before; going on\n" in capsys.readouterr().err
    assert files() == before


def test_results_say_nothing_of_where_they_lie():
    """The same bytes in another folder, and with score maps and COCO results elsewhere."""
    more = ["--weights", "square.h5", "--boxes", "boxes.json"]
    first = ["--score-maps", "maps", "--coco", "coco.json", "-o", "results"]
    other = ["--score-maps", "a/b", "--coco", "a/c.json", "-o", "elsewhere/x"]
    assert main(["evaluate", "photos", *more, *first]) == 2
    assert main(["evaluate", "photos", *more, *other]) == 2
    assert files("elsewhere/x") == files()
    assert Path("a/c.json").read_bytes() == Path("coco.json").read_bytes()
    assert files("a/b") == files("maps")


def test_a_photograph_that_was_mended(capsys):
    """It is measured when the command is given again, and all that comes after it in its batches."""
    assert main(["evaluate", "photos", *SMALL]) == 2
    Image.open("photos/dog/0.png").save(Path("photos", BAD))
    assert main(["evaluate", "photos", *SMALL]) == 0
    assert metrics()["photographs"] == 21
    assert "could not be read" not in capsys.readouterr().out.split("index.html")[-1]


def kill_at(replacement):
    """A program that is killed by signal 9 just before a file gets its name, the n-th of all."""
    return PROGRAM.format(
        "real, count = Path.replace, []\n"
        "def replace(self, target):\n"
        "    count.append(target)\n"
        f"    if len(count) == {replacement}: os.kill(os.getpid(), 9)\n"
        "    return real(self, target)\n"
        "Path.replace = replace"
    )


@pytest.mark.slow
@pytest.mark.parametrize("order", [(1, 2, 9, 23, 24), (5, 40, 1, 1), (86, 8, 2), (83, 3, 4, 5, 6, 7)])
def test_killed_while_it_writes_and_run_again(run, order):
    """Whichever file was about to be there: the next run goes on, and ends with the same bytes."""
    many()
    command = ["evaluate", "photos", "--boxes", "boxes.json", "--weights", "square.h5"]
    undisturbed = [*command, "-o", "undisturbed", "--score-maps", "maps"]
    assert main(undisturbed) == 2
    for number in order:
        again = [sys.executable, "-c", kill_at(number), *command, "-o", "results", "--score-maps", "again"]
        done = subprocess.run(again, env=ENVIRONMENT, check=False, capture_output=True)
        assert done.returncode == -signal.SIGKILL
    assert run(*command, "-o", "results", "--score-maps", "again").returncode == 2
    assert files() == files("undisturbed")
    assert files("again") == files("maps")


# After each batch some time, so that there is a moment to be caught in.
SLOWLY = PROGRAM.format(
    "from npcam.localise.journal import Journal\n"
    "real = Journal.add\n"
    "def add(self, rows):\n"
    "    real(self, rows); print(len(self.rows), flush=True); time.sleep(0.3)\n"
    "Journal.add = add"
)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("batches", [1, 3])
def test_stopped_among_the_photographs(run, number, batches):
    """No traceback and no half-written file; the next run ends with an undisturbed one's bytes."""
    many()
    assert main(["evaluate", "photos", *SMALL[:-1], "undisturbed"]) == 2
    command = [sys.executable, "-c", SLOWLY, "evaluate", "photos", *SMALL]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": ENVIRONMENT}
    with started(command, **pipes) as process:
        for _ in range(batches):
            assert process.stdout.readline()
        time.sleep(0.05 * batches)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert (
        process.returncode
        in {
            signal.SIGINT: (130, -signal.SIGINT),
            signal.SIGTERM: (130, -signal.SIGTERM),
            signal.SIGKILL: (-signal.SIGKILL,),
        }[number]
    )
    assert err == ""
    assert len(rows()) == 8 * batches
    if number != signal.SIGKILL:
        assert not [name for name in files() if name.endswith(".part")]
    assert run("evaluate", "photos", *SMALL).returncode == 2
    assert files() == files("undisturbed")


def refused(capsys, *arguments):
    """The one line that a command is refused with; nothing is written."""
    before = set(Path().rglob("*"))
    assert main(["evaluate", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("npcam: ")
    assert err.count("\n") == 1
    assert set(Path().rglob("*")) == before
    return err[len("npcam: ") : -1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photos", *SMALL, "--boxes", "nowhere.json"], "nowhere.json: no such file; give boxes as CSV"),
        (["nowhere", *SMALL], "nowhere: no such folder; give one that holds a folder of photographs"),
        (["boxes.json", *SMALL], "boxes.json: is no folder; give one"),
        (["photos", *SMALL, "--weights", "nowhere.h5"], "nowhere.h5: no such file"),
        (["photos", *SMALL, "--weights", "boxes.json"], "boxes.json: "),
        (["photos", *SMALL[:-1], "boxes.json"], "boxes.json: cannot make this folder (File exists)"),
        (["photos", *SMALL[:-1], "boxes.json/x"], "boxes.json/x: cannot make this folder (Not a directory)"),
        (["photos", *SMALL[:-1], "photos"], "photos: lies in photos, which is searched for photographs"),
        (["photos", *SMALL[:-1], "photos/cat/../x"], "photos/cat/../x: lies in photos, which is searched"),
        ([".", *SMALL], "results: lies in ., which is searched for photographs; choose another -o"),
        (
            ["photos", *SMALL, "--score-maps", "maps"],
            "--score-maps: have 224x224, this network's input 40x56",
        ),
        (
            ["photos", *SMALL, "--interpolation", "cubic"],
            "interpolation: 'cubic' is not known; choose one of",
        ),
        (["photos", *SMALL, "--coco", "boxes.json"], "boxes.json: is the input boxes.json itself"),
        (
            ["photos", *SMALL, "--coco", "results/../results/curve.png"],
            "results/../results/curve.png: is one of the results; choose another --coco",
        ),
        (
            ["photos", *SMALL, "--coco", "lively.h5"],
            "lively.h5: is the input lively.h5 itself; choose another",
        ),
        (["photos", *SMALL, "--score-maps", "photos"], "--score-maps: have 224x224"),
        (["photos", "-o", "results", "--map-of", "all"], "argument --map-of: invalid choice: 'all'"),
        (["photos"], "the following arguments are required: -o/--output"),
        (["photos/cat", *SMALL[2:]], "photos/cat: "),
    ],
)
def test_refused_in_one_line(capsys, arguments, message):
    """Before anything is computed or written."""
    assert refused(capsys, *arguments).startswith(message)


def test_a_network_without_top_is_refused(capsys):
    """It tells no classes apart."""
    weights = read_weights("lively.h5")
    tensors = {name: arrays for name, arrays in weights.tensors.items() if name != "predictions"}
    arch = replace(weights.architecture, activation=None)
    write_weights("topless.h5", Weights(arch, tensors, source="made up"))
    line = refused(capsys, "photos", "--weights", "topless.h5", "-o", "results")
    assert line.startswith("the network of made up has no top (include_top=False), so it cannot")


def test_another_evaluation_in_that_folder(capsys):
    """What differs is named; the results are left as they are."""
    assert main(["evaluate", "photos", *SMALL]) == 2
    before = files()
    capsys.readouterr()
    assert refused(capsys, "photos", *SMALL, "--align", "centers", "--no-pictures") == (
        "results/rows.jsonl: is of an evaluation with other options align, written pictures; choose another "
        "-o, or remove this folder"
    )
    Image.open("photos/cat/0.png").save("photos/cat/1.png")
    line = refused(capsys, "photos", *SMALL)
    assert line.startswith("photos/cat/1.png: has changed since it was measured; remove results/rows.jsonl")
    assert files() == before


def test_small_pictures_that_are_gone(capsys):
    """They are not missed in silence."""
    assert main(["evaluate", "photos", *SMALL]) == 2
    Path("results/pictures/cow/2.png.jpg").unlink()
    capsys.readouterr()
    line = refused(capsys, "photos", *SMALL)
    assert line.startswith("results/pictures/cow/2.png.jpg: is missing, though cow/2.png was measured")


@pytest.mark.parametrize("what", ["rows", "pictures", "results"])
def test_a_full_disk(capsys, monkeypatch, what):
    """One line, nothing half-written, and no photograph is said to be unreadable; with room it goes on."""
    assert main(["evaluate", "photos", *SMALL[:-1], "undisturbed"]) == 2
    capsys.readouterr()
    with monkeypatch.context() as patch:
        if what == "rows":

            def add(self, _):
                raise npcam.InputError(f"{self._path}: writing failed (No space left on device); make room")

            patch.setattr(Journal, "add", add)
        else:
            real = Path.replace

            def replace(self, target):
                if ("pictures" in str(target)) == (what == "pictures"):
                    raise OSError(28, "No space left on device")
                return real(self, target)

            patch.setattr(Path, "replace", replace)
        assert main(["evaluate", "photos", *SMALL]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert "No space left on device" in err
    assert not [name for name in files() if name.endswith(".part")]
    assert not any("No space" in row.get("error", "") for row in rows())
    assert main(["evaluate", "photos", *SMALL]) == 2
    assert files() == files("undisturbed")


def test_per_photo_csv():
    """A line for each photograph of the data set, numbers to the last bit, as in the rows."""
    assert main(["evaluate", "photos", *SMALL]) == 2
    with Path("results/per_photo.csv").open(encoding="utf-8", newline="") as file:
        lines = {line["photo"]: line for line in csv.DictReader(file)}
    assert len(lines) == 21
    for row in rows():
        line = lines[row["photo"]]
        assert line["error"] == row.get("error", "")
        if "error" not in row:
            assert float(line["probability"]) == row["probability"]
            assert line["iou"] == (repr(row["iou"]) if "iou" in row else "")


def test_no_sheet_without_pictures(monkeypatch):
    """`--no-pictures` draws nothing."""
    monkeypatch.setattr(Sheet, "add", lambda *_: pytest.fail("drew something"))
    assert main(["evaluate", "photos", *SMALL, "--no-pictures"]) == 2
    assert files().keys() == RESULTS - {"best.png", "worst.png", "mistakes.png"}


@pytest.mark.slow
def test_over_workers_the_bytes_are_the_same(run):
    """Two processes of a Dask cluster instead of threads; and a run that threads began is gone on with."""
    needs("distributed")
    assert run("evaluate", "photos", *SMALL).returncode == 2
    expected = files()
    done = run("evaluate", "photos", *SMALL[:-1], "shared", "--workers", "2")
    assert (done.returncode, done.stderr.count("2 workers; dashboard: ")) == (2, 1)
    assert files("shared") == expected
    kept = expected["rows.jsonl"].splitlines(keepends=True)
    Path("shared/rows.jsonl").write_bytes(b"".join(kept[:9]))
    assert run("evaluate", "photos", *SMALL[:-1], "shared", "--workers", "2").returncode == 2
    assert files("shared") == expected
