"""Threads in step."""

import contextlib
import os
import threading
import time
from functools import partial

import numpy as np
import pytest

from npcam.engine.team import Team, team_of


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_phases_come_one_after_the_other(size):
    """No task starts before all tasks of the phase before it are done."""
    done = []

    def task(phase, thread):
        assert len([p for p, _ in done if p < phase]) == phase * size
        np.sqrt(np.ones(1000 * (thread + 1)))
        done.append((phase, thread))

    phases = [[lambda p=p, t=t: task(p, t) for t in range(size)] for p in range(20)]
    Team(size).run(phases)
    assert len(done) == 20 * size


def test_tasks_run_at_the_same_time():
    """Two tasks that wait for each other both end."""
    both = threading.Barrier(2, timeout=30)
    Team(2).run([[both.wait, both.wait]])


def test_whoever_is_free_takes_the_next_task():
    """One task ends only when the four others of its phase are done: the other thread does all four."""
    begun, others, done = threading.Semaphore(0), threading.Semaphore(0), []

    def slow():
        for _ in range(4):
            begun.release()
        assert all(others.acquire(timeout=30) for _ in range(4))
        done.append(threading.get_ident())

    def quick():
        assert begun.acquire(timeout=30)
        done.append(threading.get_ident())
        others.release()

    Team(2).run([[slow, *[quick] * 4]] * 3)
    for phase in (done[:5], done[5:10], done[10:]):
        assert len(set(phase[:4])) == 1
        assert phase[4] != phase[0]


def test_a_thread_that_does_not_come_is_not_waited_for():
    """The caller does what nobody has begun, and goes when all is done; who comes late has nothing to do."""
    team, go, done = Team(2), threading.Event(), []
    team.run([[lambda: None] * 2])
    team._inboxes[0].put(lambda: go.wait(30))
    for run in range(3):
        team.run([[lambda r=run, t=t: done.append((r, t)) for t in range(4)]] * 2)
    go.set()
    assert done == [(run, t) for run in range(3) for _ in range(2) for t in range(4)]
    both = threading.Barrier(2, timeout=30)
    team.run([[both.wait, both.wait]])


def test_a_phase_may_have_fewer_tasks_than_threads():
    """None, too; the next phase comes all the same."""
    done = []
    Team(3).run([[], [lambda: done.append(1)], [], [lambda: done.append(2)] * 5])
    assert done == [1, 2, 2, 2, 2, 2]


def test_a_failure_ends_the_run_and_not_the_team():
    """The first exception is raised; the team is whole again for the next run."""
    team = Team(2)
    later = []

    def fail():
        raise MemoryError("no more")

    for phase in ([fail, lambda: None], [lambda: None, fail]):
        with pytest.raises(MemoryError, match="no more"):
            team.run([phase, [lambda: later.append(1)] * 2])
    assert not later
    team.run([[lambda: later.append(1)] * 2])
    assert later == [1, 1]


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_failure_waits_for_the_others(failing):
    """They still work with arrays of the caller's; the run ends when the last one has left."""
    done, begun = [], threading.Barrier(3, timeout=30)

    def fail():
        begun.wait()
        raise MemoryError("no more")

    def slow():
        begun.wait()
        time.sleep(0.1)
        done.append(1)

    with pytest.raises(MemoryError, match="no more"):
        Team(3).run([[fail if thread == failing else slow for thread in range(3)]])
    assert done == [1, 1]


def test_a_busy_team_is_not_waited_for():
    """A second caller does the tasks itself, in its own thread."""
    team, here, go = Team(2), threading.Event(), threading.Event()

    def hold():
        here.set()
        assert go.wait(30)

    first = threading.Thread(target=team.run, args=([[hold, lambda: None]],))
    first.start()
    assert here.wait(30)
    who = []
    team.run([[lambda: who.append(threading.current_thread())] * 2])
    go.set()
    first.join()
    assert who == [threading.current_thread()] * 2


@pytest.mark.parametrize("refused", [1, 2, 3])
def test_a_thread_that_the_system_refuses(monkeypatch, refused):
    """The caller does all the tasks itself, in order; the next run starts what is missing, and none waits."""
    real, started = threading.Thread.start, []

    def start(thread):
        started.append(thread)
        if len(started) == refused:
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    team, all_four = Team(4), threading.Barrier(4, timeout=30)
    who = {}

    def note(phase, thread, run):
        if run:
            all_four.wait()
        who[phase, thread] = threading.get_ident()

    for run in range(3):
        who.clear()
        team.run([[partial(note, p, t, run) for t in range(4)] for p in (0, 1)])
        assert len(who) == 8
        if run == 0:
            assert list(who) == [(p, t) for p in (0, 1) for t in range(4)]
            assert set(who.values()) == {threading.get_ident()}
        else:
            assert len(set(who.values())) == 4
    assert len(started) == 4  # three threads, and the one that was refused


def test_no_thread_at_all(monkeypatch):
    """Where every thread is refused, every run is the caller's own."""

    def start(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    team, done = Team(3), []
    for _ in range(2):
        team.run([[lambda t=t: done.append(t) for t in range(3)]] * 2)
    assert done == [0, 1, 2] * 4


def test_one_team_per_size():
    """Engines share their threads."""
    assert team_of(2) is team_of(2)
    assert team_of(3).size == 3


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no such call")
@pytest.mark.parametrize("fails", [False, True])
def test_threads_keep_apart_and_get_their_cores_back(fails):
    """While they work nobody may run where the caller does; afterwards everybody may run everywhere again.

    With a single core they stay on it together.
    """
    before = os.sched_getaffinity(0)
    seen, both = {}, threading.Barrier(2, timeout=30)

    def look():
        both.wait()
        caller = threading.current_thread() is threading.main_thread()
        seen["caller" if caller else "other"] = os.sched_getaffinity(0)
        if fails:
            raise ValueError("planted")

    with pytest.raises(ValueError, match="planted") if fails else contextlib.nullcontext():
        Team(2).run([[look, look]])
    assert len(seen["caller"]) == 1
    assert seen["other"] == (before - seen["caller"] or before)
    assert os.sched_getaffinity(0) == before
