"""How far long work is, on a terminal: done of all, how fast, and how long it will take still."""

import sys
import time
from typing import Any

from npcam.common.text import draw_over

PAUSE = 0.1  # seconds between two looks at it


class Progress:
    """A line on standard error that is drawn over and over; nothing where nobody looks at it.

    tqdm draws it where it is installed.
    """

    def __init__(self, total: int, unit: str = "photographs", before: int = 0) -> None:
        """Begin to count; a terminal shows it if there is more than one thing to do.

        Args:
            total: how many things there are.
            unit: what they are.
            before: how many of them were done before, and say nothing of how fast it goes.
        """
        self._total, self._unit, self._done, self._before = total, unit, before, before
        self._began = self._drawn = time.monotonic()
        self._shown = total - before > 1 and sys.stderr is not None and sys.stderr.isatty()
        self._bar: Any = self._make_bar() if self._shown else None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._shown:
            draw_over("")

    def clear(self) -> None:
        """Leave the line to somebody else's words, until the next step."""
        if self._bar is not None:
            self._bar.clear()
        elif self._shown:
            draw_over("")

    def advance(self, steps: int = 1) -> None:
        """So much more is done."""
        self._done += steps
        if self._bar is not None:
            self._bar.update(steps)
        elif self._shown:
            now = time.monotonic()
            if now - self._drawn >= PAUSE or self._done == self._total:
                self._drawn = now
                draw_over(in_words(self._done, self._total, now - self._began, self._unit, self._before))

    def _make_bar(self) -> Any:
        """A bar of tqdm's, or None."""
        try:
            from tqdm import tqdm
        except ImportError:
            return None
        shown = {"leave": False, "dynamic_ncols": True, "file": sys.stderr}
        return tqdm(total=self._total, unit=f" {self._unit}", initial=self._before, **shown)


def in_words(done: int, total: int, seconds: float, unit: str, before: int = 0) -> str:
    """How far it is, how fast it went so far, and how long it takes if it goes on so.

    Args:
        done: how many of all, those done `before` among them.
        total: all.
        seconds: what the others took.
        unit: what they are.
        before: how many were done by an earlier run.

    >>> in_words(120, 1177, 2.0, "photographs")
    '120/1177 photographs, 60.0 a second, 0:18 left'
    """
    rate = (done - before) / max(seconds, 1e-9)
    left = round((total - done) / max(rate, 1e-9)) if done > before else 0
    minutes, rest = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    shown = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{done}/{total} {unit}, {rate:.1f} a second, {shown} left"
