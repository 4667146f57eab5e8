"""The page in a browser: what sorting and filtering do to its table."""

import pytest
from helpers.browser import opened, violations
from helpers.evaluated import CLASSES, metrics, rows
from helpers.needs import needs

from npcam.localise.index_page import write_index

needs("jinja2")
COUNT = 430  # rows, of which 200 are drawn at first
STEPS = """async () => {
const found = {}, lines = () => [...document.querySelectorAll("#rows tbody tr")].map(
  (line) => [...line.cells].map((cell) => cell.textContent));
const form = document.querySelector(".filters");
const choose = (values) => {
  for (const field of form.querySelectorAll("[name]")) field.value = values[field.name] ?? "";
  form.dispatchEvent(new Event("input"));
  return lines();
};
const heading = (title) => [...document.querySelectorAll("#rows th")].find((h) => h.textContent === title);
const sorted = () => [...document.querySelectorAll("#rows th[aria-sort]")].map(
  (heading) => heading.getAttribute("aria-sort"));
const more = document.getElementById("more");
const drain = () => { while (!more.hidden) more.click(); return lines(); };
const later = () => new Promise((done) => setTimeout(done, 20));
found.titles = [...document.querySelectorAll("#rows th")].map((h) => h.textContent);
found.first = lines();
found.all = drain();
heading("IoU").firstChild.click();
found.ascending = [drain(), sorted()];
heading("IoU").firstChild.click();
found.descending = [drain(), sorted()];
heading("Photograph").firstChild.click();
found.right = choose({ verdict: "right" });
found.hits = choose({ verdict: "hit" });
found.errors = choose({ verdict: "error" });
found.named = choose({ text: " DOG/0" });
found.other = choose({ predicted: "other" });
const cell = document.querySelector('.cell[data-class="1"][data-predicted="0"]');
cell.click();
await later();
const pressed = document.querySelectorAll('[aria-pressed="true"]').length;
found.cell = [lines(), pressed, cell.getAttribute("aria-pressed")];
form.reset();
await later();
found.reset = [drain(), document.getElementById("count").textContent];
return found;
}"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """The page of made-up rows."""
    file = tmp_path_factory.mktemp("page") / "index.html"
    given = rows(COUNT)
    write_index(file, metrics(given), given, dict(enumerate(CLASSES)))
    return file


@pytest.fixture(scope="module")
def found(browser, page_file):
    """What the browser found, step by step."""
    with opened(browser, page_file) as page:
        return page.evaluate(STEPS)


@pytest.mark.parametrize(("size", "scheme"), [((1280, 800), "light"), ((390, 844), "dark")])
def test_axe_finds_nothing(browser, page_file, size, scheme):
    """Nothing on the page is hard to use, and it is as wide as the window."""
    with opened(browser, page_file, size, color_scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        page.locator('[name="text"]').fill("dog/0")
        assert violations(page) == {}


GIVEN = sorted(rows(COUNT), key=lambda row: row["photo"])


def names(lines):
    """The photographs of some lines of the table."""
    return [line[0] for line in lines]


def where(wanted):
    """The names of photographs, in order."""
    return [row["photo"] for row in GIVEN if wanted(row)]


def test_the_table_is_drawn_in_pieces(found):
    """200 lines at first, sorted by name; all of them once they are asked for, each name as it is."""
    assert names(found["first"]) == names(found["all"])[:200]
    assert names(found["all"]) == [row["photo"] for row in GIVEN]
    assert found["titles"][:4] == ["Photograph", "Class", "Predicted", "Right"]
    for line, row in zip(found["all"], GIVEN, strict=True):
        if "error" in row:
            assert line == [row["photo"], row["error"]]
        else:
            sure = f"{100 * row['probability']:.1f}"
            assert line[1:3] == [row["class"], row["predicted_class"]]
            assert line[3] == ("\u2713 right" if row["label"] == row["predicted"] else "\u2717 wrong")
            assert abs(float(line[4].rstrip("%")) - float(sure)) < 0.11


def test_a_heading_sorts(found):
    """Upwards and then downwards, as its `aria-sort` says; what has no value is last both times."""
    at = found["titles"].index("IoU")
    for step, downwards, word in (("ascending", False, "ascending"), ("descending", True, "descending")):
        lines, sorted_by = found[step]
        assert sorted_by == ["none"] * at + [word] + ["none"] * (len(sorted_by) - at - 1)
        values = [float(line[at]) for line in lines if len(line) > at and line[at]]
        assert values == sorted(values, reverse=downwards)
        assert len(values) == len(where(lambda row: "iou" in row))
        assert all(len(line) <= at or not line[at] for line in lines[len(values) :])


def test_filters(found):
    """By verdict, by a part of the name in any case, and by a class of which there are no photographs."""
    assert names(found["right"]) == where(lambda row: "label" in row and row["label"] == row["predicted"])
    assert names(found["hits"]) == where(lambda row: row.get("iou", 0) >= 0.5)
    assert names(found["errors"]) == where(lambda row: "error" in row)
    assert names(found["named"]) == where(lambda row: "dog/0" in row["photo"])
    assert names(found["other"]) == where(lambda row: row.get("predicted") == 3)
    assert all(0 < len(found[step]) < 200 for step in ("right", "hits", "errors", "named", "other"))


def test_a_cell_of_the_matrix_shows_its_photographs(found):
    """Those and no others, and it is the one that is pressed; the form's button shows all again."""
    lines, pressed, own = found["cell"]
    assert names(lines) == where(lambda row: row.get("label") == 1 and row["predicted"] == 0)
    assert len(lines) > 5
    assert (pressed, own) == (1, "true")
    assert names(found["reset"][0]) == [row["photo"] for row in GIVEN]
    assert found["reset"][1] == f"{COUNT + 1} photographs"
