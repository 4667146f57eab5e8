"""Names that wait until somebody asks for them."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import npcam
from npcam.common import lazy

ROOT = Path(npcam.__file__).parents[1]


def test_modules_are_there_without_a_trick():
    """Every room is an attribute, and so is `draw`; all are among the names that are completed."""
    for name in lazy.ROOMS:
        assert getattr(npcam, name) is importlib.import_module(f"npcam.{name}")
        assert name in dir(npcam)
    assert npcam.draw is importlib.import_module("npcam.pictures.draw")
    assert npcam.feature_maps is importlib.import_module("npcam.inside").feature_maps
    for name in (*lazy.ELSEWHERE, *npcam.__all__):
        assert getattr(npcam, name) is not None
        assert name in dir(npcam)


def test_every_room_waits():
    """No room of npcam's is forgotten: each folder and file is there by its name, or by a function's."""
    there = {
        p.stem
        for p in Path(npcam.__file__).parent.iterdir()
        if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert there - {"__init__", "__main__", "lazy"} <= {*lazy.ROOMS, *npcam.__all__}


def test_a_name_that_is_not_there():
    """As for any module."""
    with pytest.raises(AttributeError, match=r"^module 'npcam' has no attribute 'drawing'$"):
        npcam.drawing  # noqa: B018
    assert not hasattr(npcam, "zebra")


def test_importing_npcam_brings_nothing_heavy():
    """Neither Pillow nor SciPy, nor what reads Keras's files or verifies, until it is asked for."""
    program = """if True:
        import sys, npcam
        late = "PIL scipy npcam.verify npcam.keras_files npcam.convert npcam.inside npcam.pictures.draw"
        early = [name for name in late.split() if name in sys.modules]
        npcam.verify, npcam.draw
        print(early, "npcam.verify" in sys.modules)"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout == "[] True\n"
