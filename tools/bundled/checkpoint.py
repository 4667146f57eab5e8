"""A training run's checkpoint: one .npz file of arrays and a line of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from bundled.network import Arrays

from npcam import InputError
from npcam.common.files import replacing

CHECKPOINT = "checkpoint.npz"
ABOUT = "about"  # the JSON
KINDS = ("weights", "average", "optimizer")
MEMBERS = ("step", "seconds", "recipe", "plan_sha256", "rows")


def write_checkpoint(path: Path, about: dict[str, Any], state: dict[str, Arrays]) -> None:
    """Write a checkpoint; it is whole or not there."""
    arrays: Any = {f"{kind}/{name}": array for kind in KINDS for name, array in state[kind].items()}
    arrays[ABOUT] = np.array(json.dumps(about))
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Arrays]]:
    """What `write_checkpoint` wrote; nothing in the file is executed.

    Raises:
        InputError: there is none, or it is damaged.
    """
    state: dict[str, Arrays] = {kind: {} for kind in KINDS}
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file[ABOUT]))
            for key in file.files:
                kind, _, name = key.partition("/")
                if kind in state:
                    state[kind][name] = file[key]
        return {key: about[key] for key in MEMBERS}, state
    except FileNotFoundError:
        raise InputError(f"{path}: no checkpoint here; train first, without --resume or --export") from None
    except Exception as error:  # zip files and JSON are damaged in many ways
        reason = str(error).split("\n")[0]
        raise InputError(f"{path}: not a checkpoint of this program ({reason}); start afresh") from error
