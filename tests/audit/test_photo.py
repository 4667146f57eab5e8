"""One photograph audited for a report: entries, their intervals and pictures, the card."""

import base64
import io
import json

import numpy as np
import pytest
from helpers.audited import small_model, subject
from helpers.needs import needs
from PIL import Image

from npcam.audit import charts, photo
from npcam.audit.figures import CAVEAT, FIGURES, KEYS, entries
from npcam.audit.numbers import of_one
from npcam.audit.photo import audit_photo
from npcam.common.errors import InputError
from npcam.localise.intervals import Share

needs("matplotlib")
pytestmark = pytest.mark.slow
BOXES = np.array([[10.0, 10.0, 50.0, 50.0]])


@pytest.fixture(scope="module")
def found():
    return audit_photo(subject().seen, boxes=BOXES)


def test_every_figure_has_an_entry_of_one_shape(found):
    """In the order of the list; numbers are those by name, pictures PNGs, all of it JSON."""
    assert tuple(entry["key"] for entry in found["figures"]) == KEYS
    for entry, figure in zip(found["figures"], FIGURES, strict=True):
        assert set(entry) == {
            *("key", "title", "sentence", "paper", "value", "low", "high", "interval", "picture"),
        }
        assert entry["value"] == found["numbers"][figure.number]
        assert "arXiv:" in entry["paper"]
        data = base64.b64decode(entry["picture"]["base64"])
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "PNG"
    json.dumps(found, allow_nan=False)


def test_the_interval_of_one_photograph_is_a_range_that_is_named(found):
    """From baseline to baseline, over stages, classes and changes; none where nothing was varied."""
    by_key = {entry["key"]: entry for entry in found["figures"]}
    numbers = found["numbers"]
    both = [numbers["deletion.zero.map"], numbers["deletion.blur.map"]]
    assert (by_key["deletion"]["low"], by_key["deletion"]["high"]) == (min(both), max(both))
    assert by_key["deletion"]["interval"] == "from one baseline to the other"
    changes = [v for name, v in numbers.items() if name.endswith(".correlation")]
    assert (by_key["stability"]["low"], by_key["stability"]["high"]) == (min(changes), max(changes))
    for key in ("drop", "road", "sparseness", "inside"):
        assert by_key[key]["low"] is by_key[key]["high"] is by_key[key]["interval"] is None


def test_many_photographs_have_the_bootstraps_interval():
    """An entry takes low and high from the number itself, where it has them."""
    (entry,) = entries({"road": Share(0.5, 0.4, 0.6)}, {})
    assert (entry["low"], entry["high"], entry["interval"]) == (0.4, 0.6, "95 % over photographs")
    assert entry["picture"] is None


def test_the_same_bytes_again(found):
    """Pictures included."""
    assert audit_photo(subject().seen, boxes=BOXES) == found


def test_another_class_has_another_audit(found):
    """Given by name; what does not depend on the class stays."""
    first = subject()
    name = next(n for i, n in enumerate(first.model.class_names) if i != first.e.target)
    other = audit_photo(first.seen, name)
    assert other["numbers"]["probability"] != found["numbers"]["probability"]
    assert "inside.mass" not in other["numbers"]
    assert any("no true box" in note for note in other["notes"])


def test_a_linear_top_has_what_asks_for_no_probabilities():
    """Four figures less, and a note that says so; the card says what was not measured."""
    linear = audit_photo(subject(small_model("linear")).seen)
    keys = [entry["key"] for entry in linear["figures"]]
    assert keys == ["randomisation", "labels", "stability", "sparseness"]
    assert "no probabilities" in linear["notes"][0]
    answers = {row["attribute"]: row["answer"] for row in linear["card"]}
    assert answers["Input sensitivity"].startswith("Not measured")


def test_without_matplotlib_there_are_numbers_and_no_pictures(monkeypatch):
    """Which is said."""

    def refuse(*_):
        raise InputError("charts need matplotlib")

    monkeypatch.setattr(photo, "pictures", refuse)
    found = audit_photo(subject().seen)
    assert all(entry["picture"] is None for entry in found["figures"])
    assert "charts need matplotlib" in found["notes"]


def test_the_card_has_the_ten_attributes_with_the_numbers_at_hand(found):
    """Boggust et al.'s, in three groups; every answer's number is that of the audit."""
    groups = [row["group"] for row in found["card"]]
    assert [groups.count(g) for g in dict.fromkeys(groups)] == [5, 3, 2]
    answers = {row["attribute"]: row["answer"] for row in found["card"]}
    numbers = found["numbers"]
    assert "140" not in answers["Determinism"]
    assert answers["Determinism"].endswith("yes.")
    # 10 x 14 cells of 32 activations
    assert f"{10 * 14 * 32:,} multiplications (10 x 14 cells of 32" in answers["Computational efficiency"]
    assert f"{numbers['gini']:.2f}" in answers["Minimality"]
    assert f"{numbers['randomisation']:.2f}" in answers["Model sensitivity"]
    assert f"{numbers['inside.mass']:.2f}" in answers["Perceptual correspondence"]
    assert f"{numbers['completeness']:.1e}" in answers["Semantic directness"]
    assert f"{numbers['stability.alignment.correlation']:.2f}" in answers["Hyperparameter dependence"]
    assert f"{numbers['road']:.2f}" in answers["Input sensitivity"]


def test_a_network_that_is_not_deterministic_is_found_out(found):
    """The answer follows the number."""
    numbers = of_one({**found["numbers"], "same_bits": 0.0})
    assert photo.saliency_card(numbers, (10, 14), 32, 1)[0]["answer"].endswith("no.")
    assert photo.saliency_card(numbers, (10, 14), 32, 8)[0]["answer"].endswith("in 0% of 8 photographs.")


def test_the_caveat_says_it():
    """Not proof, not causal."""
    assert CAVEAT.startswith("Not proof, not causal")


def test_charts_draw_the_medians(monkeypatch):
    """Lines of three photographs: the median point by point, and the band of the middle half."""
    drawn, png = [], charts.png
    monkeypatch.setattr(charts, "png", lambda figure: drawn.append(figure) or png(figure))
    values = np.random.default_rng(0).random((3, 5))
    panel = charts.Panel("title", np.linspace(0, 1, 5), (charts.Line("a", values, "#0072B2"),))
    charts.lines_chart([panel], "x", "y", True)
    (axes,) = drawn[0].axes
    assert np.allclose(axes.lines[0].get_ydata(), np.sort(values, axis=0)[1])
    band = axes.collections[0].get_paths()[0].vertices
    low = np.sort(values, axis=0)[:2].mean(axis=0)  # the 25th percentile of three lies halfway
    assert band[:, 1].min() == pytest.approx(low.min())
    charts.bars_chart({"n": Share(0.5, 0.4, 0.7)}, ["n"], [charts.Bars("b", ("n",), "#0072B2")], 0)
    bars = drawn[1].axes[0]
    assert bars.patches[0].get_height() == 0.5
    assert bars.collections[0].get_segments()[0][:, 1].tolist() == [0.4, 0.7]
