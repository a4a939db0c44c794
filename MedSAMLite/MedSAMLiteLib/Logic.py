"""What the module does, without a panel: boxes in, segments out, corrections, undo, statistics.

Everything here runs on the main thread and talks to MRML; `Engine` does the numeric work on the worker thread.
"""

import numpy as np
import slicer
from medsam_backends.boxes import AXES, VoxelBox
from medsam_backends.errors import PromptError
from medsam_backends.segmenter import Target
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic
from slicer.util import VTKObservationMixin

from .BoxNode import BoxNode
from .Engine import Engine
from .Geometry import VolumeGeometry
from .Jobs import Jobs
from .ParameterNode import MedSAMLiteParameterNode, PropagationAxis
from .ResultDelivery import Plan, deliver, destinationOf
from .SegmentHistory import SegmentHistory
from .SegmentRecord import SegmentRecord
from .SegmentWriter import SegmentWriter
from .Targets import clicksOf, drawnKey, grown, segmentOf, targetOf
from .VolumeViews import fingerprintsInScene, viewOf
from .Worker import Job

__all__ = ["MedSAMLiteLogic"]

_COLORS = ((0.9, 0.6, 0.1), (0.2, 0.7, 0.9), (0.5, 0.8, 0.3), (0.9, 0.4, 0.5), (0.7, 0.5, 0.9), (0.4, 0.8, 0.7))


class MedSAMLiteLogic(Jobs, ScriptedLoadableModuleLogic, VTKObservationMixin):
    """Boxes, jobs and results of the scene.

    Jobs run in the background and are returned; with ``wait=True`` a call returns when its job has
    ended and raises what it failed with.
    """

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        VTKObservationMixin.__init__(self)
        Jobs.__init__(self)
        self._parameters = None
        self.writer = SegmentWriter()
        self.history = SegmentHistory()
        self.engine = Engine(self.getParameterNode().cacheMegabytes << 20)
        self.worker.idle = self._forgetVolumes  # a job that ended late has kept what it worked on
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)

    def getParameterNode(self):
        """The scene's `MedSAMLiteParameterNode`; made anew after a scene was closed."""
        node = super().getParameterNode()
        if self._parameters is None or self._parameters.parameterNode is not node:
            self._parameters = MedSAMLiteParameterNode(node)  # observes the node once for every parameter
        return self._parameters

    def close(self):
        """Cancel all jobs, end the thread and free the model; the logic cannot be used afterwards."""
        self.removeObservers()
        self.worker.close()
        self.engine.close()
        self.history.forget()
        self._parameters = None

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
        if self.isRunning(box.id):
            return "running"
        if not box.isOnVolume:
            return "outside"
        record = self.recordOf(box)
        if record is None:
            return "drawn"
        return "segmented" if record.drawn == box.voxels.text else "changed"

    def axisOf(self, box):
        """The axis along which a box is walked: the panel's choice, else that of the view where it was drawn."""
        chosen = self.getParameterNode().axis
        return box.axis if chosen is PropagationAxis.VIEW else chosen.name.lower()

    # Jobs

    def preview(self, box, index, done=None, wait=False):
        """The mask of one slice of a box: one encode unless cached, and one decode; the scene stays as it is.

        Returns
        -------
        with `wait`, the (H, W) bool mask and the model's predicted IoU; else the job, and `done` is
        called with both
        """
        axis = self.axisOf(box)
        view, voxels = self.view(box.volume, axis), grown(box, axis, self.getParameterNode().boxMargin)
        results = []
        job = Job(
            lambda job: self.engine.preview(view, index, voxels),
            done=lambda result: (results.append(result), done(result) if done else None),
            failed=None if wait else self.fail,
            kind="preview",
            latestOnly=True,
        )
        self.worker.submit(job)
        if not wait:
            return job
        self.worker.waitFor(job)
        return results[0]

    def isPreviewCached(self, box, index):
        """Whether `preview` needs no encoding."""
        return self.engine.isCached(self.view(box.volume, self.axisOf(box)), index)

    def picture(self, volume, axis, index, done):
        """Have `done` called with the 0..255 picture of a slice that the model sees."""
        view = self.view(volume, axis)
        return self.worker.submit(
            Job(
                lambda job: self.engine.picture(view, index),
                done,
                failed=self.fail,
                kind="picture",
                latestOnly=True,
            )
        )

    def segmentVoxels(self, volume, voxels, axis, drawnSlice, done):
        """Segment a `VoxelBox` that is no node; `done` gets the `Segment` and the scene stays as it is."""
        view, rule = self.view(volume, axis), self.getParameterNode().rule
        target = Target(voxels, keys=drawnKey(voxels, axis, drawnSlice))

        def run(job):
            return self.engine.segment(view, [target], rule, job.report, lambda: job.isCancelled)[1][0]

        return self.start(Job(run, done, kind="apply"), [], wait=False)

    def apply(self, boxes=None, wait=False):
        """Segment boxes, of one volume or of several, each into its segment; by default all of the input volume.

        Returns
        -------
        the job; after it the boxes know their segments

        Raises
        ------
        PromptError
            If there is no box, or one is not placed, lies outside its volume or has none.
        OutputError
            If the segmentation chosen for the results is not kept as voxels.
        """
        parameters = self.getParameterNode()
        boxes = BoxNode.all(parameters.inputVolume) if boxes is None else list(boxes)
        if not boxes:
            raise PromptError("There is no box yet: add one in a slice view.")
        orphans = [box.name for box in boxes if box.volume is None]
        if orphans:
            raise PromptError(f"The volume of {', '.join(orphans)} is no longer in the scene.")
        groups = {}
        for box in boxes:
            groups.setdefault((box.volume.GetID(), self.axisOf(box)), []).append(box)
        for node in filter(None, (destinationOf(box, parameters) for box in boxes)):
            self.writer.check(node)
        plans = [self._plan(members, axis) for (_, axis), members in groups.items()]

        def run(job):
            return [
                self.engine.segment(plan.view, plan.targets, plan.rule, job.report, lambda: job.isCancelled)
                for plan in plans
            ]

        return self.start(Job(run, lambda results: self._deliver(plans, results), kind="apply"), boxes, wait)

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
        record = self.recordOf(box)
        segment = segmentOf(box, record, *(self.maskOf(box) if record is not None else (None, None)))
        size = VolumeGeometry(box.volume).size_ijk["ijk".index(segment.axis)]
        if not 0 <= index < size:
            raise PromptError(f"There is no slice {index}: the volume has slices 0 to {size - 1}.")
        clicks = clicksOf(segment.axis, points, key)
        plan = Plan(self.view(box.volume, segment.axis), {box.id: record.drawn}, [segment.target], record.rule, True)

        def run(job):
            return self.engine.correct(
                plan.view, segment, index, clicks, plan.rule, job.report, lambda: job.isCancelled
            )

        return self.start(Job(run, lambda result: self._deliver([plan], [result]), kind="correct"), [box], wait)

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
            "ml": voxels * VolumeGeometry(box.volume).voxel_ml,
            "mean": float(values.mean()) if voxels else float("nan"),
            "confidence": record.confidence,
        }

    def undo(self, segmentation=None):
        """Take back the last Apply or correction on a segmentation, neighbours included; returns its name."""
        what = self.history.undo(segmentation or self.getParameterNode().segmentation)
        self.changed()
        return what

    # Views of a volume

    def view(self, volume, axis):
        """The volume with the panel's choices, as the engine takes it."""
        parameters = self.getParameterNode()
        self.engine.setCacheBytes(parameters.cacheMegabytes << 20)
        return viewOf(volume, axis, parameters)

    # Scene

    def onSceneStartClose(self, caller=None, event=None):
        self._parameters = None
        self.worker.cancelAll()
        self.engine.forget()
        self.history.forget()

    def onNodeRemoved(self, caller=None, event=None):
        scene = slicer.mrmlScene  # whose node is gone is told by its ID
        self.history.forget(isKept=lambda nodeId: scene.GetNodeByID(nodeId) is not None)
        self._forgetVolumes()

    def _forgetVolumes(self):
        """Keep nothing of volumes that are gone or changed; an ID alone may be that of another volume by now."""
        self.engine.forget(isKept=fingerprintsInScene().__contains__)

    # Inner workings

    def _plan(self, boxes, axis):
        parameters = self.getParameterNode()
        targets = [targetOf(box, axis, parameters.boxMargin, self.recordOf(box)) for box in boxes]
        drawn = {box.id: box.voxels.text for box in boxes}
        return Plan(self.view(boxes[0].volume, axis), drawn, targets, parameters.rule)

    def _deliver(self, plans, results):
        deliver(plans, results, self.writer, self.history, self.getParameterNode())
