"""What all charts have in common: a figure in Matplotlib's own style, its colours, its frame, its bytes."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from npcam.common.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's colours, which people with any colour vision can tell apart (jfly.uni-koeln.de/color).
BLUE, SKY, GREEN, ORANGE, RED = "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00"
INK, FAINT = "#222222", "#DDDDDD"
DPI = 144  # pixels an inch, for screens that show two of theirs for one
CHECKOUT = "or `pip install '.[evaluate]'` in a copy of the repository"


@contextmanager
def new_figure(
    width: float, height: float, layout: Literal["constrained", "compressed"] = "constrained"
) -> Iterator["Figure"]:
    """A figure of so many inches, in Matplotlib's own style whatever the user's is."""
    try:
        import matplotlib.style
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        msg = f"charts need {error.name}; `pip install matplotlib` brings it, {CHECKOUT}"
        raise InputError(msg) from error
    with matplotlib.style.context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a box is drawn for it
        figure = Figure((width, height), dpi=DPI, layout=layout)
        FigureCanvasAgg(figure)
        yield figure


def percent(axes: Any, axis: str) -> None:
    """Let an axis show shares in per cent."""
    from matplotlib.ticker import PercentFormatter

    getattr(axes, f"{axis}axis").set_major_formatter(PercentFormatter(1, decimals=0))


def quiet_frame(axes: "Axes") -> None:
    """A faint grid behind what is drawn, and two sides of a frame."""
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def png(figure: "Figure") -> bytes:
    """The figure as a file without a date or a version in it."""
    file = io.BytesIO()
    figure.savefig(
        file, format="png", dpi=DPI, metadata={"Software": None}, bbox_inches="tight", pad_inches=0.12
    )
    return file.getvalue()
