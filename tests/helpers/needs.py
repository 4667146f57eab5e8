"""Packages that some tests need and others do without."""

import importlib
import os

import pytest


def needs(name):
    """A package that a test needs. Without it the test is skipped, except in CI, where that is a failure.

    `.ci/run` sets NPCAM_TEST_EVERYTHING, and in NPCAM_TEST_WITHOUT names what is not to be had everywhere.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        may_be_missing = os.environ.get("NPCAM_TEST_WITHOUT", "").split()
        if os.environ.get("NPCAM_TEST_EVERYTHING") and name not in may_be_missing:
            raise
        pytest.skip(f"needs {name} ({error})", allow_module_level=True)
