"""Work that Dask carries to its workers: once to each, and to each that comes later in place of another."""

import pickle
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from npcam.common.interrupts import end_at_once
from npcam.common.version import __version__

if TYPE_CHECKING:
    from distributed import Worker

try:
    from distributed import WorkerPlugin, get_worker
except ImportError:  # whoever shares work is told so; the names are there for whoever only looks
    WorkerPlugin, get_worker = object, None


class Place(NamedTuple):
    """What must be the same on every machine, so that a path means the same there.

    Attributes:
        here: the folder that relative paths begin at.
        witness: a file that was put into the folder of the results; None where nothing is written.
    """

    here: Path
    witness: Path | None


class Carried(WorkerPlugin):  # type: ignore[misc]  # Dask is not looked into
    """Work in the process that does it.

    Attributes:
        problem: why nothing can be done here, or None.
    """

    def __init__(self, work: Callable[[Any], object], place: Place, ours: bool) -> None:
        """Pack work.

        Args:
            work: what is done with each item.
            place: what a worker must find.
            ours: whether the workers' processes are our own, and end at a SIGTERM from us.
        """
        self._version = __version__
        self._packed = pickle.dumps(work)
        self._work: Callable[[Any], object] | None = None
        self._place, self._ours = place, ours
        self.problem: str | None = None

    def setup(self, worker: "Worker") -> None:
        """Unpack it, when Dask has brought it to a worker."""
        self.problem = self._look_around()
        if self.problem is None:
            try:
                self._work = pickle.loads(self._packed)
            except Exception as error:
                self.problem = f"cannot unpack the work ({type(error).__name__}: {error})"
        self._packed = b""
        if self.problem is not None:
            self.problem = f"{worker.address}: this worker {self.problem}"
        if self._ours and hasattr(signal, "pthread_sigmask"):
            signal.signal(signal.SIGTERM, end_at_once)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def __call__(self, item: object) -> object:
        """Do the work on one item.

        Raises:
            Unfit: it cannot be done here.
        """
        if self._work is None:
            raise Unfit(self.problem)
        return self._work(item)

    def _look_around(self) -> str | None:
        """Why this process cannot do it."""
        if self._version != __version__:
            return f"has npcam {__version__}, and {self._version} was asked for; install the same on both"
        here, witness = self._place
        if Path.cwd() != here:
            return f"runs in {Path.cwd()}, not in {here}, where relative paths begin; start it there"
        if witness is not None and not witness.exists():
            return f"does not see {witness.parent} as it is here; workers need a file system that all share"
        return None


class Unfit(Exception):  # noqa: N818  # no error of the work's
    """A worker cannot do any work; the message says which and why."""


def do(name: str, item: object) -> object:
    """The task: the work of that name on an item, in the worker that Dask chose."""
    return get_worker().plugins[name](item)


def problem_with(name: str, dask_worker: "Worker") -> str | None:
    """Why a worker cannot do the work of that name."""
    carried: Carried = dask_worker.plugins[name]
    return carried.problem


def versions() -> dict[str, str]:
    """What the last bits of a result depend on, in this process.

    >>> sorted(versions())
    ['BLAS', 'NumPy', 'Pillow', 'Python', 'SciPy']
    """
    from threadpoolctl import threadpool_info

    names = {"NumPy": "numpy", "SciPy": "scipy", "Pillow": "PIL"}
    found = {name: str(import_module(module).__version__) for name, module in names.items()}
    kernels = {
        f"{one['internal_api']} for {one.get('architecture')}"
        for one in threadpool_info()
        if one["user_api"] == "blas"
    }
    return {"Python": sys.version.split()[0], "BLAS": ", ".join(sorted(kernels)), **found}
