"""An HDF5 file opened, and its groups: members are reached by plain links only."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from npcam.common.errors import InputError
from npcam.common.files import require_file
from npcam.common.kinds import kind_of_file
from npcam.common.limits import MAX_HDF5_MEMBERS
from npcam.hdf5.dataset import Dataset
from npcam.hdf5.member import DAMAGE, Member, reading
from npcam.hdf5.source import Source


@contextmanager
def open_hdf5(path: str | Path, file: BinaryIO | None = None) -> Iterator["Group"]:
    """Open an HDF5 file for reading.

    Args:
        path: its path, and its name in messages.
        file: the open file to read instead, for HDF5 inside a zip.

    Raises:
        InputError: the file does not exist, is not HDF5, or is damaged.
    """
    import h5py

    try:
        if file is None:
            require_file(path, "give the path of a weights file")
        opened = h5py.File(path if file is None else file, "r")
    except DAMAGE as error:
        if isinstance(error, InputError):
            raise
        if isinstance(error, PermissionError):
            raise InputError(f"{path}: no permission to read it") from error
        kind = kind_of_file(path) if file is None else None
        said = (
            f"is {kind}" if kind else "not an HDF5 file, or a truncated one; get it again or convert it anew"
        )
        msg = f"{path}: {said}"
        raise InputError(msg) from error
    with opened, Path(path).open("rb") if file is None else file as raw:
        yield Group(opened.id, "/", Source(str(path), raw, opened.userblock_size))


class Group(Member):
    """A group of an HDF5 file; its members are reached by plain links only."""

    def __iter__(self) -> Iterator[str]:
        """The members' names."""
        with reading(self.where):
            if len(self) > MAX_HDF5_MEMBERS:
                raise InputError(f"{self.where} has {len(self)} members; no weights file has as many")
            names = [name.decode("utf-8", "surrogateescape") for name in self._node]
        return iter(names)

    def __len__(self) -> int:
        with reading(self.where):
            return int(self._node.get_num_objs())

    def __contains__(self, name: str) -> bool:
        """Whether there is a member of that name, wherever it points."""
        with reading(self.where):
            return bool(self._node.links.exists(_encoded(name)))

    @property
    def outside(self) -> tuple[int, int]:
        """How many bytes of its file lie before those of HDF5, and how many behind."""
        with reading(self.where):
            return self._source.outside

    def child(self, path: str) -> "Group | Dataset":
        """The member at `a/b/c`.

        Raises:
            InputError: it is missing, or a step on the way is a link to elsewhere.
        """
        import h5py

        node, name = self._node, self.name
        for part in path.split("/"):
            name = f"{name.rstrip('/')}/{part}"
            where = f"{self._source.label}: {name}"
            with reading(where):
                if not isinstance(node, h5py.h5g.GroupID):
                    raise InputError(f"{where}: a group was expected where an array is")
                if part in ("", ".") or not node.links.exists(_encoded(part)):
                    raise InputError(f"{where} is missing")
                if node.links.get_info(_encoded(part)).type != h5py.h5l.TYPE_HARD:
                    raise InputError(f"{where} is a link to elsewhere; npcam reads plain data only")
                node = h5py.h5o.open(node, _encoded(part))
        if isinstance(node, h5py.h5g.GroupID):
            return Group(node, name, self._source)
        if isinstance(node, h5py.h5d.DatasetID):
            return Dataset(node, name, self._source)
        raise InputError(f"{self._source.label}: {path} is neither a group nor an array")

    def group(self, path: str) -> "Group":
        """The member at `a/b/c`, which must be a group."""
        found = self.child(path)
        if isinstance(found, Dataset):
            raise InputError(f"{found.where} is an array where a group was expected")
        return found

    def dataset(self, path: str) -> "Dataset":
        """The member at `a/b/c`, which must be an array."""
        found = self.child(path)
        if isinstance(found, Group):
            raise InputError(f"{found.where} is a group where an array was expected")
        return found


def _encoded(name: str) -> bytes:
    """A name as HDF5 has it, whatever its bytes were."""
    return name.encode("utf-8", "surrogateescape")
