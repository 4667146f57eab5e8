"""What the tests share."""

import os

import pytest
from helpers.needs import needs

os.environ.setdefault("KERAS_BACKEND", "jax")


@pytest.fixture(scope="session")
def keras():
    """Live Keras."""
    return needs("keras")
