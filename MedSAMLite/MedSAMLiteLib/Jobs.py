"""The logic's background jobs: busy or not, cancelling, and who is told of progress, ends and failures."""

import logging
import time

from medsam_backends.errors import MedSAMLiteError

from .JobRunner import JobRunner

__all__ = ["Jobs"]

_PROGRESS_S = 0.1
"""Least time between two calls of `changed` for progress alone."""
_WORK = ("apply", "correct")


class Jobs:
    """One worker; `changed`, `finished` and `failed` may be set and are called on the main thread.

    Attributes
    ----------
    changed : after anything that a panel shows may have changed
    finished : with a segmentation or correction that ended, in whatever way
    failed : with a sentence for the user
    progress : the last `Progress` of the job at work; None without one
    startedAt : when the last job was begun, as `time.monotonic` tells it
    """

    def __init__(self):
        self.worker = JobRunner()
        self.changed = lambda: None
        self.finished = lambda job: None
        self.failed = lambda message: logging.error("MedSAMLite: %s", message)
        self.progress = None
        self.startedAt = self._shownAt = 0.0

    def isBusy(self):
        """Whether a segmentation or correction runs or waits (previews do not count)."""
        return any(job.kind in _WORK for job in self.worker.activeJobs)

    def cancel(self):
        """Cancel segmentations and corrections; nothing of them reaches the scene."""
        for job in self.worker.activeJobs:
            if job.kind in _WORK:
                job.cancel()

    def isRunning(self, boxId):
        """Whether a job of this box runs or waits."""
        return any(boxId in job.boxIds for job in self.worker.activeJobs)

    def start(self, job, boxes, wait):
        """Queue a job of some boxes; with `wait`, return when it has ended and raise what it failed with."""
        job.boxIds = frozenset(box.id for box in boxes)
        job.progress = self._onProgress
        job.failed = None if wait else self.fail
        job.finished = self._onFinished
        self.progress, self.startedAt = None, time.monotonic()
        self.worker.submit(job)
        self.changed()
        if wait:
            self.worker.waitFor(job)
        return job

    def fail(self, error):
        """Tell the user; what is no mistake of theirs goes into the log with its traceback."""
        if not isinstance(error, MedSAMLiteError):
            logging.error("MedSAMLite failed", exc_info=error)
        self.failed(str(error) or type(error).__name__)

    def _onProgress(self, progress):
        self.progress = progress
        now = time.monotonic()
        if now - self._shownAt > _PROGRESS_S:
            self._shownAt = now
            self.changed()

    def _onFinished(self, job):
        self.progress = None
        self.finished(job)
        self.changed()
