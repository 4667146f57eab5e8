"""Programs that a test starts and interrupts."""

import signal
import subprocess
from contextlib import contextmanager


@contextmanager
def started(command, **options):
    """A child process that Ctrl-C interrupts, as it does one that a shell starts; options are Popen's.

    A child inherits what its parent ignores, and `nohup make test &` ignores Ctrl-C; what the parent
    handles is back at the default in the child. So this process handles it while it starts the child.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, **options)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        yield process
