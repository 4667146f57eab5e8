"""Words for a notebook: HTML in which every name is escaped."""

import base64
import html
from collections.abc import Sequence


def text(words: object) -> str:
    """Words as HTML shows them, whatever they hold.

    >>> text("<b>cat</b> & dog")
    '&lt;b&gt;cat&lt;/b&gt; &amp; dog'
    """
    return html.escape(str(words).encode("utf-8", "backslashreplace").decode("utf-8"))


def table(rows: Sequence[Sequence[object]], headings: Sequence[str] = ()) -> str:
    """Rows of cells as a table; every cell is escaped.

    >>> table([("cat", 1)])
    '<table><tr><td>cat</td><td>1</td></tr></table>'
    """
    head = f"<tr>{''.join(f'<th>{text(cell)}</th>' for cell in headings)}</tr>" if headings else ""
    body = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{head}{body}</table>"


def picture(png: bytes, words: str) -> str:
    """A picture that stands in the page itself.

    Args:
        png: the bytes of a PNG file.
        words: what it shows, for those who do not see it.
    """
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{text(words)}" style="max-width:100%" src="data:image/png;base64,{data}">'
