"""Encodes slices round the one in view while nobody asks for anything, so that previews and Apply find them ready.

One job of the worker at a time, which everything else interrupts; it never pushes anything out of the cache.
"""

import logging

import qt
import slicer
import vtk
from medsam_backends.errors import MedSAMLiteError
from slicer.util import VTKObservationMixin

from .Geometry import VolumeGeometry
from .ParameterNode import PropagationAxis
from .Worker import Job

__all__ = ["Prefetch", "around"]

IDLE_MS = 400
"""Quiet time before the work begins: longer than the pauses of a drag or of scrolling."""
_REACH = 12


def around(index, count, reach=_REACH):
    """The slice and its neighbours, nearest first, of a volume of `count` slices."""
    steps = sorted(range(-reach, reach + 1), key=lambda step: (abs(step), -step))
    return [index + step for step in steps if 0 <= index + step < count]


class Prefetch(VTKObservationMixin):
    """Follows the slice views of the volume in the panel.

    Parameters
    ----------
    preview : `SlicePreview`, which knows the slice in view
    """

    def __init__(self, logic, preview):
        VTKObservationMixin.__init__(self)
        self.logic, self.preview = logic, preview
        self._box = None
        self._job = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(IDLE_MS)
        self._timer.connect("timeout()", self._begin)

    def follow(self, box):
        """Something changed: wait for quiet, then prepare along the axis of `box`, or of the volume without one."""
        self._box = box
        scene = slicer.mrmlScene
        if not self.hasObserver(scene, scene.StartCloseEvent, self.onStartClose):
            self.addObserver(scene, scene.StartCloseEvent, self.onStartClose)
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            if not self.hasObserver(view, vtk.vtkCommand.ModifiedEvent, self.onScrolled):
                self.addObserver(view, vtk.vtkCommand.ModifiedEvent, self.onScrolled)
        self._wait()

    def stop(self):
        """Prepare nothing until something is followed again."""
        self.removeObservers()
        self._box = None
        self._timer.stop()
        self._interrupt()

    def close(self):
        """As `stop`, for good."""
        self.stop()
        self._timer.deleteLater()

    def onStartClose(self, caller=None, event=None):
        self.stop()

    def onScrolled(self, caller=None, event=None):
        self._wait()

    def _wait(self):
        self._interrupt()
        self._timer.start()

    def _interrupt(self):
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def _begin(self):
        if self.logic.worker.activeJobs:
            self._timer.start()
            return
        wanted = self._wanted()
        if wanted is None:
            return
        view, index, count = wanted
        slices, engine = around(index, count), self.logic.engine
        if all(engine.isCached(view, slice_) for slice_ in slices):
            return

        def done(result):
            self._job = None

        def failed(error):  # whoever asks for the slice in earnest is told
            logging.debug("MedSAMLite: a slice could not be prepared", exc_info=error)
            done(None)

        self._job = Job(
            lambda job: engine.prepare(view, slices, lambda: job.isCancelled),
            done,
            failed,
            kind="prefetch",
            isBackground=True,
        )
        self.logic.worker.submit(self._job)

    def _wanted(self):
        """The volume as a job sees it, its slice in view and its number of slices; None without a slice in view."""
        parameters = self.logic.getParameterNode()
        volume = parameters.inputVolume
        if volume is None or not parameters.prefetch:
            return None
        chosen = parameters.axis
        if self._box is not None:
            axis = self.logic.axisOf(self._box)
        else:
            axis = "k" if chosen is PropagationAxis.VIEW else chosen.name.lower()
        index = self.preview.sliceInView(volume, axis)
        if index is None:
            return None
        try:
            return self.logic.view(volume, axis), index, VolumeGeometry(volume).size_ijk["ijk".index(axis)]
        except MedSAMLiteError:
            return None
