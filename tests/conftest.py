"""What the tests share."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
sys.path.insert(0, str(Path(__file__).parent))  # tests import their own helpers by plain names


@pytest.fixture(scope="session")
def keras():
    """Live Keras. Without it the test is skipped, except in CI, where that is a failure."""
    if os.environ.get("CI"):
        import keras

        return keras
    return pytest.importorskip("keras", exc_type=ImportError)
