"""Workers without a panel: the garbage collector waits for every thread at work, of whichever worker."""

import ctypes
import gc
import sys
import threading
import time

import pytest
from MedSAMLiteLib import Worker as worker_module
from MedSAMLiteLib.JobRunner import JobRunner
from MedSAMLiteLib.Worker import Job, Worker

WAIT_S = 30


@pytest.fixture
def held():
    """A worker whose thread is at work until the event is set."""
    worker, entered, free = Worker(), threading.Event(), threading.Event()
    job = worker.submit(Job(lambda job: (entered.set(), free.wait(WAIT_S))))
    assert entered.wait(WAIT_S)
    yield worker, job, free
    free.set()
    worker.close()


@pytest.mark.parametrize("first", ["before", "after"])
def test_nothing_is_collected_while_the_thread_of_another_worker_is_at_work(held, first):
    worker, job, free = held
    other = Worker()
    other.submit(Job(lambda job: None)).wait(WAIT_S)
    assert not gc.isenabled()
    last, slow = threading.Event(), other.submit(Job(lambda job: last.wait(WAIT_S)))
    for event, ending in [(free, job), (last, slow)][:: 1 if first == "before" else -1]:
        assert not gc.isenabled()
        event.set()
        ending.wait(WAIT_S)
    assert gc.isenabled()
    other.close()


def test_closing_one_worker_leaves_the_collector_to_the_other(held):
    worker, job, free = held
    other = Worker()
    other.submit(Job(lambda job: None))
    other.close()
    assert not gc.isenabled()
    free.set()
    job.wait(WAIT_S)
    assert gc.isenabled()


def test_a_thread_that_outlives_its_worker_gives_the_collector_back(held, monkeypatch):
    worker, _, free = held
    monkeypatch.setattr(worker_module, "_JOIN_S", 0.05)
    worker.close()
    assert worker._thread.is_alive() and not gc.isenabled()
    free.set()
    worker._thread.join(WAIT_S)
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        worker = Worker()
        worker.submit(Job(lambda job: None)).wait(WAIT_S)
        worker.close()
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no usleep")
def test_the_thread_gets_on_beside_an_event_loop_that_holds_the_interpreter():
    """Slicer's does, unlike PySide6's: whatever lets go of the interpreter gets it back in the timer only."""
    runner, ticks = JobRunner(), 0
    job = runner.submit(Job(lambda job: [time.sleep(0.0005) for _ in range(200)]))
    while job.isActive:
        ctypes.PyDLL(None).usleep(2000)  # unlike CDLL it keeps the interpreter
        runner._onTimer()
        ticks += 1
    runner.close()
    assert ticks < 100
