"""Work shared by threads: results in order, exceptions in their turn, and no more than is needed."""

import threading
import time

import pytest

from npcam.stream import pool
from npcam.stream.pool import AHEAD, in_order


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_in_the_order_of_the_items(workers):
    """However long each takes."""
    pauses = [0.02, 0, 0.01, 0, 0, 0.03, 0]

    def work(number):
        time.sleep(pauses[number])
        return number, threading.current_thread()

    found = list(in_order(work, range(7), workers))
    assert [number for number, _ in found] == list(range(7))
    threads = {thread for _, thread in found}
    assert (threads == {threading.current_thread()}) == (workers == 1)
    assert len(threads) <= workers
    assert list(in_order(work, [], workers)) == []


def test_at_the_same_time():
    """Two pieces of work that wait for each other come to an end."""
    both = threading.Barrier(2, timeout=10)
    assert sorted(in_order(lambda _: both.wait(), range(2), 2)) == [0, 1]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_more_ahead_than_needed(workers):
    """When a result is there, no more than two items for each thread were taken and not given back."""
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    for given, number in enumerate(in_order(lambda n: n, items(), workers)):
        assert number == given
        assert len(taken) - given <= (1 if workers == 1 else AHEAD * workers)
    assert len(taken) == 50


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_in_its_turn(workers):
    """What was done before it is given first; nothing comes after it, and nobody works any more."""

    def work(number):
        if number == 3:
            raise ValueError("three")
        return number

    stop, found, threads = threading.Event(), [], threading.active_count()
    with pytest.raises(ValueError, match="three"):
        found.extend(in_order(work, range(99), workers, stop))
    assert found == [0, 1, 2]
    assert stop.is_set() == (workers > 1)
    assert threading.active_count() == threads


def test_stop_is_set():
    """Who wants no more results gets the work that runs to end early, and what has not begun never begins."""
    stop, begun = threading.Event(), []

    def work(number):
        begun.append(number)
        if number:
            assert stop.wait(10)  # nobody else would end it
        return number

    results = in_order(work, range(99), 2, stop)
    assert next(results) == 0
    assert not stop.is_set()
    results.close()
    assert stop.is_set()
    assert len(begun) <= 3
    assert list(results) == []


def test_stop_is_set_at_the_end_too():
    """Then nobody wants more either."""
    stop = threading.Event()
    assert len(list(in_order(str, range(9), 2, stop))) == 9
    assert stop.is_set()


def test_no_threads_allowed(monkeypatch):
    """A system that refuses them gets the same results, from the caller's own."""
    monkeypatch.setattr(pool, "can_start", lambda _: False)
    monkeypatch.setattr(pool, "ThreadPoolExecutor", None)
    found = list(in_order(lambda n: (n, threading.current_thread()), range(5), 4))
    assert found == [(n, threading.current_thread()) for n in range(5)]
