"""What the site is made of: every page has its place in it."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if "chapters" not in page.parts]


def entries(page):
    """The pages that a page's list of contents names, as paths."""
    text = page.read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
        names = [line for line in block.splitlines() if line and not line.startswith(":")]
        places = [name.split("<")[-1].rstrip(">") for name in names]  # NAME, or WORDS <NAME>
        found += [page.parent / f"{place}.md" for place in places]
    return found


def test_every_page_stands_in_a_list_of_contents():
    """A page that none of them names would end `make site`; so would a name without a page."""
    listed = [entry for page in PAGES for entry in entries(page)]
    made = DOCS / "chapters" / "index.md"  # by the gallery
    assert sorted(listed) == sorted([made, *(page for page in PAGES if page != DOCS / "index.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_within_lead_somewhere(page):
    """Each link to a file is one that is there; the site's own check follows the places in pages, too."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for address in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", address) and not address.startswith("#"):
            assert (page.parent / address.split("#")[0]).is_file(), address
