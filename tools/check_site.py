"""Check a folder of HTML pages: every link within it leads somewhere, and nothing is fetched from elsewhere.

Links to other places are not followed. Status 1 where something is wrong, with a line for each.
"""

import argparse
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src")}
ELSEWHERE = re.compile(r"url\(\s*['\"]?(?:https?:)?//", re.IGNORECASE)


class Page(HTMLParser):
    """A page's links and anchors.

    Attributes:
        anchors: what a link into the page may name.
        links: (address, whether a browser fetches it to show the page).
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, bool]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what a tag links to, and what links may name it."""
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")
            elif name in ("href", "src") and value:
                is_fetched = (tag, name) in FETCHED
                if tag == "link":
                    is_fetched = dict(attrs).get("rel") in ("stylesheet", "icon", "preload", "modulepreload")
                self.links.append((value, is_fetched))
            elif name == "srcset" and value:
                self.links += [(one.split()[0], True) for one in value.split(",") if one.strip()]


def problems(site: Path) -> list[str]:
    """What is wrong with a folder of pages, a line for each; empty where nothing is.

    >>> problems(Path("weights"))
    ['weights: has no pages']
    """
    named, site = site, site.resolve()
    pages = {
        path: Page(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
        if path.relative_to(site).parts[0] != "_static"  # where themes keep parts of pages
    }
    found = [] if pages else [f"{named}: has no pages"]
    for path, page in pages.items():
        for address, is_fetched in dict.fromkeys(page.links):
            wrong = _wrong(site, path, pages, address, is_fetched)
            if wrong:
                found.append(f"{path.relative_to(site)}: {address}: {wrong}")
    for path in sorted(site.rglob("*.css")):
        if ELSEWHERE.search(path.read_text(encoding="utf-8")):
            found.append(f"{path.relative_to(site)}: fetches something from elsewhere")
    return found


def _wrong(site: Path, path: Path, pages: dict[Path, Page], address: str, is_fetched: bool) -> str | None:
    """What is wrong with one link of a page."""
    parts = urlsplit(address)
    if parts.scheme == "data":
        return None
    if parts.scheme or parts.netloc:
        return "is fetched from elsewhere" if is_fetched else None
    place = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
    if place.is_dir():
        place /= "index.html"
    if not place.is_file():
        return "no such file"
    if not place.is_relative_to(site):
        return "leads out of the site"
    anchor = unquote(parts.fragment)
    if anchor and place in pages and anchor not in pages[place].anchors:
        return "no such place in the page"
    return None


def main(arguments: list[str] | None = None) -> int:
    """Print what is wrong; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("site", type=Path, metavar="FOLDER", help="the pages: build/site")
    site: Path = parser.parse_args(arguments).site
    found = problems(site)
    for line in found:
        print(line, file=sys.stderr)
    if not found:
        print(f"{site}: every link within leads somewhere, and nothing is fetched from elsewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
