"""One class against another: the difference of the maps accounts for the difference of the logits."""

import pickle
from pathlib import Path

import numpy as np
import pytest

import npcam
from npcam import InputError

pytestmark = pytest.mark.slow  # whole explanations

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def model():
    """The bundled model."""
    return npcam.load_model()


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "rocket.jpg"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("align", ["corners", "centers"])
def test_the_difference_is_the_difference(name, dtype, align):
    """mean(M_c - M_d) + b_c - b_d = z_c - z_d; the map is the two maps' difference, the heat map, too."""
    model = npcam.load_model(dtype=dtype)
    e = npcam.explain(model, EXAMPLES / name, align=align)
    for other in (e.top(2)[1].index, 13):
        d = npcam.explain(model, EXAMPLES / name, other, align=align)
        why = e.versus(other)
        weights = sum(np.abs(model.class_weights(c)[0]) for c in (e.target, other))
        size = float((e.seen.features.mean(axis=(0, 1)) * weights).sum()) + 10
        # sums of 512 products and 49 to 196 positions on each side (Higham 2002, equation 3.5)
        rounding = float(2 * (512 + 196) * np.finfo(dtype).eps / 2 * size)
        assert abs(why.completeness) <= rounding
        biases = model.class_weights(e.target)[1] - model.class_weights(other)[1]
        assert abs(why.cam.mean(dtype=np.float64) + biases - (e.logit - d.logit)) <= rounding
        assert why.logit == pytest.approx(e.logit - d.logit, abs=rounding)
        scale = np.finfo(dtype).eps * 512 * (np.abs(e.seen.features).max() * weights.sum())
        assert np.abs(why.cam - (e.cam - d.cam)).max() <= scale
        assert np.abs(why.heatmap - (e.heatmap - d.heatmap)).max() <= 2 * scale


def test_the_other_way_round(model):
    """Dog against cat is cat against dog with the sign turned."""
    cat, dog = npcam.explain(model, EXAMPLES / "chelsea.png", targets=["cat", "dog"])
    one, other = cat.versus("dog"), dog.versus(1)
    assert np.array_equal(one.cam, -other.cam)
    assert one.logit == -other.logit
    assert (one.label, one.other_label, one.title) == ("cat", "dog", "cat, not dog")
    assert (other.target, other.other) == (5, 1)
    assert one.scale == other.scale == np.abs(one.cam).max()
    assert one.box != other.box


def test_pictures_have_two_sides(model):
    """Without a word the scale is signed, with both names at the bar; the figure is drawn."""
    why = npcam.explain(model, EXAMPLES / "chelsea.png").versus("garbage_truck")
    legend = why.legend()
    assert legend.scale.signed
    assert legend.ticks()[0][1:] == legend.ticks()[2][1:]
    assert legend.unit == "per cell: - garbage truck, + cat"
    assert why.figure().size[0] == why.photo.width
    with pytest.raises(InputError, match=r'^style "flat" shows only what speaks for a class'):
        why.overlay(style="flat")


def test_versus_refuses(model):
    """The class itself, a class that is not there, and an explanation that has lost its network."""
    e = npcam.explain(model, EXAMPLES / "chelsea.png")
    with pytest.raises(InputError, match=r"^versus 'Cat': is the class that is explained; name another one$"):
        e.versus("Cat")
    with pytest.raises(InputError, match=r"^target 'zebra': no such class"):
        e.versus("zebra")
    kept = pickle.loads(pickle.dumps(e))
    assert np.array_equal(kept.cam, e.cam)
    assert np.array_equal(np.asarray(kept.figure()), np.asarray(e.figure()))
    assert len(pickle.dumps(e)) < 2 * (451 * 300 * 3 + e.heatmap.nbytes)  # without the network
    with pytest.raises(
        InputError, match=r"^versus: this explanation was pickled without its network; make it"
    ):
        kept.versus("dog")
