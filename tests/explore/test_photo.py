"""From pixels to the network's input in JavaScript, bit for bit npcam's and Pillow's."""

import numpy as np
import pytest
from helpers.in_node import in_node
from PIL import Image

from npcam.preprocessing import MODES, Preprocessing, Step, preprocess

SIDES = (1, 2, 3, 32, 37, 100, 160, 223, 224, 225, 299)
LONG = (*range(1, 700), 1023, 1024, 3000, 4031, 4032, 6001, 65_535)


def test_nearest_is_pillows(other):
    """Which pixel stands for which, from every size up to 700 and some large ones, to eleven others."""
    pairs = [(a, b) for a in LONG for b in SIDES]
    found = in_node(other[1], "return given.map(([a, b]) => nearest(a, b));", pairs)
    for (a, b), places in zip(pairs, found, strict=True):
        line = Image.fromarray(np.arange(a, dtype=np.int32)[None])
        wanted = line if a == b else line.resize((b, 1), Image.Resampling.NEAREST)
        assert places == np.asarray(wanted)[0].tolist(), (a, b)


@pytest.mark.parametrize(
    "preprocessing",
    [
        *MODES.values(),
        Preprocessing("model", (Step("channels", (0, 0, 0)), Step("divide", (255.0,))), grey=True),
        Preprocessing(
            "model", (Step("enlarge", (2, 3)), Step("add", (0.1, 0.2, 0.3)), Step("multiply", (1 / 3,)))
        ),
    ],
    ids=lambda p: p.describe()[:30],
)
def test_preprocessing_has_npcams_bits(other, preprocessing):
    """Each mode, grey photographs, enlarged ones: the same float32 in every place."""
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (17, 19, 3), np.uint8)
    steps = [{"operation": step.operation, "values": step.values} for step in preprocessing.steps]
    found = in_node(
        other[1],
        """const y = preprocess(Uint8Array.from(given.pixels), [17, 19], given);
        return [y.shape, [...y.data]];""",
        {"pixels": pixels.ravel().tolist(), "grey": preprocessing.grey, "steps": steps},
    )
    photo = np.asarray(Image.fromarray(pixels).convert("L"))[..., None] if preprocessing.grey else pixels
    wanted = preprocess(photo, preprocessing)
    assert found[0] == list(wanted.shape)
    np.testing.assert_array_equal(np.array(found[1], np.float32), wanted.ravel())
