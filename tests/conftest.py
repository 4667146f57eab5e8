"""What the tests share."""

import os

import pytest
from helpers.browser import running
from helpers.needs import needs

os.environ.setdefault("KERAS_BACKEND", "jax")


@pytest.fixture(scope="session")
def keras():
    """Live Keras."""
    return needs("keras")


@pytest.fixture(scope="module")
def browser():
    """A browser; one that outlived its file would keep an event loop from the tests after it."""
    with running() as found:
        yield found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What uses Keras or a browser, or npcam in a process of its own, is slow: it begins with waiting."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if {"keras", "run", "browser"} & set(fixtures) or hasattr(getattr(item, "module", None), "keras"):
            item.add_marker("slow")
