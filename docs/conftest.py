"""The pages' examples run in a folder of their own, where what they write does no harm."""

from pathlib import Path

import pytest

# Scripts that become pages, with what is made of them, and the site's settings: no modules with doctests.
collect_ignore_glob = ["lesson/*", "chapters/*", "api/*", "conf.py"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which the checkout's photographs and weights are to be seen."""
    for name in ("examples", "weights"):
        (tmp_path / name).symlink_to(Path(__file__).parents[1] / name)
    monkeypatch.chdir(tmp_path)
