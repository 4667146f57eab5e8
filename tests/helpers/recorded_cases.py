"""Files in `tests/cases` that Keras wrote, with what it answered for examples/chelsea.png.

`expected.json` has each file's answer; the photograph was loaded by `keras.utils.load_img`, and, where
the model does not preprocess by itself, put through `keras.applications.resnet50.preprocess_input`.
Each network is a ResNet of four blocks and few filters, with random weights.
"""

import json
from pathlib import Path

import numpy as np

from npcam.explain import explain
from npcam.model import Model

CASES = Path(__file__).parents[1] / "cases"
PHOTO = Path(__file__).parents[2] / "examples" / "chelsea.png"


def recorded(name):
    """A file's path, and Keras's answer."""
    return CASES / name, np.array(json.loads((CASES / "expected.json").read_text())[name])


def probabilities(weights):
    """npcam's answer for the photograph; the class activation map must account for all of the logit."""
    found = explain(Model(weights), PHOTO)
    assert abs(found.completeness) < 1e-5
    return found.probabilities
