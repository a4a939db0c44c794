"""The status text and progress bar: what runs, how long it will take, how it ended, what went wrong."""

import time

from slicer.i18n import tr as _

__all__ = ["StatusLine"]


class StatusLine:
    """Tells of the logic's jobs."""

    def __init__(self, label, bar, logic):
        self.label, self.bar, self.logic = label, bar, logic

    def say(self, text):
        """Show a sentence until the next one."""
        self.label.setText(text)

    def finished(self, job):
        """A job ended; what a failed one said stays."""
        if job.state == "cancelled":
            self.say(_("Cancelled: nothing was changed."))
        elif job.state == "done":
            self.say(_("Done in {seconds:.1f} s.").format(seconds=time.monotonic() - self.logic.startedAt))

    def refresh(self):
        """Show how far the job at work is."""
        progress, busy = self.logic.progress, self.logic.isBusy()
        self.bar.setVisible(busy)
        if not busy:
            return
        self.bar.setMaximum(progress.total if progress else 0)
        self.bar.setValue(progress.done if progress else 0)
        if progress is None:
            self.say(_("Starting..."))
            return
        text = _("{done} of {total} slices").format(done=progress.done, total=progress.total)
        if 0 < progress.done < progress.total:
            left = (time.monotonic() - self.logic.startedAt) / progress.done * (progress.total - progress.done)
            text = _("{slices}, about {seconds} s left").format(slices=text, seconds=max(1, round(left)))
        self.say(text)
