"""What an HDF5 file of Keras's holds besides the model: arrays, links, attributes, bytes around."""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_HDF5_DEPTH, MAX_HDF5_MEMBERS
from npcam.common.text import printable
from npcam.convert.findings import Finding
from npcam.hdf5 import Dataset, Group
from npcam.keras_files import Graph, SavedLayer

CONTAINERS = ("layers", "_layer_checkpoint_dependencies", "model_weights", "vars")
STATES = {
    "optimizer": "the optimizer's state; not converted",
    "optimizer_weights": "the optimizer's state; not converted",
    "metrics": "the state of metrics in training; not converted",
}
ATTRIBUTES = re.compile(
    "(layer_names|weight_names)[0-9]*|backend|keras_version|model_config|training_config|name|dtype"
)
WITHOUT_PARTS = ("BatchNormalization", "Conv2D", "Dense", "InputLayer", "Normalization")  # no layers within
NOT_READ = "not part of the model; npcam does not read it"


class Walked(NamedTuple):
    """What lies in a group: how many arrays of the model, and what else, each by its place.

    `strays` are (place, arrays, numbers); a link has no array.
    """

    used: int
    strays: list[tuple[str, int, int]]


def in_hdf5(file: Group, used: Collection[str] | None) -> Iterator[Finding]:
    """What an HDF5 file holds besides the model's layers.

    Args:
        file: its root.
        used: the places of the model's arrays; None where nothing told them, and then every array is
            one that lies where the newer layout keeps them: in a `vars`, under a number.

    Returns:
        Findings: "group" and "array", "link", "optimizer", "attribute", and "bytes" outside of HDF5.
    """
    before, after = file.outside
    if before:
        yield Finding("bytes", "before the HDF5", f"a user block of {before:,} bytes; npcam does not read it")
    if after:
        yield Finding("bytes", "after the HDF5", f"{after:,} bytes; npcam does not read them")
    walk = _Walk(used)
    walked = walk.group(file, 0)
    yield from walk.findings
    for place, arrays, numbers in walked.strays:
        if not arrays:
            yield Finding("link", place, "a link to elsewhere, which npcam does not follow")
        else:
            kind = "array" if arrays == 1 and not place.endswith("/") else "group"
            what = f"{arrays:,} {'array' if arrays == 1 else 'arrays'}, {numbers:,} values, {NOT_READ}"
            yield Finding(kind, place.rstrip("/"), what)
    for place in walk.too_deep:
        what = f"groups in groups, more than {MAX_HDF5_DEPTH} deep; what is in them was not looked at"
        yield Finding("group", printable(place), what)
    if walk.left < 0:
        yield Finding("group", "/", f"more than {MAX_HDF5_MEMBERS:,} members; the others were not looked at")


def used_arrays(saved: list[SavedLayer], graph: Graph | None) -> set[str]:
    """The places of all layers' arrays.

    Args:
        saved: the layers in the file.
        graph: of the configuration, if there is one: then an array is a layer's only if it knows that layer.
    """
    return {
        array.dataset.name
        for layer in saved
        if graph is None or _is_known(layer, graph)
        for array in layer.arrays
    }


def _is_known(layer: SavedLayer, graph: Graph) -> bool:
    """Whether a layer in the file is one of the configuration, or a part of one, such as a wrapped layer."""
    if not layer.slot:
        return any(path[: len(layer.path)] == layer.path for path in graph.nodes)
    if len(layer.path) == len(layer.slot) and layer.path in graph.nodes:
        return True
    for node in graph.nodes.values():
        whole = node.slot == layer.slot
        inside = layer.slot[: len(node.slot)] == node.slot and node.kind not in WITHOUT_PARTS
        if whole or inside:
            return True
    return False


class _Walk:
    """Goes through all of a file, as far as plain links reach."""

    def __init__(self, used: Collection[str] | None) -> None:
        self.used = used
        self.left = MAX_HDF5_MEMBERS
        self.findings: list[Finding] = []
        self.too_deep: dict[str, None] = {}  # the outermost groups of those that are nested too deeply

    def group(self, group: Group, depth: int) -> Walked:
        """What lies in a group; a group without arrays of the model is one stray."""
        self.attributes(group)
        if depth > MAX_HDF5_DEPTH and len(group):
            self.too_deep.setdefault(group.name.strip("/").split("/")[0])
        used, strays = 0, []
        for name in group:
            self.left -= 1
            if self.left < 0 or depth > MAX_HDF5_DEPTH:
                break
            found = self.member(group, name, depth)
            used += found.used
            strays += found.strays
        place = printable(group.name.lstrip("/"))
        arrays = sum(stray[1] for stray in strays)
        alone = bool(depth) and group.name.rpartition("/")[2] not in CONTAINERS
        if alone and arrays and not used:
            return Walked(0, [(f"{place}/", arrays, sum(stray[2] for stray in strays))])
        return Walked(used, strays)

    def member(self, group: Group, name: str, depth: int) -> Walked:
        """What one member of a group is, or holds."""
        first = name.split("\\", maxsplit=1)[0]
        if depth == 0 and first in STATES:
            self.findings.append(Finding("optimizer", printable(name), STATES[first]))
            return Walked(0, [])
        try:
            member = group.child(name)
        except InputError:
            return Walked(0, [(printable(f"{group.name.strip('/')}/{name}".lstrip("/")), 0, 0)])
        if isinstance(member, Group):
            return self.group(member, depth + 1)
        self.attributes(member)
        if self.belongs(group, name, member):
            return Walked(1, [])
        return Walked(0, [(printable(member.name.lstrip("/")), 1, int(np.prod(member.extent, dtype=float)))])

    def belongs(self, group: Group, name: str, array: Dataset) -> bool:
        """Whether an array is the model's, or the state of a layer's random numbers."""
        above = group.name.replace("\\", "/").split("/")
        if above[-1] == "vars" and any(part.startswith("seed_generator") for part in above):
            return True
        if self.used is not None:
            return array.name in self.used
        return above[-1] == "vars" and name.isdigit()

    def attributes(self, member: Group | Dataset) -> None:
        """Name every attribute that Keras does not write."""
        place = printable(member.name.lstrip("/")) or "the file"
        try:
            names = [name for name in member.attributes if not ATTRIBUTES.fullmatch(name)]
        except InputError:
            self.findings.append(Finding("attribute", place, "attributes that npcam does not read"))
            return
        for name in names:
            what = f"{printable(name)}, which Keras does not write; npcam does not read it"
            self.findings.append(Finding("attribute", place, what))
