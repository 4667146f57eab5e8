"""Work that a second thread does while its result is not needed yet."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def meanwhile(work: Callable[[], Result]) -> Callable[[], Result]:
    """Begin some work in a second thread; whoever calls what is returned waits for the result.

    Where the system allows no second thread, the work is done when its result is asked for. The thread ends
    with the process, if nobody asks. It gains time where the work lets go of the interpreter's lock, as
    hashing and reading files do.

    Args:
        work: what it raises is raised where the result is asked for.

    >>> total = meanwhile(lambda: sum(range(5)))
    >>> total()
    10
    """
    future: Future[Result] = Future()

    def do() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # whatever it is, it is for who asks
            future.set_exception(error)

    try:
        threading.Thread(target=do, daemon=True).start()
    except (RuntimeError, MemoryError):
        return work
    return future.result
