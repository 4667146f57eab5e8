"""What the tests share."""

import importlib
import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
sys.path.insert(0, str(Path(__file__).parent))  # tests import their own helpers by plain names


def needs(name):
    """A package that a test needs. Without it the test is skipped, except in CI, where that is a failure.

    Keras comes with the extra `test`; torch, which only the training tool needs, does not.
    """
    if os.environ.get("NPCAM_TEST_EVERYTHING"):  # .ci/run sets it
        return importlib.import_module(name)
    return pytest.importorskip(name, exc_type=ImportError)


@pytest.fixture(scope="session")
def keras():
    """Live Keras."""
    return needs("keras")
