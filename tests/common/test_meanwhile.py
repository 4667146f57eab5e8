"""Work that a second thread does."""

import threading

import pytest

from npcam.common.meanwhile import meanwhile, while_waiting


def test_another_thread_works_while_this_one_goes_on():
    """The work waits for something that its caller does after having begun it."""
    gate = threading.Event()
    found = meanwhile(lambda: (gate.wait(60), threading.current_thread()))
    gate.set()
    came, thread = found()
    assert came
    assert thread is not threading.current_thread()
    assert thread.daemon  # nobody waits for it where nobody asks


def test_what_work_raises_is_raised_where_it_is_asked_for():
    """Not before, and whatever it is."""

    def work():
        raise KeyboardInterrupt("here")

    found = meanwhile(work)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt, match="here"):
            found()


@pytest.mark.parametrize("refusal", [RuntimeError("can't start new thread"), MemoryError()])
def test_without_a_second_thread(monkeypatch, refusal):
    """Where the system refuses one, the work is done in the caller's, once its result is asked for."""

    def refuse(_):
        raise refusal

    monkeypatch.setattr(threading.Thread, "start", refuse)
    began = []
    found = meanwhile(lambda: began.append(threading.current_thread()))
    assert began == []
    assert found() is None
    assert began == [threading.current_thread()]


def test_what_is_done_while_waiting():
    """Once, by whoever waits first; and never where there is nothing to wait for."""
    begun, done = threading.Event(), []
    while_waiting(lambda: (begun.set(), done.append(threading.current_thread())))
    assert meanwhile(lambda: begun.wait(60))()  # it ends only when the other work is done
    assert meanwhile(lambda: 5)() == 5
    assert done == [threading.current_thread()]


def test_what_is_ready_is_not_waited_for():
    """What was to be done while waiting is left for the next time."""
    done = []
    found = meanwhile(lambda: 5)
    assert found() == 5
    while_waiting(lambda: done.append(1))
    assert found() == 5
    assert done == []
    gate = threading.Event()
    while_waiting(gate.set)
    assert meanwhile(lambda: gate.wait(60))()
    assert done == [1]
