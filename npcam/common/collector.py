"""Python's collector of garbage, kept from looking through all that is imported again and again.

In the program `npcam` alone: whoever only imports npcam keeps the collector as it is.
"""

import gc

from npcam.common.interrupts import PROGRAM


def leave_all() -> None:
    """What there is now stays until the process ends, whose end takes it away in one piece.

    Python would look through all of it once more: 4 % of the time from start to picture.
    """
    gc.freeze()


if PROGRAM:
    gc.set_threshold(100_000)  # instead of 700: 2 % of that time
