"""`npcam report` and `npcam recheck`: words, files, statuses."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from npcam.cli import report as command
from npcam.cli.commands import main
from npcam.report.read import read_report


@pytest.fixture(autouse=True)
def jinja():
    """The page is made by Jinja2."""
    pytest.importorskip("jinja2")


def make(*words, weights):
    return main(["report", *map(str, words), "--weights", weights])


def check(*words, weights):
    return main(["recheck", *map(str, words), "--weights", weights])


@pytest.fixture
def several(photo):
    """Three photographs in a folder `photos`, and a file that is none."""
    folder = Path("photos")
    folder.mkdir()
    rng = np.random.default_rng(3)
    for name in ("a.png", "b.jpg", "c.png"):
        Image.fromarray(rng.integers(0, 256, (50, 70, 3)).astype(np.uint8)).save(folder / name)
    (folder / "d.png").write_bytes(Path(photo).read_bytes()[:100])
    return folder


def test_a_report_that_holds(narrow, photo, capsys):
    """Made, told in a line a photograph, checked: status 0, and what was compared and allowed is said."""
    assert make(photo, "--target", "dog", "--digits", weights=narrow) == 0
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"cat\.png: dog \d+\.\d%, logit -?\d+\.\d{4}", said[0])
    assert re.fullmatch(r"report\.html: 0\.\d MB; npcam recheck report\.html checks it", said[1])
    data = read_report("report.html").data
    assert data["options"]["targets"] == ["dog"]
    assert data["photos"][0]["digits"]["cells"] == 5 * 7
    assert check("report.html", weights=narrow) == 0
    out = capsys.readouterr().out
    assert out.startswith("report.html: holds\n")
    assert re.search(r"logits: at most \S+ off; rounding may do up to \S+ \(32 standard deviations\)", out)
    assert "does not make the network right" in out


def test_twice_the_same(narrow, photo):
    """The same command gives the same bytes, over its own page of before."""
    assert make(photo, "-o", "a.html", weights=narrow) == 0
    first = Path("a.html").read_bytes()
    assert make(photo, "-o", "a.html", weights=narrow) == 0
    assert Path("a.html").read_bytes() == first


def test_a_report_that_does_not_hold(narrow, photo, capsys):
    """Status 1, the first difference in the first line, all of them with --all, and as JSON."""
    assert make(photo, weights=narrow) == 0
    page = Path("report.html").read_text()
    logit = re.search(r'"logit":(-?\d+\.\d\d)', page)[1]
    Path("report.html").write_text(page.replace(f'"logit":{logit}', f'"logit":{float(logit) + 1:.2f}', 1))
    capsys.readouterr()
    assert check("report.html", weights=narrow) == 1
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"report\.html: does not hold: photo 1, logit of \w+: \S+ stated, \S+ found", first)
    assert re.fullmatch(r"  and \d+ more; --all names them", second)
    assert check("report.html", "--all", weights=narrow) == 1
    every = capsys.readouterr().out
    assert "photo 1, completeness of" in every
    assert "hash over all data" in every
    assert check("report.html", "--json", weights=narrow) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "does not hold"
    assert found["differences"][0]["words"] in first
    assert found["tolerance"].keys() == {"maps", "logits", "probabilities"}


def test_a_report_that_cannot_be_checked(narrow, photo, capsys):
    """Status 2 and one line, as JSON too: no photograph, other weights, no report."""
    assert make(photo, weights=narrow) == 0
    Path("cat.png").rename("elsewhere.txt")
    capsys.readouterr()
    assert check("report.html", "--json", weights=narrow) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["verdict"] == "cannot be checked"
    assert re.fullmatch(r"npcam: report\.html: cannot be checked: photo 1, cat\.png .*\n", err)
    Path("elsewhere.txt").rename("cat.png")
    assert main(["recheck", "report.html"]) == 2
    assert "give them with --weights" in capsys.readouterr().err
    assert check("cat.png", weights=narrow) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert check("nowhere.html", weights=narrow) == 2
    assert capsys.readouterr() == (
        "",
        "npcam: nowhere.html: no such file; give the path of a page that `npcam report` wrote\n",
    )


def test_several_in_one_page(narrow, several, capsys):
    """What cannot be read is named and left out, with status 2; the page holds the others, and is true."""
    assert make(several, "-o", "some.html", weights=narrow) == 2
    out, err = capsys.readouterr()
    assert re.search(r"photos.d\.png: is damaged or truncated", err)
    assert [line.split(":")[0] for line in out.splitlines()] == ["a.png", "b.jpg", "c.png", "some.html"]
    assert check("some.html", "--photos", several, weights=narrow) == 0


def test_nothing_that_can_be_read(narrow, capsys):
    """No photograph, no page."""
    Path("bad.jpg").write_bytes(b"\xff\xd8\xff")
    assert make("bad.jpg", weights=narrow) == 2
    assert not Path("report.html").exists()
    assert "bad.jpg" in capsys.readouterr().err


@pytest.fixture
def few(monkeypatch):
    """An index from three photographs on."""
    monkeypatch.setattr(command, "TOGETHER", 2)


@pytest.mark.usefixtures("few")
def test_an_index(narrow, several, capsys):
    """Of many photographs there is an index; its rows tell the command that makes a page, which works."""
    (several / "d.png").unlink()
    words = ["-o", "all.html", "--target", "crow", "--threshold", "0.5", "--exif-transpose", "--top", "2"]
    assert make(several, *words, weights=narrow) == 0
    assert re.fullmatch(r"all\.html: 3 photographs; 0\.\d MB\n", capsys.readouterr().out)
    assert not Path("all_pages").exists()
    page = Path("all.html").read_text()
    commands = re.findall(r"npcam report photos/\w\.\w+ [^<\"]*", page)
    assert len(commands) == 3
    assert commands[0].startswith("npcam report photos/a.png -o a.html --weights ")
    assert commands[0].endswith("--target crow --top 2 --threshold 0.5 --exif-transpose")
    assert main(commands[0].split()[1:]) == 0
    assert check("a.html", "--photos", several, weights=narrow) == 0
    assert check("all.html", weights=narrow) == 2
    assert "is an index; check the pages of its photographs" in capsys.readouterr().err


@pytest.mark.usefixtures("few")
def test_an_index_with_pages(narrow, several, capsys):
    """With --pages each photograph has a page, which is true; what cannot be read has a row that says so."""
    shutil.copy(several / "a.png", several / "a.gif")
    assert make(several, "--pages", weights=narrow) == 2
    capsys.readouterr()
    pages = sorted(path.name for path in Path("report_pages").iterdir())
    assert pages == ["b.html", "c.html", "photos_a_gif.html", "photos_a_png.html"]
    for name in pages:
        assert f"report_pages/{name}" in Path("report.html").read_text()
        assert check(Path("report_pages", name), "--photos", several, weights=narrow) == 0
    assert "damaged or truncated" in Path("report.html").read_text()


def test_what_is_there_is_kept(narrow, photo, capsys):
    """A page of another program, a photograph, and a name that is no page's are refused before any work."""
    Path("mine.html").write_text("<p>mine</p>")
    for name, said in (
        ("mine.html", "npcam did not make it"),
        ("report.png", "ends in .html"),
        ("report", "ends in .html"),
    ):
        assert make(photo, "-o", name, weights=narrow) == 2
        assert said in capsys.readouterr().err
    assert Path("mine.html").read_text() == "<p>mine</p>"
    Path("empty.html").touch()
    assert make(photo, "-o", "empty.html", weights=narrow) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--threshold", "2"], "threshold 2"),
        (["--interpolation", "cubic"], "cubic"),
        (["--target", "horse"], "no such class"),
        (["--top", "0"], "--top"),
        (["--align", "left"], "--align"),
    ],
)
def test_bad_options(narrow, photo, capsys, words, said):
    """One line, status 2, and no page."""
    assert make(photo, *words, weights=narrow) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not Path("report.html").exists()


def test_an_awkward_name(narrow, photo, capsys):
    """A photograph's name with a tag, a blank and a byte that is no text: page and check take it."""
    name = "a <b>\udcff.png"
    try:
        shutil.copy(photo, name)
    except OSError:
        pytest.skip("the file system takes no such name")
    assert make(name, weights=narrow) == 0
    assert b"<b>" not in re.sub(rb"<b>[^<]*</b>", b"", Path("report.html").read_bytes())
    assert check("report.html", weights=narrow) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_an_audit(photo, capsys):
    """With --audit the bundled model's report holds an audit, and is true."""
    assert main(["report", photo, "--audit", "--top", "1"]) == 0
    data = read_report("report.html").data
    assert data["options"]["audit"]
    assert {"deletion", "insertion", "road"} <= {one["key"] for one in data["photos"][0]["audit"]["figures"]}
    assert main(["recheck", "report.html"]) == 0
    assert "report.html: holds" in capsys.readouterr().out


def test_in_a_process_of_its_own(run, narrow, photo):
    """The commands as people call them; a pipe that closes early is no mistake."""
    made = run("report", photo, "--weights", narrow, "-o", "one.html")
    assert (made.returncode, made.stderr) == (0, "")
    checked = run("recheck", "one.html", "--weights", narrow)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith("one.html: holds")
