"""Charts: what is drawn where, in files of the same bytes, without pyplot and without Matplotlib."""

import io
import subprocess
import sys
import warnings

import numpy as np
import pytest
from helpers.evaluated import CLASSES, metrics, rows, share
from helpers.needs import needs
from PIL import Image

from npcam.common.errors import InputError
from npcam.localise import charts
from npcam.localise.matrix import Matrix, confusion_matrix
from npcam.pictures.lettering import one_line

matplotlib = needs("matplotlib")

T = np.arange(1000) / 1000
V1 = 0.7 - 2 * (T - 0.3) ** 2
CURVE = {"threshold": T.tolist(), "v1": V1, "iou30": V1 + 0.15, "iou50": V1 + 0.02, "iou70": V1 - 0.2}
BINS = [
    {
        "low": i / 10,
        "high": (i + 1) / 10,
        "photographs": 9 * i,
        "confidence": (i + 0.6) / 10,
        "right": share(i / 10),
    }
    for i in (3, 4, 6, 7, 8, 9)
]


def matrix():
    """A confusion matrix of three classes, with one more that photographs were taken for."""
    return confusion_matrix(metrics(rows(200))["confusion"])


def all_charts():
    """One chart of each kind, as the bytes of its file."""
    return (
        charts.curve_chart(CURVE, 0.4),
        charts.confusion_chart(matrix()),
        charts.reliability_chart(BINS, 0.03),
    )


@pytest.fixture
def figures(monkeypatch):
    """Every figure that is drawn, to be asked what is on it."""
    drawn, png = [], charts.png
    monkeypatch.setattr(charts, "png", lambda figure: drawn.append(figure) or png(figure))
    return drawn


@pytest.mark.slow
def test_the_same_numbers_make_the_same_bytes():
    """Twice, also where the user's own style is another; no date and no version is in the file."""
    first = all_charts()
    with matplotlib.rc_context(
        {"lines.linewidth": 9, "font.size": 30, "axes.facecolor": "black", "savefig.dpi": 30}
    ):
        assert all_charts() == first
        assert matplotlib.rcParams["lines.linewidth"] == 9
    for data in first:
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "PNG"
            assert set(picture.info) == {"dpi"}


@pytest.mark.slow
def test_no_pyplot():
    """Charts leave pyplot alone, which would choose a screen for all of the user's program."""
    code = "import sys; from npcam.localise.charts import *\n"
    code += "curve_chart(dict.fromkeys(('threshold', *(c[0] for c in CURVES)), [1]), 0.5)\n"
    code += "assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_curve(figures):
    """Each line has its shares over the thresholds, a dot at its maximum and that in its label."""
    charts.curve_chart(CURVE, 0.4, at=0.25)
    (axes,) = figures[0].axes
    lines = [line for line in axes.lines if len(line.get_xdata()) == 1000]
    dots = [line for line in axes.lines if len(line.get_xdata()) == 1]
    for line, dot, values in zip(lines, dots, list(CURVE.values())[1:], strict=True):
        np.testing.assert_array_equal(line.get_xdata(), T)
        np.testing.assert_array_equal(line.get_ydata(), values)
        assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (0.3, values[300])
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [text.split(": ")[1] for text in words] == ["70.0%", "85.0%", "72.0%", "50.0%", "40.0%"]
    straight = [line for line in axes.lines if len(line.get_xdata()) == 2]
    assert list(straight[0].get_ydata()) == [0.4, 0.4]
    assert list(straight[1].get_xdata()) == [0.25, 0.25]
    assert [text.get_text() for text in axes.texts] == ["25%"]


def test_the_confusion_matrix(figures):
    """Rows are true classes and columns predicted ones; cells hold the numbers, colours the shares."""
    found = matrix()
    charts.confusion_chart(found)
    axes = figures[0].axes[0]
    counts = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts}
    assert counts == {place: str(count) if count else "" for place, count in np.ndenumerate(found.counts)}
    shares = found.counts / found.counts.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(axes.images[0].get_array(), shares)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CLASSES[:3])
    assert [label.get_text() for label in axes.get_xticklabels()] == [*CLASSES[:3], "none of the 3"]


@pytest.mark.parametrize(
    ("classes", "numbers", "names"), [(20, 420, 20), (21, 0, 21), (60, 0, 60), (61, 0, 0)]
)
def test_many_classes(figures, classes, numbers, names):
    """Numbers up to 20 classes, names up to 60; the picture stays within 2,100 pixels."""
    counts = np.ones((classes, classes + 1), np.int64)
    made = charts.confusion_chart(Matrix(tuple(f"class {i}" for i in range(classes)), counts))
    axes = figures[0].axes[0]
    assert len(axes.texts) == numbers
    assert sum(label.get_text().startswith("class ") for label in axes.get_yticklabels()) == names
    assert max(Image.open(io.BytesIO(made)).size) < 2100


def test_names_of_any_kind(figures):
    """Formulas are not set, letters that the font lacks are no warning, and long names are cut short."""
    names = ("$\\frac{1}$ and $x", "\u732b", "two\nlines", "x" * 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        charts.confusion_chart(Matrix(names, np.eye(4, 5, dtype=np.int64)))
    shown = [label.get_text() for label in figures[0].axes[0].get_yticklabels()]
    assert shown == [names[0], one_line(names[1]), "two lines", "x" * 21 + "\u2026"]


def test_the_reliability_diagram(figures):
    """Bars as high as the share that is right, with its interval; dots at mean probabilities; counts."""
    charts.reliability_chart(BINS, 0.0312)
    above, below = figures[0].axes
    for bar, one in zip(above.patches, BINS, strict=True):
        assert bar.get_height() == one["right"]["value"]
        assert bar.get_x() + bar.get_width() / 2 == pytest.approx(one["low"] + 0.05)
    ends = [segment[:, 1].tolist() for segment in above.collections[0].get_segments()]
    assert ends == [[one["right"]["low"], one["right"]["high"]] for one in BINS]
    dots = above.lines[1]
    assert list(dots.get_xdata()) == [one["confidence"] for one in BINS]
    assert list(dots.get_ydata()) == [one["right"]["value"] for one in BINS]
    assert [text.get_text() for text in below.texts] == [str(one["photographs"]) for one in BINS]
    assert [bar.get_height() for bar in below.patches] == [one["photographs"] for one in BINS]
    assert "3.1%" in above.get_title(loc="left")


def test_nothing_was_counted():
    """A matrix of no photographs is said to be none; a diagram of none is empty."""
    with pytest.raises(InputError, match="no photograph could be read"):
        charts.confusion_chart(confusion_matrix({}))
    assert charts.reliability_chart([], 0.0).startswith(b"\x89PNG")


def test_without_matplotlib(monkeypatch):
    """One line says what brings it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.style", None)
    with pytest.raises(
        InputError, match=r"^charts need matplotlib.*; `pip install matplotlib` brings it, or `pip"
    ):
        charts.curve_chart(CURVE, 0.4)
