"""Holds a logic's worker before, in or after a job, so that a test can do something at that very moment."""

import threading

from MedSAMLiteLib.Worker import Job

__all__ = ["STAGES", "Gate"]

STAGES = ("waiting", "running", "ready")
_WAIT_S = 30


class Gate:
    """Make it before the job; `reach` returns when the job is at the stage, `open` lets it go on.

    Parameters
    ----------
    stage : ``"waiting"`` in the queue, ``"running"``, or ``"ready"``: done, but its result not handed over
    """

    def __init__(self, logic, stage):
        self.stage = stage
        self.entered, self.free, self.ended = (threading.Event() for _ in range(3))
        send = logic.worker.send

        def noting(job, kind, value):
            send(job, kind, value)
            if kind == "done" and job.kind == "apply":
                self.ended.set()

        logic.worker.send = noting
        if stage == "waiting":
            logic.worker.submit(Job(lambda job: self._hold()))
        if stage == "running":
            segment = logic.engine.segment
            logic.engine.segment = lambda *arguments: (self._hold(), segment(*arguments))[1]

    def reach(self):
        assert (self.ended if self.stage == "ready" else self.entered).wait(_WAIT_S)

    def open(self, after_s=0.0):
        """At once, or from another thread while this one waits for the worker."""
        threading.Timer(after_s, self.free.set).start() if after_s else self.free.set()

    def _hold(self):
        self.entered.set()
        self.free.wait(_WAIT_S)
