"""Columns of text that line up: summary, plan and report share it."""

from collections.abc import Collection, Sequence

from npcam.common.text import printable


class Table(str):
    r"""A table as text that a notebook or the prompt shows as it is, line by line, as if it were printed.

    >>> Table("layer  shape\nconv1     64")
    layer  shape
    conv1     64
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """The text itself."""
        return str(self)


def align(rows: Sequence[Sequence[str]], right: Collection[int] = (), rules: Collection[int] = ()) -> str:
    """Rows of cells as text, every column as wide as its widest cell; a row is one line whatever it holds.

    Args:
        rows: the cells, as many in each row; the headings are a row like any other.
        right: indices of the columns that end at the right, as numbers do.
        rules: indices of the rows that a line of hyphens follows.

    >>> print(align([("layer", "shape"), ("conv1", "64"), ("fc", "5")], right=[1], rules=[0]))
    layer  shape
    -----  -----
    conv1     64
    fc         5
    """
    cells_shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells_shown, strict=True)]
    lines = []
    for i, row in enumerate(cells_shown):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
        if i in rules:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join(lines)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a table of Markdown whose columns line up; the first row holds its headings.

    A bar in a cell would end it: a name is made fit for Markdown before.

    >>> print(markdown_table([("layer", "shape"), ("conv1", "64")]))
    |  layer  |  shape  |
    |  ---    |  ---    |
    |  conv1  |  64     |
    """
    ruled = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    cells = [[part for cell in row for part in (cell, "|")] for row in ruled]
    return align([["|", *row] for row in cells])
