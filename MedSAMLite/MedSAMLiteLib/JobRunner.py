"""The worker with a timer of the application that hands over its results."""

import slicer

from .Worker import Worker

__all__ = ["JobRunner"]

_POLL_MS = 2
_YIELD_S = 0.01
"""Slicer's event loop holds the interpreter lock; the thread gets it while the timer waits for a result."""


class JobRunner(Worker):
    """A `Worker` that pumps itself while it has something to do, wherever there is Qt."""

    def __init__(self):
        Worker.__init__(self)
        self._timer = None

    def submit(self, job):
        """Queue a job; its outcome is handed over on the main thread."""
        Worker.submit(self, job)
        self._startTimer()
        return job

    def waitFor(self, job):
        """Return when a job has ended; raises what it failed with."""
        job.wait(betweenPumps=slicer.app.processEvents)

    def close(self):
        Worker.close(self)
        if self._timer is not None:
            self._timer.stop()
            self._timer.deleteLater()
            self._timer = None

    def _startTimer(self):
        if self._timer is None:
            try:
                import qt
            except ImportError:
                return  # without an application whoever waits hands over the results
            self._timer = qt.QTimer()
            self._timer.setInterval(_POLL_MS)
            self._timer.connect("timeout()", self._onTimer)
        self._timer.start()

    def _onTimer(self):
        self.pump(_YIELD_S)
        if not self.activeJobs and self._timer is not None:
            self._timer.stop()
