"""Tells when boxes or their volume were changed elsewhere: dragged, renamed, another window, other voxels."""

import qt
import vtk
from slicer.util import VTKObservationMixin

__all__ = ["BoxFollower"]

_QUIET_MS = 60
"""A drag sends many changes; they are told together after it, so that nothing comes between it and its preview."""


class BoxFollower(VTKObservationMixin):
    """Observes ROI nodes and a volume, and calls `changed` when they have come to rest."""

    def __init__(self, changed):
        VTKObservationMixin.__init__(self)
        self._rois = []
        self._volume = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_QUIET_MS)
        self._timer.connect("timeout()", changed)

    def follow(self, boxes, volume):
        """Follow these boxes and this volume, or None, and no others."""
        rois = [box.roi for box in boxes]
        if rois == self._rois and volume is self._volume:
            return
        self.removeObservers()  # all of them: the mixin would keep a node alive whose last observer alone is removed
        self._rois, self._volume = rois, volume
        for roi in rois:
            self.addObserver(roi, vtk.vtkCommand.ModifiedEvent, self.onModified)
        if volume is not None:
            self.addObserver(volume, volume.DisplayModifiedEvent, self.onModified)
            self.addObserver(volume, volume.ImageDataModifiedEvent, self.onModified)

    def onModified(self, caller=None, event=None):
        self._timer.start()

    def close(self):
        self.removeObservers()
        self._rois, self._volume = [], None
        self._timer.stop()
        self._timer.deleteLater()
