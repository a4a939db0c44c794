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
        for roi in self._rois:
            if roi not in rois:
                self.removeObserver(roi, vtk.vtkCommand.ModifiedEvent, self.onModified)
        for roi in rois:
            if roi not in self._rois:
                self.addObserver(roi, vtk.vtkCommand.ModifiedEvent, self.onModified)
        self._rois = rois
        if volume is not self._volume:
            for node, change in ((self._volume, self.removeObserver), (volume, self.addObserver)):
                if node is not None:
                    change(node, node.DisplayModifiedEvent, self.onModified)
                    change(node, node.ImageDataModifiedEvent, self.onModified)
            self._volume = volume

    def onModified(self, caller=None, event=None):
        self._timer.start()

    def close(self):
        self.removeObservers()
        self._rois, self._volume = [], None
        self._timer.stop()
        self._timer.deleteLater()
