"""Strangers' reports: one line for whatever is wrong, nothing is run, and nothing is read elsewhere."""

import base64
import json
import re
import time

import pytest
from helpers.forged import DATA, edit, edit_data, make_photographs, make_report, make_weights, with_data

from npcam.common import limits
from npcam.common.errors import InputError
from npcam.report import read
from npcam.report.read import read_report
from npcam.report.recheck import recheck


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A report with two photographs, beside its weights and photographs."""
    folder = tmp_path_factory.mktemp("honest")
    return make_report(folder / "honest.html", make_weights(folder / "narrow.h5"), make_photographs(folder))


def set_in(value, *path):
    """A change of JSON that sets one value."""

    def change(data):
        there = data
        for key in path[:-1]:
            there = there[key]
        there[path[-1]] = value

    return with_data(change)


def removed(*path):
    def change(data):
        there = data
        for key in path[:-1]:
            there = there[key]
        del there[path[-1]]

    return with_data(change)


PHOTO = ("photos", 0)
CLASS = (*PHOTO, "classes", 0)
DAMAGED = {
    "an extra key": (set_in(1, "more"), "keys that no report has: more"),
    "an extra key of a photograph": (set_in(1, *PHOTO, "more"), "photo 1 have keys that no report has: more"),
    "a key left out": (removed("model", "notes"), "model have no notes"),
    "a hash left out": (removed("sha256"), "have no sha256"),
    "a photograph removed": (removed(*PHOTO), "2 pictures of photographs for 1"),
    "no photographs": (set_in([], "photos"), "photos: expected a list of 1 to"),
    "no classes": (set_in([], *PHOTO, "classes"), "classes: expected a list of 1 to"),
    "NaN": (lambda text: re.sub(r'"logit":[^,]*', '"logit":NaN', text), "logit: expected a finite number"),
    "infinity": (
        lambda text: re.sub(r'"logit":[^,]*', '"logit":1e999', text),
        "logit: expected a finite number",
    ),
    "a huge integer": (
        lambda text: re.sub(r'"top":\d+', f'"top":{"9" * 4000}', text),
        "top: expected a count",
    ),
    "digits without end": (lambda text: re.sub(r'"top":\d+', f'"top":{"9" * 9000}', text), "not valid JSON"),
    "a key twice": (lambda text: text.replace('"version":', '"version":1,"version":', 1), "is there twice"),
    "nested JSON": (lambda _: "[" * 100_000, "nested too deeply|not valid JSON"),
    "nested audit": (
        lambda text: text.replace('"audit":null', f'"audit":{"[" * 900}{"]" * 900}', 1),
        "audit: expected plain values|nested too deeply",
    ),
    "deep audit": (
        lambda text: text.replace('"audit":null', '"audit":{"a":[[[[[[[[[[1]]]]]]]]]]}', 1),
        "audit: expected plain values",
    ),
    "no JSON": (lambda text: text[:-5], "not valid JSON"),
    "a list": (lambda _: "[]", "expected an object, found a list"),
    "empty": (lambda _: "", "not valid JSON"),
    "another version": (set_in(2, "version"), "another version than 1"),
    "another format": (set_in("report", "format"), "holds the data of another program"),
    "short base64": (set_in("AAAA", *PHOTO, "features", "float32"), "has 4 letters; "),
    "long base64": (set_in("A" * 4_000_000, *CLASS, "weights"), "has 4,000,000 letters; "),
    "no base64": (lambda text: re.sub(r'"float32":"....', '"float32":"?*?*', text), "base64"),
    "infinite features": (
        lambda text: re.sub(r'"float32":"[^"]{16}', '"float32":"AACAfwAAgH8AAIB/', text),
        "not finite",
    ),
    "a huge shape": (
        lambda text: re.sub(r'"(map|shape)":\[[^]]*\]', r'"\1":[99999999,99999999,9999999]', text),
        "letters; [0-9,]{30,} make",
    ),
    "an empty shape": (
        lambda text: re.sub(r'"(map|shape)":\[[^]]*\]', r'"\1":[0,4,32]', text),
        "of the shape",
    ),
    "another shape": (set_in([1, 1, 1], *PHOTO, "features", "shape"), "of the shape"),
    "a name with a folder": (set_in("../../etc/passwd", *PHOTO, "photo"), "a file's name without a folder"),
    "an absolute name": (set_in("/etc/passwd", "model", "weights"), "a file's name without a folder"),
    "a hash that is none": (
        set_in("g" * 64, *PHOTO, "photo_sha256"),
        "photo sha256|photo_sha256: expected a SHA",
    ),
    "a negative count": (set_in(-1, *PHOTO, "target"), "target: expected a count"),
    "a truth value": (set_in(True, *PHOTO, "target"), "target: expected a count"),
    "a number as text": (set_in("13.2", *CLASS, "logit"), "logit: expected a finite number"),
    "a long name": (set_in("x" * 20_000, *CLASS, "name"), "name: expected a text of up to"),
    "another kind of picture": (set_in("image/png", *PHOTO, "picture", "mime"), "mime: expected image/jpeg"),
    "a target that is not shown": (set_in(77, *PHOTO, "target"), "the one explained is not there"),
    "a class twice": (
        with_data(lambda data: data["photos"][0]["classes"].append(data["photos"][0]["classes"][0])),
        "a class is there twice",
    ),
    "a box of three": (set_in([1, 2, 3], *CLASS, "boxes", 0, "box"), "box: expected a list of 4, found 3"),
    "a list for an object": (set_in([], "options"), "options: expected an object"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_data(honest, what, tmp_path):
    """One line that says what is where; the report cannot be checked."""
    change, named = DAMAGED[what]
    report = edit_data(honest, change, tmp_path / "damaged.html")
    with pytest.raises(InputError, match=named) as caught:
        recheck(report, honest.parent / "narrow.h5", honest.parent)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(report))


def again(page):
    """The page with its data twice."""
    return page.replace("</html>", f"{DATA.search(page)[0]}</html>")


PAGES = {
    "no report": (lambda _: "<html></html>", "holds no report"),
    "an empty file": (lambda _: "", "holds no report"),
    "data twice": (again, "2 elements with a report's data"),
    "data twice, in single quotes": (
        lambda page: page.replace("</html>", "<SCRIPT type='application/json' ID='npcam-report'>{}</SCRIPT>"),
        "2 elements with a report's data",
    ),
    "data in a comment": (
        lambda page: page.replace("<script", "<!--<script").replace("</script>", "</script>-->"),
        "holds no report",
    ),
    "data as a script that runs": (
        lambda page: page.replace("application/json", "text/javascript"),
        "no script",
    ),
    "data elsewhere": (
        lambda page: page.replace(
            'id="npcam-report"', 'id="npcam-report" src="http://example.org/data.json"'
        ),
        "no script of JSON",
    ),
    "data in a paragraph": (lambda page: page.replace("</html>", '<p id="npcam-report">{}</p>'), "no script"),
    "an attribute twice": (
        lambda page: page.replace('id="npcam-report"', 'id="npcam-report" id="other"'),
        "an attribute twice",
    ),
    "a picture elsewhere": (
        lambda page: re.sub('src="data:[^"]*"', 'src="http://example.org/cat.jpg"', page, count=1),
        "picture of photo 1 is not within the page",
    ),
    "a picture of another kind": (
        lambda page: page.replace("data:image/jpeg", "data:image/svg+xml", 1),
        "picture",
    ),
    "a picture missing": (
        lambda page: re.sub("<img[^>]*>", "", page, count=1),
        "1 pictures of photographs for 2",
    ),
    "a picture twice": (
        lambda page: page.replace("</html>", '<img data-photo="0" src=""></html>'),
        "two pictures",
    ),
    "a picture too many": (
        lambda page: page.replace("</html>", '<img data-photo="2" src=""></html>'),
        "3 pictures",
    ),
    "a picture that is no base64": (lambda page: page.replace("base64,", "base64,?", 1), "no base64"),
    "a huge picture": (
        lambda page: page.replace("base64,", f"base64,{'A' * 30_000_000}", 1),
        "is larger than",
    ),
    "a NUL": (lambda page: page.replace("<title>", "<title>\0"), "holds a NUL"),
}


@pytest.mark.parametrize("what", PAGES)
def test_damaged_pages(honest, what, tmp_path):
    """One line for whatever is wrong with the page."""
    change, named = PAGES[what]
    report = edit(honest, change, tmp_path / "damaged.html")
    with pytest.raises(InputError, match=named) as caught:
        read_report(report)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_pages(honest, tmp_path, monkeypatch):
    """Nothing there, a folder, bytes that are no text, a weights file, a file that is too long."""
    (tmp_path / "bytes.html").write_bytes(b"\xff\xfe\x00<")
    for path, named in (
        (tmp_path / "nowhere.html", "no such file"),
        (tmp_path, "is a directory"),
        (tmp_path / "bytes.html", "not UTF-8"),
        (honest.parent / "narrow.h5", "not UTF-8"),
    ):
        with pytest.raises(InputError, match=named):
            read_report(path)
    monkeypatch.setattr(read, "MAX_REPORT_FILE", 1_000)
    with pytest.raises(InputError, match="longer than 1,000 bytes"):
        read_report(honest)


@pytest.mark.parametrize(
    "piece", ["<a ", "<!--", "</", "<![CDATA[", "<a b='", '<a b=">', "<script", "&#", "<?"]
)
def test_tags_without_an_end(piece, tmp_path):
    """Thousands are refused within seconds; each sought to the end of the page, they would take hours."""
    (tmp_path / "long.html").write_text((piece + "x y " * 20) * 20_000)
    began = time.monotonic()
    with pytest.raises(InputError, match=r"holds no report|longer tags, or more of them"):
        read_report(tmp_path / "long.html")
    assert time.monotonic() - began < 60


def test_what_is_read(honest):
    """The data, the bytes of the pictures, and that the text is npcam's."""
    report = read_report(honest)
    page = honest.read_text()
    assert report.as_written
    assert report.data == json.loads(DATA.search(page)[2])
    sources = re.findall(r'data:image/jpeg;base64,([^"]*)"', page)
    assert list(report.pictures) == [base64.b64decode(source) for source in sources]
    assert report.page == honest.read_bytes()
    assert 50 * len(page) < limits.MAX_REPORT_FILE


def test_names_are_names_alone(honest, tmp_path):
    """A photograph is looked for beside the report and in the folder given, and nowhere else by its name."""
    (tmp_path / "inner").mkdir()
    inner = tmp_path / "inner" / "honest.html"
    inner.write_bytes(honest.read_bytes())
    for name in ("one.png", "two.jpg"):
        (tmp_path / name).write_bytes((honest.parent / name).read_bytes())
    with pytest.raises(InputError, match=r"photo 1, one\.png"):
        recheck(inner, honest.parent / "narrow.h5")
    assert recheck(inner, honest.parent / "narrow.h5", tmp_path).holds
