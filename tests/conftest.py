"""What the tests share."""

import os

import pytest
from helpers.needs import needs

os.environ.setdefault("KERAS_BACKEND", "jax")


@pytest.fixture(scope="session")
def keras():
    """Live Keras."""
    return needs("keras")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """A test that uses Keras, or runs npcam in a process of its own, is slow: it begins with long imports."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "keras" in fixtures or "run" in fixtures or hasattr(getattr(item, "module", None), "keras"):
            item.add_marker("slow")
