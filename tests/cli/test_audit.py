"""`npcam audit`: files, tables, JSON; stopped and gone on; what it refuses."""

import csv
import json

import pytest
from helpers.audited import photographs, small_model
from helpers.needs import needs

from npcam.audit import folder as folder_module
from npcam.audit.figures import CAVEAT
from npcam.cli.commands import main
from npcam.weights import write_weights

needs("matplotlib")
pytestmark = pytest.mark.slow
FILES = {
    *("audit.json", "audit.md", "per_photo.csv", "rows.jsonl", "worst.png", "deletion.png", "insertion.png"),
    *("drop.png", "road.png", "randomisation.png", "labels.png", "stability.png", "sparseness.png"),
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.h5"
    write_weights(path, small_model().weights)
    return str(path)


@pytest.fixture
def data(tmp_path):
    return photographs(tmp_path / "photos", 4)


def contents(folder):
    """Every file's bytes, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder(data, weights, tmp_path, capsys):
    """Every file; medians of what stands in the table of photographs; the caveat where numbers stand."""
    out = tmp_path / "r"
    assert main(["audit", str(data), "--weights", weights, "-o", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == FILES
    found = json.loads((out / "audit.json").read_text())
    assert found["photographs"] == 4
    with (out / "per_photo.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["photo"] for line in lines] == ["cat/1.png", "cat/3.png", "dog/0.png", "dog/2.png"]
    ginis = sorted(float(line["gini"]) for line in lines)
    assert found["numbers"]["gini"]["value"] == pytest.approx((ginis[1] + ginis[2]) / 2, abs=1e-12)
    assert found["numbers"]["gini"]["photographs"] == 4
    worst = found["worst"]["road"]
    assert [one["value"] for one in worst] == sorted(float(line["road"]) for line in lines)
    said, page = capsys.readouterr().out, (out / "audit.md").read_text()
    for text in (said, page, found["caveat"]):
        assert CAVEAT in text
    for entry in found["figures"]:
        assert entry["sentence"] in said
        assert entry["sentence"] in page
        assert entry["paper"] in page
        assert f"]({entry['picture']})" in page
    for row in found["card"]:
        assert row["answer"] in page


def test_the_same_bytes_again_and_after_a_stop(data, weights, tmp_path, capsys, monkeypatch):
    """A run that was stopped after two photographs goes on, and ends with the files of one that was not."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    command = ["audit", str(data), "--weights", weights]
    assert main([*command, "-o", str(whole)]) == 0
    lines = (whole / "rows.jsonl").read_bytes().splitlines(keepends=True)
    parts.mkdir()
    (parts / "rows.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:50])
    measured = []
    plain = folder_module.Auditing._measure
    monkeypatch.setattr(
        folder_module.Auditing, "_measure", lambda self, one: measured.append(one.number) or plain(self, one)
    )
    assert main([*command, "-o", str(parts)]) == 0
    assert sorted(measured) == [2, 3]
    assert "2 of 4 photographs were measured before" in capsys.readouterr().err
    assert contents(parts) == contents(whole)


def test_other_options_are_another_audit(data, weights, tmp_path, capsys):
    """Rows of other options are refused in one line."""
    command = ["audit", str(data), "--weights", weights, "-o", str(tmp_path / "r"), "--limit", "1"]
    assert main(command) == 0
    assert main([*command, "--align", "centers"]) == 2
    assert "other options" in capsys.readouterr().err


def test_boxes_count_where_the_class_is_right(data, weights, tmp_path, capsys):
    """Of four photographs with boxes of their own class those are counted that are taken for it."""
    table = tmp_path / "boxes.csv"
    names = ["cat/1.png", "cat/3.png", "dog/0.png", "dog/2.png"]
    lines = [f"{name},{name.split('/')[0]},0,0,40,60\n" for name in names]
    table.write_text("photo,class,x0,y0,x1,y1\n" + "".join(lines))
    out = tmp_path / "r"
    assert (
        main(["audit", str(data), "--boxes", str(table), "--weights", weights, "-o", str(out), "--json"]) == 0
    )
    found = json.loads(capsys.readouterr().out)
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()[1:]]
    right = [row for row in rows if row["class"] == row["photo"].split("/")[0]]
    assert found["with_boxes"] == len(right)
    for row in rows:
        assert ("inside.mass" in row["numbers"]) == (row in right)
    assert all(row["numbers"]["inside.area"] == 0.5 for row in right)


def test_one_photograph(data, weights, tmp_path, capsys):
    """No worst ones, no bootstrap; ranges that are named."""
    out = tmp_path / "r"
    assert main(["audit", str(data / "cat" / "1.png"), "--weights", weights, "-o", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["photographs"] == 1
    assert found["worst"] == {}
    assert not (out / "worst.png").exists()
    assert {entry["interval"] for entry in found["figures"]} >= {None, "over five changes"}
    assert found["numbers"]["gini"]["low"] is None


def test_limit_takes_an_even_spread(data, weights, tmp_path, capsys):
    """Two of four: the first of each half; said in a note."""
    out = tmp_path / "r"
    assert main(["audit", str(data), "--limit", "2", "--weights", weights, "-o", str(out)]) == 0
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()[1:]]
    assert [row["photo"] for row in rows] == ["cat/1.png", "dog/0.png"]
    assert "2 of 4 photographs were taken" in capsys.readouterr().err


def test_a_photograph_that_cannot_be_read(data, weights, tmp_path, capsys):
    """The others are audited; it is named, and the status is 2; with no other, no figures are written."""
    (data / "cat" / "1.png").write_bytes(b"no picture")
    out = tmp_path / "r"
    assert main(["audit", str(data), "--weights", weights, "-o", str(out)]) == 2
    assert "1.png" in capsys.readouterr().err
    assert json.loads((out / "audit.json").read_text())["unreadable"] == 1
    alone = tmp_path / "alone"
    assert main(["audit", str(data / "cat" / "1.png"), "--weights", weights, "-o", str(alone)]) == 2
    assert "no photograph could be audited" in capsys.readouterr().err
    assert not (alone / "audit.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere"),
        (["PHOTOS", "-o", "PHOTOS/r"], "searched for photographs"),
        (["PHOTOS", "--limit", "0"], "from 1 up"),
        (["PHOTOS", "--interpolation", "cubic"], "cubic"),
        (["PHOTOS", "--boxes", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_what_is_refused(arguments, words, data, weights, tmp_path, capsys):
    """One line, status 2, and no file."""
    given = [argument.replace("PHOTOS", str(data)) for argument in arguments]
    output = [] if "-o" in given else ["-o", str(tmp_path / "r")]
    assert main(["audit", *given, "--weights", weights, *output]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "r").exists()
    assert not (data / "r").exists()
