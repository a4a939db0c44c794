"""One background thread for all model work; results are handed over on the thread that calls `pump`.

Knows nothing of MRML; Qt only as the timer that calls `pump` in an application.
"""

import atexit
import gc
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from medsam_backends.errors import Cancelled

__all__ = ["Job", "Worker"]

_JOIN_S = 5.0


class _CollectorPause:
    """Nothing is collected until every block that was entered is left, in whatever thread.

    The collector runs in the thread that happens to allocate; cycles may hold Qt and VTK objects of the main thread.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._entered = 0
        self._wasEnabled = False

    def __enter__(self):
        with self._lock:
            if not self._entered:
                self._wasEnabled = gc.isenabled()
                gc.disable()
            self._entered += 1

    def __exit__(self, *_):
        with self._lock:
            self._entered -= 1
            if not self._entered and self._wasEnabled:
                gc.enable()


_PAUSE = _CollectorPause()
"""Of all workers: the panel and the Segment Editor effect have one each."""


@dataclass(eq=False)
class Job:
    """A function for the thread, and what to do with its outcome on the main thread.

    Attributes
    ----------
    function : called with the job in the thread; may call `report`, and must heed `isCancelled`
    done, failed, progress, finished : called by `pump`: with the result; with the exception; with
        what was reported; at the very end in every case, also when cancelled
    kind : of several waiting jobs of one kind only the latest runs, if `latestOnly`
    boxIds : IDs of the nodes that it works for
    isBackground : runs when nothing else waits, and is cancelled by any job that is none
    """

    function: Callable[["Job"], Any]
    done: Callable[[Any], None] | None = None
    failed: Callable[[Exception], None] | None = None
    progress: Callable[[Any], None] | None = None
    finished: Callable[["Job"], None] | None = None
    kind: str = ""
    latestOnly: bool = False
    boxIds: frozenset = frozenset()
    isBackground: bool = False
    state: str = "waiting"
    error: Exception | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _worker: Any = None

    @property
    def isCancelled(self):
        return self._cancelled.is_set()

    @property
    def isActive(self):
        return self.state in ("waiting", "running")

    def cancel(self):
        """Stop at the next slice; the result is dropped even if it is ready already."""
        self._cancelled.set()

    def report(self, value):
        """Called in the thread."""
        self._worker.send(self, "progress", value)

    def wait(self, timeout_s=None, betweenPumps=None):
        """Hand over results here until this job has ended; for scripts without an event loop.

        Raises
        ------
        Exception
            What the job failed with; `Cancelled` if it was cancelled; `TimeoutError`.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while self.isActive:
            self._worker.pump(wait_s=0.01)
            if betweenPumps is not None:
                betweenPumps()
            if end is not None and time.monotonic() > end:
                raise TimeoutError("The job has not ended in time.")
        if self.error is not None:
            raise self.error


class Worker:
    """Runs jobs one after the other.

    The thread starts with the first job and is a daemon, so that a crash of the application never hangs on it.

    Attributes
    ----------
    idle : called by `pump` when the end of the last job was handed over
    """

    def __init__(self):
        self._condition = threading.Condition()
        self._waiting = []
        self._active = []  # every job whose end was not handed over yet
        self._results = queue.SimpleQueue()
        self._thread = None
        self._closed = False
        self.idle = lambda: None
        self._pause = ExitStack()  # from the first job until the end of the last was handed over

    @property
    def activeJobs(self):
        """Jobs that wait, run, or whose result was not handed over yet."""
        return list(self._active)

    def submit(self, job):
        """Queue a job; a waiting one of the same kind is dropped if the job is `latestOnly`."""
        job._worker = self
        with self._condition:
            if self._closed:
                raise RuntimeError("The worker is closed.")
            if not job.isBackground:
                for other in [other for other in self._active if other.isBackground]:
                    other.cancel()
            if job.latestOnly:
                for other in [other for other in self._waiting if other.kind == job.kind]:
                    other.cancel()
            if not self._active:
                self._pause.enter_context(_PAUSE)
            self._waiting.append(job)
            self._active.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, daemon=True, name="MedSAMLite")
                self._thread.start()
                atexit.register(self._end)  # a thread still at work in native code could crash a dying interpreter
            self._condition.notify()
        return job

    def cancelAll(self):
        """Cancel everything; results that are on their way are dropped."""
        for job in list(self._active):
            job.cancel()

    def pump(self, wait_s=0.0):
        """Hand over what the thread sent, or sends within `wait_s`; call it on the main thread only."""
        while True:
            try:
                job, kind, value = self._results.get(block=wait_s > 0, timeout=wait_s)
            except queue.Empty:
                return
            wait_s = 0.0
            self._deliver(job, kind, value)

    def close(self):
        """Cancel everything, end the thread and hand over the ends of the jobs."""
        self._end()
        atexit.unregister(self._end)
        self.pump()
        self._pause.close()  # a thread that has not ended in time holds the pause itself

    def _end(self):
        self.cancelAll()
        with self._condition:
            self._closed = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    def send(self, job, kind, value):
        self._results.put((job, kind, value))

    def _deliver(self, job, kind, value):
        if kind == "progress":
            if job.progress is not None and not job.isCancelled:
                job.progress(value)
            return
        self._active.remove(job)
        if job.isCancelled:
            kind, value = "cancelled", Cancelled("Cancelled: nothing was changed.")
        job.state = kind
        job.error = value if kind in ("failed", "cancelled") else None
        try:
            if kind == "done" and job.done is not None:
                job.done(value)
            elif kind == "failed":
                if job.failed is not None:
                    job.failed(value)
        except Exception as error:  # a result that cannot be applied is the job's failure, not the timer's
            job.state, job.error = "failed", error
            if kind == "done" and job.failed is not None:
                job.failed(error)
            else:
                logging.exception("MedSAMLite: a result could not be handed over")
        finally:
            if job.finished is not None:
                job.finished(job)
            if not self._active:
                self._pause.close()
                self.idle()

    def _loop(self):
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                job = min(self._waiting, key=lambda job: job.isBackground)  # the first of equals
                self._waiting.remove(job)
            if job.isCancelled:
                self.send(job, "cancelled", None)
                del job
                continue
            job.state = "running"
            with _PAUSE:
                outcome = _outcome(job)
            self.send(job, *outcome)  # left the pause first: it ends on the main thread, when this is handed over
            del job, outcome  # its callbacks belong to the main thread


def _outcome(job):
    """Kind and value of how a job ended."""
    try:
        return "done", job.function(job)
    except Cancelled:
        job.cancel()
        return "cancelled", None
    except Exception as error:  # shown by the main thread
        return "failed", error
