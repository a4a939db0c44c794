"""What the module does, without a panel: boxes in, segments out, corrections, undo, statistics.

Everything here runs on the main thread and talks to MRML; `Engine` does the numeric work on the worker thread.
"""

import logging
import os
import time

import numpy as np
import slicer
from medsam_backends.boxes import AXES, VoxelBox
from medsam_backends.errors import InputError, MedSAMLiteError, PromptError
from medsam_backends.propagation.geometry import place
from medsam_backends.segmenter import Target
from medsam_backends.types import Point, Prompt
from medsam_backends.volume_slices import Timings
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic
from slicer.util import VTKObservationMixin

from .BoxNode import BoxNode
from .Engine import Clicks, Engine, View, segmentFromMask
from .Geometry import VolumeGeometry
from .ParameterNode import MedSAMLiteParameterNode, PropagationAxis
from .SegmentRecord import SegmentRecord
from .SegmentWriter import SegmentWriter
from .Worker import Job, Worker

__all__ = ["MedSAMLiteLogic"]

_POLL_MS = 5
_PROGRESS_S = 0.1
"""Least time between two calls of `changed` for progress alone."""
_COLORS = ((0.9, 0.6, 0.1), (0.2, 0.7, 0.9), (0.5, 0.8, 0.3), (0.9, 0.4, 0.5), (0.7, 0.5, 0.9), (0.4, 0.8, 0.7))


class MedSAMLiteLogic(ScriptedLoadableModuleLogic, VTKObservationMixin):
    """Boxes, jobs and results of the scene.

    Jobs run in the background and are returned; with ``wait=True`` a call returns when its job has
    ended and raises what it failed with.  `changed`, `finished` and `failed` are called after something happened.
    """

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        VTKObservationMixin.__init__(self)
        self.worker = Worker()
        self.writer = SegmentWriter()
        self.engine = Engine(self.getParameterNode().cacheMegabytes << 20)
        self.changed = lambda: None
        self.finished = lambda job: None
        self.failed = lambda message: logging.error("MedSAMLite: %s", message)
        self.progress = None  # last `Progress` of the job at work
        self._shownAt = 0.0
        self._timer = None
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)

    def getParameterNode(self):
        """The scene's `MedSAMLiteParameterNode`; made anew after a scene was closed."""
        return MedSAMLiteParameterNode(super().getParameterNode())

    def close(self):
        """Cancel all jobs, end the thread and free the model; the logic cannot be used afterwards."""
        self.removeObservers()
        self.worker.close()
        if self._timer is not None:
            self._timer.stop()
            self._timer.deleteLater()
            self._timer = None
        self.engine.close()
        self.writer.forget()

    # Boxes

    def addBox(self, volume, voxels, name="", axis="k", drawnSlice=None):
        """A box over the voxels ``i0 j0 k0 i1 j1 k1`` (first and last, both inside) of a volume.

        Parameters
        ----------
        axis : ``"i"``, ``"j"`` or ``"k"``, along which slices are walked
        drawnSlice : slice of `axis` to begin with; the middle one if None

        Raises
        ------
        PromptError
            If the box lies outside the volume.
        """
        box, _ = VoxelBox.from_sequence(voxels).clipped(VolumeGeometry(volume).size_ijk)
        node = self.newBox(volume, name)
        node.setDrawnOn(axis, drawnSlice)
        node.isFlat = box.size[AXES.index(axis)] == 1
        node.voxels = box
        self.changed()
        return node

    def newBox(self, volume, name=""):
        """A box that is not placed yet, with the next colour."""
        return BoxNode.create(volume, name, _COLORS[len(BoxNode.all()) % len(_COLORS)])

    def stateOf(self, box):
        """``"placing"``, ``"outside"``, ``"drawn"``, ``"running"``, ``"changed"`` (since Apply) or ``"segmented"``."""
        if not box.isPlaced:
            return "placing"
        if any(box.id in getattr(job, "boxIds", ()) for job in self.worker.activeJobs):
            return "running"
        try:
            text = box.voxels.text
        except PromptError:
            return "outside"
        record = self.recordOf(box)
        if record is None:
            return "drawn"
        return "segmented" if record.drawn == text else "changed"

    def axisOf(self, box):
        """The axis along which a box is walked: the panel's choice, else that of the view where it was drawn."""
        chosen = self.getParameterNode().axis
        return box.axis if chosen is PropagationAxis.VIEW else chosen.name.lower()

    # Jobs

    def isBusy(self):
        """Whether a segmentation or correction runs or waits (previews do not count)."""
        return any(job.kind in ("apply", "correct") for job in self.worker.activeJobs)

    def cancel(self):
        """Cancel segmentations and corrections; nothing of them reaches the scene."""
        for job in self.worker.activeJobs:
            if job.kind in ("apply", "correct"):
                job.cancel()

    def preview(self, box, index, done=None, wait=False):
        """The mask of one slice of a box: one encode unless cached, and one decode; the scene stays as it is.

        Returns
        -------
        with `wait`, the (H, W) bool mask and the model's predicted IoU; else the job, and `done` is
        called with both
        """
        view, voxels = self.view(box.volume, self.axisOf(box)), self._grown(box)
        results = []
        job = Job(
            lambda job: self.engine.preview(view, index, voxels),
            done=lambda result: (results.append(result), done(result) if done else None),
            failed=None if wait else self._fail,
            kind="preview",
            latestOnly=True,
        )
        self.submit(job)
        if not wait:
            return job
        self._wait(job)
        return results[0]

    def isPreviewCached(self, box, index):
        """Whether `preview` needs no encoding."""
        return self.engine.isCached(self.view(box.volume, self.axisOf(box)), index)

    def picture(self, volume, axis, index, done):
        """Have `done` called with the 0..255 picture of a slice that the model sees."""
        view = self.view(volume, axis)
        return self.submit(
            Job(
                lambda job: self.engine.picture(view, index),
                done,
                failed=self._fail,
                kind="picture",
                latestOnly=True,
            )
        )

    def segmentVoxels(self, volume, voxels, axis, drawnSlice, done):
        """Segment a `VoxelBox` that is no node; `done` gets the `Segment` and the scene stays as it is."""
        view, rule = self.view(volume, axis), self.getParameterNode().rule
        target = Target(voxels, keys=_drawnKey(voxels, axis, drawnSlice))

        def run(job):
            return self.engine.segment(view, [target], rule, job.report, lambda: job.isCancelled)[0]

        return self._start(Job(run, done, kind="apply"), [], wait=False)

    def apply(self, boxes=None, wait=False):
        """Segment boxes, of one volume or of several, each into its segment; by default all of the input volume.

        Returns
        -------
        the job; after it the boxes know their segments

        Raises
        ------
        PromptError
            If there is no box, or one is not placed or lies outside its volume.
        """
        parameters = self.getParameterNode()
        boxes = BoxNode.all(parameters.inputVolume) if boxes is None else list(boxes)
        if not boxes:
            raise PromptError("There is no box yet: add one in a slice view.")
        groups = {}
        for box in boxes:
            groups.setdefault((box.volume.GetID(), self.axisOf(box)), []).append(box)
        plans = []
        for (_, axis), members in groups.items():
            view = self.view(members[0].volume, axis)
            plans.append(
                (view, {box.id: box.voxels.text for box in members}, [self._target(box, axis) for box in members])
            )
        rule = parameters.rule

        def run(job):
            return [
                self.engine.segment(view, targets, rule, job.report, lambda: job.isCancelled)
                for view, _, targets in plans
            ]

        job = Job(run, lambda results: self._write(plans, results), kind="apply")
        return self._start(job, [box.id for box in boxes], wait)

    def correct(self, box, index, points=(), key=None, wait=False):
        """Correct the result of a box on one slice and run its neighbourhood again.

        Parameters
        ----------
        index : slice of the axis along which the segment was made
        points : ``((i, j, k), positive)`` clicks in continuous voxel coordinates
        key : first and last voxel, ``i0 j0 k0 i1 j1 k1``, of a box drawn on that slice

        Raises
        ------
        PromptError
            If the box has no result, or neither clicks nor a key box are given.
        """
        if not points and key is None:
            raise PromptError("Click on the slice, or draw a box on it, to correct it.")
        segment, record = self._segment(box)
        view = self.view(box.volume, segment.axis)
        size = VolumeGeometry(box.volume).size_ijk["ijk".index(segment.axis)]
        if not 0 <= index < size:
            raise PromptError(f"There is no slice {index}: the volume has slices 0 to {size - 1}.")
        across = [n for n in range(3) if AXES[n] != segment.axis]
        clicks = Clicks(
            tuple(Point(ijk[across[0]] + 0.5, ijk[across[1]] + 0.5, positive) for ijk, positive in points),
            VoxelBox.from_sequence(key).plane(segment.axis)[0] if key is not None else None,
        )

        def run(job):
            cancelled = lambda: job.isCancelled  # noqa: E731
            return self.engine.correct(view, segment, index, clicks, record.rule, job.report, cancelled)

        plans = [(view, {box.id: record.drawn}, [segment.target])]
        job = Job(run, lambda result: self._write(plans, [[result]]), kind="correct")
        return self._start(job, [box.id], wait)

    # Results

    def recordOf(self, box):
        """The `SegmentRecord` of a box's segment; None if it has none."""
        node, identifier = box.segmentation, box.segmentId
        return SegmentRecord.of(node.GetSegmentation().GetSegment(identifier)) if identifier else None

    def maskOf(self, box):
        """The result as a crop of the volume: bool (k, j, i) and the origin (k, j, i)."""
        return self.writer.read(box.segmentation, box.segmentId, box.volume)

    def statisticsOf(self, box):
        """Volume in ml, mean intensity in the volume's units and confidence of a result; None without one."""
        record = self.recordOf(box)
        if record is None:
            return None
        mask, origin = self.maskOf(box)
        voxels = int(np.count_nonzero(mask))
        crop = tuple(slice(first, first + count) for first, count in zip(origin, mask.shape))
        values = slicer.util.arrayFromVolume(box.volume)[crop][mask] if voxels else np.zeros(0)
        return {
            "ml": voxels * float(np.prod(box.volume.GetSpacing())) / 1000,
            "mean": float(values.mean()) if voxels else float("nan"),
            "confidence": record.confidence,
        }

    def undo(self, segmentation=None):
        """Take back the last Apply or correction on a segmentation, neighbours included; returns its name."""
        what = self.writer.undo(segmentation or self.getParameterNode().segmentation)
        self.changed()
        return what

    # Views of a volume

    def view(self, volume, axis):
        """The volume with the panel's choices, as the engine takes it."""
        parameters = self.getParameterNode()
        self.engine.setCacheBytes(parameters.cacheMegabytes << 20)
        VolumeGeometry(volume)  # refuses a volume without voxels
        preset, level, width = parameters.preset, None, None
        array = slicer.util.arrayFromVolume(volume)
        if preset == "manual":
            level, width = parameters.level, parameters.width
        elif preset == "display":
            preset, level, width = _displayed(volume) if array.ndim == 3 else ("auto", None, None)
        return View(
            array=array,
            fingerprint=fingerprintOf(volume),
            axis=axis,
            preset=preset,
            level=level,
            width=width,
            modality=_modality(volume),
            model=parameters.model,
            runtime=parameters.runtime,
            threads=parameters.threads or max(1, (os.cpu_count() or 2) - 1),
        )

    # Scene

    def onSceneStartClose(self, caller=None, event=None):
        self.worker.cancelAll()
        self.engine.forget()
        self.writer.forget()

    def onNodeRemoved(self, caller=None, event=None):
        # Which node left needs no telling: a histories' or segmenter's node is gone when its ID is.
        scene = slicer.mrmlScene
        for nodeId in [nodeId for nodeId in self.writer._histories if scene.GetNodeByID(nodeId) is None]:
            self.writer.forget(nodeId)
        for fingerprint in {key[0] for key in list(self.engine._segmenters)}:
            if scene.GetNodeByID(fingerprint.split(" ")[0]) is None:
                self.engine.forget(fingerprint)

    # Inner workings

    def _target(self, box, axis):
        record = self.recordOf(box)
        if record is not None and record.axis == axis and record.drawn == box.voxels.text:
            # The user's corrections stay when Apply is pressed again.
            return Target(self._grown(box), box.name, record.keys)
        grown = self._grown(box)
        return Target(grown, box.name, _drawnKey(grown, axis, box.drawnSlice) if axis == box.axis else {})

    def _grown(self, box):
        """The voxels of a box with the panel's margin around them in the plane, inside the volume."""
        margin, voxels = self.getParameterNode().boxMargin, box.voxels
        if not margin:
            return voxels
        n = "ijk".index(self.axisOf(box))
        steps = [0 if axis == n else margin for axis in range(3)]
        grown = [a - b for a, b in zip(voxels.first, steps)] + [a + b for a, b in zip(voxels.last, steps)]
        return VoxelBox.from_sequence(grown).clipped(VolumeGeometry(box.volume).size_ijk)[0]

    def _segment(self, box):
        """The present result of a box as the segmenter knows it, with the user's own edits."""
        record = self.recordOf(box)
        if record is None:
            raise PromptError(f"The box {box.name} has no result to correct: press Apply first.")
        mask, origin = self.maskOf(box)
        segment = segmentFromMask(
            box.name,
            VoxelBox.from_sequence(list(map(int, record.box.split()))),
            record.axis,
            mask,
            origin,
            record,
            Timings(),
        )
        return segment, record

    def _start(self, job, boxIds, wait):
        job.boxIds = frozenset(boxIds)
        job.progress = self._onProgress
        job.failed = None if wait else self._fail
        job.finished = self._onFinished
        self.progress = None
        self.submit(job)
        self.changed()
        if wait:
            self._wait(job)
        return job

    def _write(self, plans, results):
        """Main thread: put the segments of finished boxes into the scene, as one step of undo."""
        finished = []
        for (view, drawn, targets), segments in zip(plans, results):
            for (boxId, text), target, segment in zip(drawn.items(), targets, segments):
                box = BoxNode.of(slicer.mrmlScene.GetNodeByID(boxId))
                if box is None or box.volume is None:
                    continue  # deleted meanwhile
                if fingerprintOf(box.volume) != view.fingerprint:
                    raise InputError(f"The volume {box.volume.GetName()} changed meanwhile: press Apply again.")
                if segment.target.box != target.box and box.voxels.text == text:
                    self._stretch(box, segment)  # by a correction beyond its ends
                    text = box.voxels.text
                finished.append((box, view, segment, text))
        saved = []
        try:
            for box, view, segment, drawn in finished:
                node = box.segmentation or self._segmentationFor(box.volume)
                if node not in saved:
                    self.writer.saveState(node, ", ".join(box.name for box, *_ in finished))
                    saved.append(node)
                self._writeOne(box, node, view, segment, drawn)
        except Exception:
            for node in saved:
                self.writer.dropState(node)
            raise
        for node in saved:
            self.writer.markContent(node)

    def _stretch(self, box, segment):
        n = "ijk".index(segment.axis)
        corners = [*box.voxels.first, *box.voxels.last]
        corners[n], corners[n + 3] = segment.target.box.first[n], segment.target.box.last[n]
        box.voxels = VoxelBox.from_sequence(corners)

    def _writeOne(self, box, node, view, segment, drawn):
        identifier = box.segmentId or self.writer.addSegment(node, box.name, box.color)
        self.writer.write(node, identifier, box.volume, segment.mask, segment.origin, self.getParameterNode().overlap)
        record = SegmentRecord(
            model=self.engine.spec(view).identity,
            intensity=" ".join(str(value) for value in (view.preset, view.level, view.width) if value is not None),
            rule=self.getParameterNode().rule,
            axis=segment.axis,
            box=segment.target.box.text,
            drawn=drawn,
            confidence=segment.confidence,
            reports=segment.slices,
            keys=dict(segment.target.keys),
        )
        record.attach(node.GetSegmentation().GetSegment(identifier))
        box.setResult(node, identifier)

    def _segmentationFor(self, volume):
        """The chosen segmentation, else one that belongs to the volume, else a new one."""
        parameters = self.getParameterNode()
        if volume is parameters.inputVolume and parameters.segmentation is not None:
            return parameters.segmentation
        for other in BoxNode.all(volume):
            if other.segmentation is not None:
                return other.segmentation
        node = self.writer.newSegmentation(volume)
        if parameters.inputVolume is None or volume is parameters.inputVolume:
            parameters.segmentation = node
        return node

    def submit(self, job):
        """Queue any job on the worker and have its outcome handed over by the timer."""
        self.worker.submit(job)
        self._startTimer()
        return job

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
        self.worker.pump()
        if not self.worker.activeJobs and self._timer is not None:
            self._timer.stop()

    def _wait(self, job):
        job.wait(betweenPumps=slicer.app.processEvents)

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

    def _fail(self, error):
        if not isinstance(error, MedSAMLiteError):
            logging.error("MedSAMLite failed", exc_info=error)
        self.failed(str(error) or type(error).__name__)


def fingerprintOf(volume):
    """Changes with the voxels of a volume, not with its display."""
    return f"{volume.GetID()} {volume.GetImageData().GetMTime()}"


def _drawnKey(voxels, axis, drawnSlice):
    """The slice where the user drew, as a key slice: there the box is the object's own."""
    edges, first, last = voxels.plane(axis)
    if drawnSlice is None or not first <= drawnSlice <= last:
        return {}
    return {drawnSlice: Prompt(edges, position=place(drawnSlice, first, last))}


def _displayed(volume):
    display = volume.GetDisplayNode()
    if display is None or not hasattr(display, "GetWindow") or display.GetWindow() <= 0:
        return "auto", None, None
    return "manual", display.GetLevel(), display.GetWindow()


def _modality(volume):
    """DICOM modality of a volume loaded from DICOM; None otherwise."""
    uids = (volume.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not uids or database is None or not database.isOpen:
        return None
    return database.instanceValue(uids[0], "0008,0060") or None
