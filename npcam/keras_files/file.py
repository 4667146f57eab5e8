"""A file of Keras's, opened whatever its layout: its layers, and its model's configuration if it has one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from npcam.common.errors import InputError
from npcam.common.kinds import shard_of
from npcam.common.zips import is_zip
from npcam.hdf5 import Group, open_hdf5
from npcam.keras_files.archive import open_archive
from npcam.keras_files.arrays import SavedLayer, has_layers, named_layers, numbered_layers
from npcam.keras_files.graph import parse_json


class KerasFile(NamedTuple):
    """A file of Keras's that is open.

    Attributes:
        layout: "named", every layer and weight by name, or "numbered", by class and number.
        saved: its layers, the arrays not read yet.
        config: the model's configuration, or None in a file of weights alone.
        metadata: what it says of itself: `keras_version`, `backend`, `date_saved`.
        root: of the HDF5 in it, for whoever looks at what else there is.
    """

    layout: str
    saved: list[SavedLayer]
    config: Any
    metadata: dict[str, str]
    root: Group


@contextmanager
def open_keras(path: str | Path) -> Iterator[KerasFile]:
    """Open a file of any of Keras's layouts, and list its layers.

    Raises:
        InputError: there is no such file, it is damaged, or it is not one of Keras's.
    """
    where = str(path)
    with ExitStack() as stack:
        if Path(path).is_file() and is_zip(path):
            archive = stack.enter_context(open_archive(path))
            file = stack.enter_context(open_hdf5(path, archive.weights))
            config = parse_json(archive.config, f"{where}: config.json")
            metadata = parse_json(archive.metadata, f"{where}: metadata.json")
        else:
            file = stack.enter_context(open_hdf5(path))
            if kind := shard_of(path):
                raise InputError(f"{where}: is {kind}")
            text = file.attribute("model_config")
            config = None if text is None else parse_json(str(text), f"{where}: model_config")
            metadata = {}
        group = file.group("model_weights") if "model_weights" in file else file
        for name in ("keras_version", "backend"):
            if (value := group.attribute(name)) is not None:
                metadata = {name: value} | (metadata if isinstance(metadata, dict) else {})
        layout = has_layers(group)
        if layout is None:
            reason = "HDF5, but not Keras's: it has neither layer_names nor layers"
            raise InputError(f"{where}: {reason}; `npcam inspect` shows what it has")
        saved = named_layers(group) if layout == "named" else numbered_layers(group)
        known = metadata.items() if isinstance(metadata, dict) else ()
        yield KerasFile(layout, saved, config, {str(k): str(v) for k, v in known}, file)
