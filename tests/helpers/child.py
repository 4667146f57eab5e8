"""Programs that a test starts and interrupts."""

import signal
import subprocess
from contextlib import contextmanager


def start_child(command, **options):
    """A child process that signals end as they end one that a shell starts; options are Popen's.

    A child inherits what its parent ignores, and `nohup make test &` ignores Ctrl-C; what the parent
    handles is back at the default in the child. So this process handles it while it starts the child.
    """
    before = {number: signal.signal(number, _handled) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return subprocess.Popen(command, **options)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handled(number, _):
    """What this process does with a signal meanwhile: what it does by default."""
    raise KeyboardInterrupt(number)


@contextmanager
def started(command, **options):
    """The same for as long as a block lasts."""
    with start_child(command, **options) as process:
        yield process
