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
    """A test that uses Keras is slow: Keras compiles for seconds what NumPy does at once."""
    for item in items:
        module = getattr(item, "module", None)
        if "keras" in getattr(item, "fixturenames", ()) or hasattr(module, "keras"):
            item.add_marker("slow")
