"""What the tests share."""

import os
from pathlib import Path

import pytest
from helpers.browser import running
from helpers.needs import needs

os.environ.setdefault("KERAS_BACKEND", "jax")

ROOT = Path(__file__).parents[1]
# Files that run whole networks over many photographs, draw charts, or go through thousands of maps.
SLOW = {
    ROOT / name
    for name in (
        *("tests/cli/test_evaluate.py", "tests/cli/test_folders.py", "tests/cli/test_faults.py"),
        *("tests/cli/test_report.py", "tests/report/test_recheck.py", "tests/report/test_read.py"),
        *("tests/localise/test_evaluation.py", "tests/localise/test_results.py"),
        *("tests/localise/test_charts.py", "tests/localise/test_contours.py", "tests/convert/test_strays.py"),
        *(
            "tests/convert/test_fetch.py",
            "tests/convert/test_findings.py",
            "tests/convert/test_inspection.py",
        ),
        *("tests/cli/test_explain.py", "tests/datasets/test_read.py", "tests/test_cases.py"),
        *("docs/audit.md", "docs/howto/verifier.md", "npcam/audit/photo.py", "npcam/explore/page.py"),
    )
} | set(Path(__file__).parent.glob("explore/test_*.py"))


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
    """What uses Keras or a browser, or npcam in a process of its own, is slow; so are the files above."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        waits = {"keras", "run", "browser"} & set(fixtures) or hasattr(getattr(item, "module", None), "keras")
        if waits or item.path in SLOW:
            item.add_marker("slow")
