"""Work that a second thread does while its result is not needed yet; what to do while waiting for it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")
_wanted_later: list[Callable[[], object]] = []


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

    def result() -> Result:
        while _wanted_later and not future.done():
            _wanted_later.pop(0)()
        return future.result()

    return result


def while_waiting(work: Callable[[], object]) -> None:
    """Do some work, once, when this process next waits for what a second thread does; never if it does not.

    What it raises is raised there.

    >>> import time
    >>> done = []
    >>> while_waiting(lambda: done.append("something useful"))
    >>> meanwhile(lambda: time.sleep(0.1))()
    >>> done
    ['something useful']
    """
    _wanted_later.append(work)
