"""The audit in a report: made of a pass by itself, and compared with one that is made anew.

An audit runs the network many times over pictures in which cells of the map are taken away in an order. Where
two cells are nearly equal, rounding decides which comes first; so its numbers are allowed more than the
network's own, a part in a thousand. Its pictures are drawn by Matplotlib, whose versions draw lines and
letters a little otherwise.
"""

import base64
import binascii
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from npcam.common.errors import InputError
from npcam.explain import Pass, look
from npcam.images.photos import open_photo
from npcam.model import Model
from npcam.report.explained import Options
from npcam.report.verdict import Difference, Verdict

if TYPE_CHECKING:
    from PIL.Image import Image

Auditor = Callable[[Pass, int], dict[str, Any]]  # of a pass and a class: plain values, `figures` among them

ALLOWED = 1e-3  # of a number's size, or of 1 where it is smaller
DRAWN = 3.0  # levels, of 255, by which a picture that is drawn elsewhere may differ on average
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?")


def audit_data(model: Model, photo: "Image", target: int, options: Options, audit: Auditor) -> dict[str, Any]:
    """An audit of one class, from a pass of the photograph alone: the same in whatever batch it was."""
    (seen,) = look(model, [photo], options.interpolation, options.align, options.threshold)
    return audit(seen, target)


def compare_audit(verdict: Verdict, where: str, stated: Any, found: Any) -> None:
    """Compare an audit, member by member: numbers nearly, those in words to a digit, all else exactly.

    Args:
        verdict: what is found goes there.
        where: which value, for messages.
        stated, found: plain values.
    """
    match stated, found:
        case dict(), dict() if stated.keys() == found.keys():
            for key, value in stated.items():
                of = f"{where}, {key.replace('_', ' ')}"
                if key == "base64":
                    _compare_picture(verdict, where, value, found[key])
                else:
                    compare_audit(verdict, of, value, found[key])
        case list(), list() if len(stated) == len(found):
            for number, (one, other) in enumerate(zip(stated, found, strict=True), start=1):
                name = one.get("key", number) if isinstance(one, dict) else number
                compare_audit(verdict, f"{where} {name}", one, other)
        case str(), str():
            _compare_words(verdict, where, stated, found)
        case (int() | float(), int() | float()) if not isinstance(stated, bool):
            verdict.near(where, stated, found, ALLOWED * max(1.0, abs(found)))
        case _:
            verdict.same(where, stated, found)


def _compare_words(verdict: Verdict, where: str, stated: str, found: str) -> None:
    """The words exactly, and numbers in them to one unit of the last digit that is shown."""
    verdict.compared += 1
    pairs = [(_NUMBER.split(text), _NUMBER.findall(text)) for text in (stated, found)]
    same = pairs[0][0] == pairs[1][0] and len(pairs[0][1]) == len(pairs[1][1])
    if not same or not all(map(_near, pairs[0][1], pairs[1][1])):
        verdict.differences.append(Difference(where, stated, found))


def _near(stated: str, found: str) -> bool:
    """Whether two numbers, as they are written, differ by one unit of their last digit at most."""
    decimals = [len(text.partition(".")[2]) for text in (stated, found)]
    one, other = (float(text.replace(",", "")) for text in (stated, found))
    unit = 10.0 ** -decimals[0] if decimals[0] else 0.0  # whole numbers are counts
    return decimals[0] == decimals[1] and abs(one - other) <= unit * (1 + 1e-9)


def _compare_picture(verdict: Verdict, where: str, stated: Any, found: Any) -> None:
    """A figure's picture: the same bytes, or one that differs as drawings of other versions do."""
    verdict.compared += 1
    if stated == found:
        return
    try:
        one, other = (
            np.asarray(open_photo(io.BytesIO(base64.b64decode(text, validate=True))), np.float64)
            for text in (stated, found)
        )
    except (InputError, TypeError, binascii.Error, ValueError) as error:
        verdict.differences.append(Difference(f"{where}, picture", "one", f"none that can be read ({error})"))
        return
    apart = float(np.abs(one - other).mean()) if one.shape == other.shape else np.inf
    if not apart <= DRAWN:
        said = f"{apart:.1f} levels off on average" if np.isfinite(apart) else "of another size"
        verdict.differences.append(Difference(f"{where}, picture", "the audit's", said))
    else:
        verdict.notes.append(f"{where}: the picture is drawn a little otherwise here ({apart:.2f} levels)")
