"""An audit as Markdown: every figure with its number, its sentence and its paper, and the saliency card."""

from collections.abc import Mapping, Sequence
from typing import Any

from npcam.audit.figures import CAVEAT
from npcam.common.tables import markdown_table
from npcam.common.text import printable

NAMES = {
    "deletion": "Deletion, the largest area",
    "insertion": "Insertion, the least area",
    "drop": "Average Drop, the largest",
    "road": "ROAD, the least",
    "stability": "Stability, the least correlation",
    "inside.gain": "Evidence in the boxes less their area, the least",
}


def table(found: Mapping[str, Any]) -> str:
    """The figures as a table of Markdown, each with its interval."""
    rows = [("figure", "value", "interval", "of what")]
    for entry in found["figures"]:
        there = entry["low"] is not None
        interval = f"{entry['low']:.3f} to {entry['high']:.3f}" if there else ""
        rows.append((entry["title"], f"{entry['value']:.3f}", interval, entry["interval"] or ""))
    return markdown_table(rows)


def lead(found: Mapping[str, Any]) -> str:
    """How many photographs there are, in a sentence."""
    count = found["photographs"]
    parts = ["1 photograph" if count == 1 else f"{count:,} photographs"]
    if found["unreadable"]:
        parts.append(f"{found['unreadable']:,} more could not be read")
    if found["with_boxes"]:
        parts.append(f"{found['with_boxes']:,} with true boxes of the class that was explained")
    return f"{'; '.join(parts)}."


def in_markdown(found: Mapping[str, Any], title: str, pictures: Mapping[str, str]) -> str:
    """The whole audit as a page.

    Args:
        found: what is in audit.json.
        title: what was audited.
        pictures: the names of the pictures' files by figure, and of the contact sheet under "worst".
    """
    parts = [f"# Audit of the maps of {_plain(title)}", lead(found), f"**{CAVEAT}**", table(found)]
    parts.append("\n".join(f"- {_plain(note)}" for note in found["provenance"]["notes"]))
    for entry in found["figures"]:
        key = entry["key"]
        parts += [f"## {entry['title']}", entry["sentence"]]
        if key in pictures:
            parts.append(f"![{entry['title']}]({pictures[key]})")
        parts.append(f"Paper: {entry['paper']}.")
    if found["worst"]:
        parts += ["## The worst photographs", _worst(found["worst"])]
        if "worst" in pictures:
            parts.append(f"![the worst photographs with their maps]({pictures['worst']})")
    parts += [
        "## Saliency card",
        "The attributes are those of Boggust et al. 2022, arXiv:2206.02958; the answers are computed.",
    ]
    for group in dict.fromkeys(row["group"] for row in found["card"]):
        own = [row for row in found["card"] if row["group"] == group]
        parts.append(f"### {group}")
        parts.append("\n".join(f"- **{row['attribute']}.** {row['answer']}" for row in own))
    parts.append(f"**{CAVEAT}**")
    return "\n\n".join(part for part in parts if part) + "\n"


def _worst(worst: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Which photographs have the worst numbers."""
    lines = []
    for name, photographs in worst.items():
        shown = ", ".join(f"{_plain(one['photo'])} ({one['value']:.2f})" for one in photographs)
        lines.append(f"- {NAMES[name]}: {shown}")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """A name as words that Markdown leaves alone."""
    return "".join(f"\\{c}" if c in r"\`*_[]<>#|!&" else c for c in printable(text))
