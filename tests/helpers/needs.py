"""Packages that some tests need and others do without."""

import importlib
import os

import pytest


def needs(name):
    """A package that a test needs. Without it the test is skipped, except in CI, where that is a failure.

    Keras comes with the extra `test`; torch, which only the training tool needs, does not.
    """
    if os.environ.get("NPCAM_TEST_EVERYTHING"):  # .ci/run sets it
        return importlib.import_module(name)
    return pytest.importorskip(name, exc_type=ImportError)
