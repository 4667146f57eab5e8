"""The limits in `npcam/common/limits.py` are those that docs/convert.md shows, with their reasons."""

import re
from pathlib import Path

from npcam.common import limits

ROOT = Path(__file__).parents[2]


def shown(value: int) -> str:
    """A limit as the page has it: bytes in MiB or GiB where they are whole ones."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if value % size == 0:
            return f"{value // size:,} {unit}"
    return f"{value:,}"


def table() -> str:
    """The page's table, made from the module's source: a row for each limit, a heading for each group."""
    source = Path(limits.__file__).read_text().split('"""', 2)[2]
    lines = ["| limit | value | of what |", "| --- | --- | --- |"]
    for comment, name, reason in re.findall(r"^(?:# (.+)|([A-Z_0-9]+) = .+?  # (.+))$", source, re.MULTILINE):
        if name:
            lines.append(f"| `{name}` | {shown(getattr(limits, name))} | {reason} |")
        elif not comment.endswith("."):
            lines.append(f"| **{comment}** | | |")
    return "\n".join(lines)


def test_the_page_shows_every_limit():
    """docs/convert.md has the table as the module's source makes it."""
    assert table() in (ROOT / "docs" / "convert.md").read_text()


def test_every_limit_has_a_reason():
    """No constant of the module is left out of the table."""
    names = [name for name in vars(limits) if name.isupper() or name.replace("5", "").isupper()]
    assert len(names) >= 25
    assert all(f"`{name}`" in table() for name in names)
