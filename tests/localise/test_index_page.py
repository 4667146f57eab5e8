"""The page: what is in its file, read by an HTML parser."""

import json
import sys
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from helpers.evaluated import CLASSES, metrics, rows
from helpers.needs import needs

from npcam.common.errors import InputError
from npcam.localise.index_page import Picture, write_index

needs("jinja2")
NAMES = dict(enumerate(CLASSES))
HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "</style><b>",
    "\u2028",
)


class Page(HTMLParser):
    """What is in a page: its elements with their attributes, the words in each, and its JSON."""

    def __init__(self, path):
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.elements, self.words, self._open = [], [], []
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        self.words.append((self._open[-1] if self._open else "", data))

    def of(self, tag):
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def inside(self, tag):
        """The words in elements of a kind."""
        return [words for name, words in self.words if name == tag]

    def data(self):
        """The table's rows."""
        (text,) = (words for words in self.inside("script") if words.startswith("{"))
        return json.loads(text)


def page(folder, given=None, **options):
    """A page of some rows, read back."""
    given = rows() if given is None else given
    options = {"classes": NAMES, **options}
    write_index(folder / "index.html", options.pop("metrics", None) or metrics(given), given, **options)
    return Page(folder / "index.html")


def test_all_photographs_are_in_the_table(tmp_path):
    """Sorted by name, with their classes' indices; numbers to five places, empty where there is none."""
    found = page(tmp_path).data()
    given = sorted(rows(), key=lambda row: row["photo"])
    assert dict(found["classes"]) == NAMES
    assert [row[0] for row in found["rows"]] == [row["photo"] for row in given]
    for shown, row in zip(found["rows"], given, strict=True):
        assert shown[1:3] == [row.get("label"), row.get("predicted")]
        for value, name in zip(shown[3:6], ("probability", "probability_of_class", "iou"), strict=True):
            assert value == (None if name not in row else pytest.approx(row[name], abs=5e-6))
        assert shown[6:9:2] == [row.get("peak_hit"), row.get("increase")]
        assert shown[9:] == [None, row.get("error")]


def test_rounding_makes_no_hit(tmp_path):
    """An IoU a hair below 0.5 is still a miss on the page."""
    row = {**rows()[1], "iou": 0.5 - 1e-9}
    (shown,) = page(tmp_path, [row]).data()["rows"]
    assert shown[5] < page(tmp_path, [row]).data()["hit"] == 0.5


def test_names_stay_names(tmp_path):
    """Hostile photographs, classes, titles, notes, files and provenance add no element to a page."""
    tame = page(tmp_path, title="a", notes=["a"] * 5, charts=[Picture("a.png", "a", "a")] * 5, thumbnails={})
    given, names = rows(), {**NAMES, 0: HOSTILE[0], 1: HOSTILE[1]}
    for i, row in enumerate(given):
        row["photo"] = f"{HOSTILE[i % 5]}/{i}.jpg"
        for name in ("class", "predicted_class"):
            if row.get(name) in CLASSES[:2]:
                row[name] = names[CLASSES.index(row[name])]
    figures = metrics(rows())
    for part in ("confusion", "per_class"):
        figures[part] = {names[CLASSES.index(name)]: value for name, value in figures[part].items()}
    figures["confusion"] = {
        name: {names[CLASSES.index(other)]: count for other, count in row.items()}
        for name, row in figures["confusion"].items()
    }
    figures["provenance"]["npcam"] = HOSTILE[0]
    hostile = page(
        tmp_path,
        given,
        metrics=figures,
        classes=names,
        title=HOSTILE[1],
        notes=HOSTILE,
        charts=[Picture(f"{words}.png", words, words) for words in HOSTILE],
        thumbnails={row["photo"]: f"thumbs/{row['photo']}" for row in given},
    )
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in tame.elements]
    assert {row[0] for row in hostile.data()["rows"]} == {row["photo"] for row in given}
    assert set(HOSTILE) <= set(hostile.inside("li"))
    assert HOSTILE[0] in hostile.inside("dd")
    assert {unquote(image["src"]) for image in hostile.of("img")} == {f"{words}.png" for words in HOSTILE}
    assert {unquote(row[9]) for row in hostile.data()["rows"]} == {f"thumbs/{row['photo']}" for row in given}
    assert not any(name.startswith("on") for _, attributes in hostile.elements for name in attributes)


def test_nothing_is_asked_for_elsewhere(tmp_path):
    """No address in the page leads out of its folder, and style and script are in the page."""
    found = page(tmp_path, charts=[Picture("a:b?.png", "a", "b")], sheets=[Picture("c d.png", "c", "d")])
    assert "http" not in found.text
    addresses = [a[key] for _, a in found.elements for key in ("src", "href") if key in a]
    assert {a for a in addresses if not a.startswith("#")} == {"data:,", "a%3Ab%3F.png", "c%20d.png"}
    assert "@import" not in found.text
    assert "url(" not in found.text


def test_the_same_results_make_the_same_page(tmp_path):
    """Whatever the order of rows."""
    page(tmp_path, rows())
    first = (tmp_path / "index.html").read_bytes()
    page(tmp_path, list(reversed(rows())), metrics=metrics(rows()))
    assert (tmp_path / "index.html").read_bytes() == first


def test_a_button_for_each_cell(tmp_path):
    """Each count of the matrix is a button that says which photographs it stands for."""
    given = rows(200)
    found = page(tmp_path, given)
    cells = [button for button in found.of("button") if "cell" in button.get("class", "")]
    shown = {(b["data-class"], b["data-predicted"]): int(b["aria-label"].split(":")[0]) for b in cells}
    pairs = [(str(r["label"]), str(r["predicted"]).replace("3", "other")) for r in given if "label" in r]
    assert shown == {pair: pairs.count(pair) for pair in pairs}
    assert len(shown) == 12
    right = [b for b in cells if "right" in b["class"].split()]
    assert {(b["data-class"], b["data-predicted"]) for b in right} == {("0", "0"), ("1", "1"), ("2", "2")}


def test_very_many_classes(tmp_path):
    """Beyond 40 classes the most frequent mistakes are listed, the most frequent first."""
    names = {i: f"class {i}" for i in range(41)}
    counts = {name: {name: 5, "class 7": i} for i, name in names.items()}
    found = page(tmp_path, metrics={**metrics([]), "confusion": counts}, classes=names)
    buttons = [b for b in found.of("button") if b.get("data-predicted")]
    assert len(buttons) == 40
    assert (buttons[0]["data-class"], buttons[0]["data-predicted"]) == ("40", "7")
    assert found.inside("button")[0] == "class 40 taken for class 7: 40"


def test_figures_and_provenance(tmp_path):
    """The headline figures, their intervals and baselines, and all of the provenance are there."""
    found = page(tmp_path, notes=["assumed: something"])
    words = found.inside("td") + found.inside("strong")
    for text in ("71.0%", "66.0 to 76.0%", "75.0%", "80.0%", "69.0%", "40.0%"):
        assert text in words
    assert [w for w in found.inside("dt") if w.strip()] == [
        "npcam",
        "weights file",
        "weights sha256",
        "options",
    ]
    assert [w for w in found.inside("dd") if w.strip()] == ["0.1.0", "<u>w</u>.h5", "ab" * 32, "a; b"]
    assert "assumed: something" in found.inside("li")
    assert found.inside("title") == ["npcam evaluate"]


def test_headings_say_what_they_are(tmp_path):
    """Every image has words, every heading of a table a scope, every anchor its place."""
    found = page(tmp_path, charts=[Picture("a.png", "a", "a curve")])
    assert all(image["alt"] for image in found.of("img"))
    assert all("scope" in heading for heading in found.of("th"))
    places = {attributes["id"] for _, attributes in found.elements if "id" in attributes}
    assert {a["href"][1:] for a in found.of("a") if a["href"].startswith("#")} <= places
    assert {a["aria-labelledby"] for _, a in found.elements if "aria-labelledby" in a} <= places
    assert found.of("html") == [{"lang": "en"}]


def test_a_name_that_is_no_text(tmp_path):
    """A byte that is no character is written so that the page is UTF-8."""
    given = [{**rows()[0], "photo": "a\udcff.jpg"}]
    found = page(tmp_path, given, notes=["a\udcff.jpg"], thumbnails={"a\udcff.jpg": "thumbs/a\udcff.jpg"})
    assert found.data()["rows"][0][0] == "a\udcff.jpg"
    assert found.data()["rows"][0][9] == "thumbs/a%FF.jpg"
    assert "a\\udcff.jpg" in found.inside("li")


def test_without_jinja2(tmp_path, monkeypatch):
    """One line says what brings it, and nothing is written."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InputError, match=r"^index.html needs jinja2; `pip install jinja2` brings it, or"):
        page(tmp_path)
    assert list(tmp_path.iterdir()) == []
