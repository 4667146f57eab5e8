"""The maps of one layer as a picture."""

from pathlib import Path

import numpy as np
import pytest

import npcam
from npcam import InputError
from npcam.pictures import colormaps
from npcam.pictures import figure as figures

pytestmark = pytest.mark.slow  # whole layers drawn

CHELSEA = Path(__file__).parents[1] / "examples" / "chelsea.png"


@pytest.fixture(scope="module")
def model():
    """The bundled model."""
    return npcam.load_model()


@pytest.mark.parametrize(
    ("layer", "top"), [("conv2_block3_out", 16), ("conv3_block1_2_conv", 5), ("conv1_conv", 99)]
)
def test_the_strongest_channels_on_one_scale(model, monkeypatch, layer, top):
    """The channels of the largest mean magnitude, each pixel the colour of its share of the largest."""
    seen = []
    draw = figures.figure
    monkeypatch.setattr(figures, "figure", lambda *a, **k: seen.append(a) or draw(*a, **k))
    npcam.feature_maps(model, CHELSEA, layer, top)
    ((tiles, legend),) = seen
    x = model.preprocess(npcam.load_image(CHELSEA)[None])
    maps = model.activations(x, layer)[layer][0]
    strength = [float(np.abs(maps[..., k]).sum(dtype=np.float64)) for k in range(maps.shape[2])]
    expected = sorted(range(len(strength)), key=lambda k: -strength[k])[:top]
    assert [tile.lines[0] for tile in tiles] == [f"channel {k}" for k in expected]
    assert [tile.lines[1] for tile in tiles] == [f"mean {maps[..., k].mean():.3g}" for k in expected]
    largest = np.abs(maps[..., expected]).max()
    assert legend.number == pytest.approx(float(largest))
    signed = maps[..., expected].min() < 0
    assert legend.scale.signed == signed
    for tile, channel in zip(tiles, expected, strict=True):
        share = maps[..., channel].astype(np.float64) / float(largest)
        if signed:
            colours = colormaps.two_sided()[(128 + np.rint(share * 127)).astype(int)].astype(float)
            expected_pixels = 255 + (colours - 255) * np.abs(share)[..., None]
        else:
            expected_pixels = colormaps.colormap("viridis")[np.rint(share * 255).astype(int)]
        # a signed share is rounded to 1/127, which moves a mixture by up to 255/127/2, and to a byte twice
        assert np.abs(np.asarray(tile.image) - expected_pixels.astype(float)).max() <= (
            255 / 127 / 2 + 1 if signed else 0
        )


@pytest.mark.parametrize(
    ("layer", "top", "said"),
    [
        ("avg_pool", 4, "avg_pool: has no maps, but (512,); name a layer before avg_pool"),
        ("conv9", 4, "no layer is called 'conv9'"),
        ("conv1_relu", 0, "feature_maps: expected a number of channels from 1 up, got 0"),
    ],
)
def test_refuses(model, layer, top, said):
    """A layer without maps, no such layer, no channels."""
    with pytest.raises(InputError) as caught:
        npcam.feature_maps(model, CHELSEA, layer, top)
    assert str(caught.value).startswith(said)
