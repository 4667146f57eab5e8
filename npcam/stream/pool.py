"""Work shared by threads, its results in order, and no more of them at a time than is needed."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from npcam.common.threads import can_start

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 2  # pieces of work for each thread that are begun, or done and not fetched


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, stop: Event | None = None
) -> Generator[Result]:
    """Do work on items at the same time; the results come in the items' order.

    Args:
        work: done in some thread; what it raises is raised here, in its turn.
        items: taken one by one, a few ahead of the results.
        workers: how many threads; with one, or where the system allows no more, the caller's own.
        stop: set as soon as nobody wants more results, for work that can end early.

    >>> list(in_order(lambda n: n * n, range(5), workers=2))
    [0, 1, 4, 9, 16]
    """
    if workers == 1 or not can_start(workers):
        yield from map(work, items)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="npcam") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            if stop is not None:
                stop.set()
            for future in waiting:
                future.cancel()
