"""The index of many photographs in a browser: sorted, filtered, and with nothing that axe-core finds."""

import io

import numpy as np
import pytest
from helpers import reported
from helpers.browser import opened, violations
from helpers.needs import needs
from PIL import Image

from npcam.report.index import write_index

needs("jinja2")
COUNT = 230  # rows, of which 200 are drawn at first
CLASSES = ("cat", "garbage_truck", "<b>cow</b>")


def rows(pages=True):
    """Rows of made-up photographs, one without findings in three; the last could not be read."""
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.new("RGB", (8, 6), "green").save(file, "JPEG")
    made = []
    for i in range(COUNT):
        index = int(rng.integers(3))
        made.append(
            {
                "photo": f"{rng.integers(10**6):06} <i>.jpg",
                "photo_sha256": "0" * 64,
                "index": index,
                "name": CLASSES[index],
                "probability": float(rng.uniform()),
                "logit": 3.0,
                "margin": None if i == 7 else float(rng.uniform(0, 9)),
                "evidence_in_box": float(rng.uniform()),
                "everywhere": False,
                "findings": [f"finding {n}" for n in range(i % 3)],
                "thumbnail": file.getvalue(),
                "page": f"pages/{i}.html" if pages else None,
                "command": "npcam report 'a b.jpg' -o x.html",
            }
        )
    return [*made, {"photo": "torn.jpg", "error": "torn.jpg: is no picture"}]


@pytest.fixture(scope="module", params=[True, False], ids=["pages", "no pages"])
def index(request, tmp_path_factory):
    """An index, and the rows that it shows."""
    file = tmp_path_factory.mktemp("index") / "report.html"
    given = rows(request.param)
    head = {key: value for key, value in reported.made_up()[0].items() if key != "photos"}
    write_index(file, head, given)
    return file, given


def lines(page):
    """The cells' words of all lines, once all are drawn."""
    return page.evaluate(
        """() => {
            const more = document.getElementById("more");
            while (!more.hidden) more.click();
            return [...document.querySelectorAll("#rows tbody tr")].map(
                (line) => [...line.cells].map((cell) => cell.textContent));
        }"""
    )


@pytest.mark.parametrize(
    ("title", "key"),
    [("Probability", "probability"), ("Margin", "margin"), ("Evidence in the box", "evidence_in_box")],
)
def test_headings_sort(browser, index, title, key):
    """By each number, upwards and downwards; what has none comes last."""
    file, given = index
    with opened(browser, file) as page:
        heading = page.get_by_role("button", name=title)
        for downwards in (False, True):
            heading.click()
            there = sorted((row for row in given if row.get(key) is not None), key=lambda row: row[key])
            expected = [row["photo"] for row in (there[::-1] if downwards else there)]
            found = [line[1].removesuffix("npcam report 'a b.jpg' -o x.html") for line in lines(page)]
            assert found[: len(expected)] == expected
            assert set(found[len(expected) :]) == {row["photo"] for row in given if row.get(key) is None}
            direction = "descending" if downwards else "ascending"
            assert page.locator(f'th[aria-sort="{direction}"]').inner_text() == title


def test_findings_sort_and_filter(browser, index):
    """By how many there are; those with some, without any, and what could not be read."""
    file, given = index
    with opened(browser, file) as page:
        page.get_by_role("button", name="Findings").click()
        counts = [line[6].count("finding") for line in lines(page) if len(line) == 7]
        assert counts == sorted(counts)
        assert set(counts) == {0, 1, 2}
        for value, wanted in (
            ("some", lambda row: row.get("findings")),
            ("none", lambda row: "error" not in row and not row["findings"]),
            ("error", lambda row: "error" in row),
        ):
            page.get_by_label("Findings").first.select_option(value)
            assert len(lines(page)) == sum(bool(wanted(row)) for row in given) > 0
        assert lines(page)[0][1:] == ["torn.jpg", "torn.jpg: is no picture"]


def test_a_class_and_a_name_filter(browser, index):
    """A class, called as people write it, and a part of the name."""
    file, given = index
    with opened(browser, file) as page:
        page.locator('[name="class"]').select_option("garbage truck")
        expected = [row for row in given if row.get("index") == 1]
        assert len(lines(page)) == len(expected) > 5
        assert {line[2] for line in lines(page)} == {"garbage truck"}
        assert page.locator("#count").inner_text() == f"{len(expected)} of {COUNT + 1} photographs"
        page.get_by_label("Name").fill(expected[0]["photo"][:6])
        assert lines(page)[0][1].startswith(expected[0]["photo"])
        page.get_by_role("button", name="Show all").click()
        page.wait_for_function(f"document.getElementById('count').textContent.startsWith('{COUNT + 1} ')")


def test_where_a_photograph_leads(browser, index):
    """To its page; else its command stands there, and no link."""
    file, given = index
    with opened(browser, file) as page:
        if given[0]["page"] is None:
            assert page.locator("#rows a").count() == 0
            assert page.locator("#rows code").first.inner_text() == given[0]["command"]
        else:
            links = page.locator("#rows .name a").evaluate_all(
                "(all) => all.map((a) => a.getAttribute('href'))"
            )
            assert set(links) <= {row["page"] for row in given if "page" in row}
            assert len(links) == 200
        assert page.locator("#rows img").first.evaluate("(image) => image.naturalWidth") == 8


@pytest.mark.parametrize(
    ("size", "scheme"), [((1280, 800), "light"), ((800, 1000), "dark"), ((390, 844), "light")]
)
def test_sizes_and_schemes(browser, index, size, scheme):
    """The page is as wide as the window, and axe-core finds nothing."""
    with opened(browser, index[0], size, color_scheme=scheme, bypass_csp=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        page.locator('[name="class"]').select_option("cat")
        page.get_by_label("Name").fill("12")
        assert len(lines(page)) > 1
        assert violations(page) == {}
