"""The page of a report and the index of many, as files: what is in them, without a browser."""

import base64
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers import reported
from helpers.needs import needs

from npcam.common.errors import InputError
from npcam.report.canonical import canonical
from npcam.report.index import write_index
from npcam.report.page import card, write_page

needs("jinja2")
SCRIPTS = sorted((Path(__file__).parents[2] / "npcam").rglob("page/*.js"))


class Page(HTMLParser):
    """What is in a page: its elements, and the text of its scripts by their id."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.scripts, self._script = [], {}, None
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._script = dict(attributes).get("id", "script") if tag == "script" else None

    def handle_endtag(self, _tag):
        self._script = None

    def handle_data(self, data):
        if self._script is not None:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data


def test_the_data_and_the_pictures_stand_in_the_page(tmp_path):
    """The canonical text as it is, and each JPEG's bytes; nothing is at another address."""
    bundle, pictures, _ = reported.made_up()
    second = dict(bundle["photos"][0], photo="b.jpg")
    bundle["photos"].append(second)
    write_page(tmp_path / "report.html", bundle, [pictures[0], pictures[0] + b"\0"])
    page = Page(tmp_path / "report.html")
    assert page.scripts["npcam-report"] == canonical(bundle)
    images = {a["data-photo"]: a["src"] for tag, a in page.elements if tag == "img" and "data-photo" in a}
    start = "data:image/jpeg;base64,"
    assert {i: base64.b64decode(src.removeprefix(start)) for i, src in images.items()} == {
        "0": pictures[0],
        "1": pictures[0] + b"\0",
    }
    outside = [
        a for _, a in page.elements for key in ("src", "href") if re.match("(?!data:|#)", a.get(key) or "#")
    ]
    assert outside == []


def test_the_same_report_is_the_same_bytes(tmp_path):
    """Whatever the file is called, and wherever it lies: a page that was moved is still what npcam writes."""
    bundle, pictures, _ = reported.made_up()
    (tmp_path / "elsewhere").mkdir()
    files = [tmp_path / "a.html", tmp_path / "elsewhere" / "another name.html"]
    for file in files:
        write_page(file, bundle, pictures)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_page_of_the_full_size_network_is_small(tmp_path):
    """7x7 maps, 2,048 of them, eight classes of 1,000: under 3 MB with a picture of 300 KB."""
    names = tuple(f"class_{i}" for i in range(8))
    bundle, _, _ = reported.made_up(shape=(7, 7, 2048), input_size=(224, 224), names=names)
    write_page(tmp_path / "report.html", bundle, [bytes(300_000)])
    assert (tmp_path / "report.html").stat().st_size < 3e6


def test_not_a_picture_for_each_photograph(tmp_path):
    """It is an error, and no page is written."""
    bundle, pictures, _ = reported.made_up()
    with pytest.raises(ValueError, match="zip"):
        write_page(tmp_path / "report.html", bundle, pictures * 2)
    assert not any(tmp_path.iterdir())


def test_without_jinja2(tmp_path, monkeypatch):
    """One line says what is missing and how it is had."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    bundle, pictures, _ = reported.made_up()
    with pytest.raises(
        InputError, match=r"^report\.html needs jinja2; `pip install jinja2` brings it, or .*report"
    ):
        write_page(tmp_path / "report.html", bundle, pictures)
    with pytest.raises(InputError, match=r"^i\.html needs jinja2"):
        write_index(tmp_path / "i.html", {**bundle, "photos": []}, [])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["</script><script>x</script>", "\ud800.jpg", "{{ 7 * 7 }}", "\u2028"])
def test_any_name(tmp_path, name):
    """A name that no page should have to show makes no element and no other text of another's."""
    bundle, pictures, _ = reported.made_up(names=(name, "b"))
    bundle["photos"][0]["photo"] = name
    write_page(tmp_path / "report.html", bundle, pictures)
    plain, _, _ = reported.made_up(names=("a", "b"))
    write_page(tmp_path / "plain.html", plain, pictures)
    page = Page(tmp_path / "report.html")
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in Page(tmp_path / "plain.html").elements]
    assert json.loads(page.scripts["npcam-report"])["photos"][0]["photo"] == name
    rows = [{"photo": name, "error": f"{name}: is torn"}]
    write_index(tmp_path / "index.html", {k: v for k, v in bundle.items() if k != "photos"}, rows)
    assert json.loads(Page(tmp_path / "index.html").scripts["data"])["rows"][0]["photo"] == name


def test_the_card():
    """What is known of the network, what was found in its file, and how photographs were read."""
    bundle, _, _ = reported.made_up()
    found = card(bundle)
    assert ("Maps: height, width, number", "4, 6, 40") in found["lines"]
    assert ("exif transpose", "no") in found["options"]
    assert ("targets", "none") in found["options"]
    assert found["findings"] == ["a layer that only trains (augment)"]
    assert found["notes"] == ["the input is RGB"]


@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_what_a_linear_top_gives_is_no_percentage(tmp_path, activation):
    """Its values are written as they are."""
    bundle, pictures, _ = reported.made_up()
    bundle["model"]["activation"] = activation
    bundle["photos"][0]["classes"][0]["probability"] = 0.62345
    write_page(tmp_path / "report.html", bundle, pictures)
    text = (tmp_path / "report.html").read_text()
    assert ("<strong>cat 62.3%</strong>" in text) == (activation == "softmax")
    assert ("<strong>cat 0.6234</strong>" in text) == (activation == "linear")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, which no package brings")
@pytest.mark.parametrize("script", SCRIPTS, ids=[file.name for file in SCRIPTS])
def test_the_scripts_parse(script):
    """Each by itself, as node reads it."""
    subprocess.run(["node", "--check", script], check=True, capture_output=True, timeout=60)
