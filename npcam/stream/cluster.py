"""Work shared by processes, here or on other machines, through Dask; its results in order.

Each worker gets the work (network and all) once. Then a task is a few bytes, and so is its result.
A worker that is killed costs what it was doing: Dask gives that to another.
"""

import logging
import os
import secrets
import signal
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, TypeVar

from npcam.common.errors import InputError
from npcam.common.files import runs, witness
from npcam.common.interrupts import NUMBERS
from npcam.common.text import say
from npcam.stream.carried import Carried, Place, Unfit, do, problem_with, versions

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 4  # items for each thread of a worker that are begun, or done and not fetched
REACH = 5  # seconds in which a scheduler answers
GONE = 60  # seconds without any worker after which none is expected any more
LOOK = 5  # seconds after which the workers are counted again
END = 0.5  # seconds in which our own workers end when they are told to
LOST = "the scheduler is gone, and the work with it; run the command again"
CHECKOUT = "or `pip install '.[dask]'` in a copy of the repository"


class Cluster:
    """Workers that are ready.

    Attributes:
        dashboard: where a browser shows what they do; "" where nowhere.
    """

    def __init__(self, client: "Client", place: Place, ours: bool) -> None:
        self.dashboard: str = client.dashboard_link or ""
        self._client, self._place, self._ours = client, place, ours
        self._counted, self._threads, self._seen = 0.0, 0, time.monotonic()

    def in_order(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result]:
        """Do work on items in the workers; the results come in the items' order.

        Args:
            work: pickled once, unpickled once in each worker, called in its threads. What it raises
                is raised here, in its turn.
            items: taken one by one, some ahead of the results; each is pickled.

        Raises:
            InputError: workers have another npcam, do not see the same files, are gone and do not
                come back, or die of an item again and again.
        """
        name = f"npcam-{secrets.token_hex(8)}"
        waiting: deque[Future] = deque()
        try:
            self._carry(name, work)
            for number, item in enumerate(items):
                task = self._client.submit(do, name, item, key=(name, number), priority=-number, pure=False)
                waiting.append(task)
                while len(waiting) >= AHEAD * max(1, self._workers()):
                    yield self._result(waiting.popleft())
            while waiting:
                yield self._result(waiting.popleft())
        finally:
            with suppress(Exception):
                self._client.cancel(list(waiting))
                self._client.unregister_worker_plugin(name)

    def _carry(self, name: str, work: Callable[[Item], Result]) -> None:
        """Bring work to the workers that are there, and see whether they can do it."""
        try:
            self._client.register_plugin(Carried(work, self._place, self._ours), name=name)
        except Exception as error:  # Dask makes one of its own of what a worker raised
            reason = str(error).split("\n")[0]
            msg = f"a worker cannot take the work: {reason}; install the same npcam for every worker"
            raise InputError(msg) from error
        problems = self._client.run(problem_with, name)
        for problem in problems.values():
            if problem is not None:
                raise InputError(problem)

    def _workers(self) -> int:
        """How many threads the workers have together; counted anew from time to time."""
        now = time.monotonic()
        if now - self._counted > LOOK:
            try:
                self._threads = sum(self._client.nthreads().values())
            except (OSError, TimeoutError) as error:
                raise InputError(LOST) from error
            self._counted = now
            if self._threads:
                self._seen = now
        return self._threads

    def _result(self, task: "Future") -> Any:
        """What a task gave, as soon as it has."""
        from distributed import KilledWorker
        from distributed.client import CancelledError

        try:
            while True:
                try:
                    return task.result(timeout=LOOK)
                except TimeoutError:
                    if task.status == "error":  # the work's own
                        raise
                if not self._workers() and time.monotonic() - self._seen > GONE:
                    raise InputError("no worker is left, and none came back for a minute; start some")
        except Unfit as unfit:
            raise InputError(str(unfit)) from unfit
        except KilledWorker as killed:
            times = killed.allowed_failures + 1
            msg = f"one batch ended {times} workers, one after the other; give them more memory"
            raise InputError(msg) from killed
        except (CancelledError, OSError) as error:
            if task.status == "error":  # the work's own
                raise
            raise InputError(LOST) from error


@contextmanager
def cluster(scheduler: str | None, workers: int | None, results: Path | None = None) -> Iterator[Cluster]:
    """Workers to share work with, for as long as a block lasts; says where the dashboard is.

    Args:
        scheduler: the address of a Dask scheduler, which has workers of its own; or None.
        workers: how many processes to start here, where there is no scheduler.
        results: the folder that the work writes to, if it does; every worker must see it.

    Raises:
        InputError: Dask is missing, the scheduler does not answer, or has no workers.
    """
    require_dask()
    reached = _started(workers) if scheduler is None else _reached(scheduler)
    with _hushed(), witness(results) as file, reached as client:
        made = Cluster(client, Place(Path.cwd(), file), ours=scheduler is None)
        count = len(client.nthreads())
        found = f"{count:,} worker{'s' * (count != 1)}"
        say(f"npcam: {found}; dashboard: {made.dashboard or 'none'}", error=True)
        if scheduler is not None:
            for note in _differences(client):
                say(f"npcam: note: {note}", error=True)
        yield made


def require_dask() -> None:
    """Raise InputError where Dask is missing."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        msg = f"sharing work needs {error.name}; `pip install distributed bokeh` brings it, {CHECKOUT}"
        raise InputError(msg) from error


@contextmanager
def _started(workers: int | None) -> Iterator["Client"]:
    """Workers on this machine, a process and a thread each, which end with this process."""
    from distributed import Client, LocalCluster

    local: LocalCluster | None = None
    client: Client | None = None
    try:
        with _without_signals():  # which all threads and processes inherit that begin here
            local = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL + 1,
            )
            client = Client(local, set_as_default=False)
        try:
            yield client
        except BaseException:
            _end(local)
            raise
    finally:
        if client is not None:
            client.close()
        if local is not None:
            local.close()


@contextmanager
def _reached(scheduler: str) -> Iterator["Client"]:
    """A scheduler that is there already, with at least one worker."""
    from distributed import Client
    from distributed.utils import LoopRunner, sync

    loop = LoopRunner()
    loop.start()
    try:
        sync(loop.loop, _knock, scheduler, callback_timeout=REACH + 1)
    except Exception as error:  # whatever a stranger answers
        reason = str(error).split("\n")[0] or type(error).__name__
        advice = "is it a Dask scheduler that runs, and can be reached from here?"
        raise InputError(f"{scheduler}: no scheduler answers ({reason}); {advice}") from error
    finally:
        loop.stop()
    client = Client(scheduler, timeout=REACH, set_as_default=False)
    with client:
        try:
            client.wait_for_workers(1, timeout=REACH)
        except TimeoutError as error:
            raise InputError(f"{scheduler}: this scheduler has no workers; start some") from error
        yield client


async def _knock(scheduler: str) -> None:
    """Connect as a client does, once; `Client` itself waits long for one that does not answer."""
    from distributed.comm import connect
    from distributed.security import Security

    comm = await connect(scheduler, timeout=REACH, **Security().get_connection_args("client"))
    await comm.close()


@contextmanager
def _hushed() -> Iterator[None]:
    """Dask's own words not said: what matters of them is said by us in one line."""
    before = logging.root.manager.disable  # Dask sets the level of each of its loggers by itself
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="distributed")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)


@contextmanager
def _without_signals() -> Iterator[None]:
    """Ctrl-C waits, and never comes to threads and processes that begin meanwhile."""
    if not hasattr(signal, "pthread_sigmask") or current_thread() is not main_thread():
        yield
        return
    resource_tracker.ensure_running()  # unblocks them in the thread that starts it
    arrived: list[int] = []
    former = {number: signal.getsignal(number) for number in NUMBERS}
    caught = [number for number, handler in former.items() if handler not in (signal.SIG_IGN, None)]
    for number in caught:  # a thread of BLAS's that is there already may take what is blocked here
        signal.signal(number, lambda number, _: arrived.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number in caught:
            signal.signal(number, former[number])
        if arrived:
            signal.raise_signal(arrived[0])


def _end(local: "LocalCluster") -> None:
    """Tell our workers to end now, and to leave nothing half-written; wait for it, but not long."""
    nannies = list(local.workers.values())
    for nanny in nannies:
        nanny.close_gracefully()  # that is: start no other in its place
    numbers = [nanny.pid for nanny in nannies if nanny.pid]
    for number in numbers:
        with suppress(OSError):
            os.kill(number, signal.SIGTERM)
    until = time.monotonic() + END
    while time.monotonic() < until and any(map(runs, numbers)):
        time.sleep(0.01)


def _differences(client: "Client") -> list[str]:
    """What workers have otherwise than this process, as far as the last bits depend on it."""
    here, notes = versions(), []
    found: dict[str, Any] = client.run(versions, on_error="ignore")
    for address, there in found.items():
        other = [f"{name} {there[name]} and not {here[name]}" for name in here if there[name] != here[name]]
        if other:
            notes.append(f"{address} has {'; '.join(other)}: the last bits of its results may differ")
    return notes
