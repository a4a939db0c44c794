"""Correcting a result by hand: a click or a box drawn on a slice, and the neighbourhood is run again."""

from slicer.i18n import tr as _

from .BoxNode import BoxNode

__all__ = ["Corrections"]


class Corrections:
    """From the buttons of *Correct slice* to the logic.

    Parameters
    ----------
    run : called with a function that starts a job; shows what goes wrong
    say : shows a sentence to the user
    """

    def __init__(self, placement, logic, run, say):
        self.placement, self.logic, self.run, self.say = placement, logic, run, say

    def startPoint(self, box, positive):
        """The next click in a slice view belongs to the object of `box`, or does not."""

        def done(ijk, positive):
            record = self._record(box)
            if record is not None:
                index = round(ijk["ijk".index(record.axis)])
                self.run(lambda: self.logic.correct(box, index, points=[(ijk, positive)]))

        self.placement.startPoint(box.volume, positive, done)

    def startKeyBox(self, box):
        """The next box drawn in a slice view is the object's on that slice."""

        def done(voxels, axis, index):
            record = self._record(box)
            if record is None:
                return
            if axis != record.axis:
                self.say(_("Draw the box in a view along the axis in which the object was segmented."))
                return
            self.run(lambda: self.logic.correct(box, index, key=[*voxels.first, *voxels.last]))

        self.placement.startKeyBox(box.volume, done)

    def _record(self, box):
        """The result's record, if box and result are still there."""
        record = self.logic.recordOf(box) if BoxNode.of(box.roi) is not None else None
        if record is None:
            self.say(_("The result is no longer there: press Apply first."))
        return record
