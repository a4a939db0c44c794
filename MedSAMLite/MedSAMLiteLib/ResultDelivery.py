"""Puts the results of a job into the scene: checks that it is still wanted, one step of undo, records beside."""

from dataclasses import dataclass

import slicer
from medsam_backends.boxes import AXES, VoxelBox
from medsam_backends.errors import InputError

from .BoxNode import BoxNode
from .Engine import View
from .SegmentRecord import SegmentRecord
from .VolumeViews import fingerprintOf

__all__ = ["Plan", "deliver"]


@dataclass(frozen=True, eq=False)
class Plan:
    """Boxes of one volume and axis, as they were when the job was made.

    Attributes
    ----------
    drawn : text of each box's voxels, by ID of its node
    targets : in the same order
    """

    view: View
    drawn: dict
    targets: list
    rule: str


@dataclass(frozen=True, eq=False)
class _Finished:
    box: BoxNode
    plan: Plan
    segment: object
    drawn: str
    model: str


def deliver(plans, results, writer, history, parameters):
    """Write the segments of those boxes that are still in the scene.

    Parameters
    ----------
    results : for each plan, the model's identity and its segments
    writer, history : `SegmentWriter`, and `SegmentHistory` that undoes what is written here

    Raises
    ------
    InputError
        If a volume changed since the job was made; then nothing is written.
    """
    finished = [item for plan, (model, segments) in zip(plans, results) for item in _present(plan, model, segments)]
    names, changed = ", ".join(item.box.name for item in finished), []
    try:
        for item in finished:
            node = item.box.segmentation or _segmentationFor(item.box.volume, writer, parameters)
            if node not in changed:
                history.saveState(node, names)
                changed.append(node)
            _write(item, node, writer, parameters.overlap)
    except Exception:
        for node in changed:
            history.dropState(node)
        raise
    for node in changed:
        history.markContent(node)


def _present(plan, model, segments):
    for (boxId, text), target, segment in zip(plan.drawn.items(), plan.targets, segments):
        box = BoxNode.of(slicer.mrmlScene.GetNodeByID(boxId))
        if box is None or box.volume is None:
            continue  # deleted meanwhile
        if fingerprintOf(box.volume) != plan.view.fingerprint:
            raise InputError(f"The volume {box.volume.GetName()} changed meanwhile: press Apply again.")
        if segment.target.box != target.box and box.voxels.text == text:
            _stretch(box, segment)
            text = box.voxels.text
        yield _Finished(box, plan, segment, text, model)


def _stretch(box, segment):
    """A correction beyond the ends of a box has moved them."""
    n = AXES.index(segment.axis)
    corners = [*box.voxels.first, *box.voxels.last]
    corners[n], corners[n + 3] = segment.target.box.first[n], segment.target.box.last[n]
    box.voxels = VoxelBox.from_sequence(corners)


def _write(item, node, writer, overlap):
    box, segment, view = item.box, item.segment, item.plan.view
    identifier = box.segmentId or writer.addSegment(node, box.name, box.color)
    writer.write(node, identifier, box.volume, segment.mask, segment.origin, overlap)
    record = SegmentRecord(
        model=item.model,
        intensity=" ".join(str(value) for value in (view.preset, view.level, view.width) if value is not None),
        rule=item.plan.rule,
        axis=segment.axis,
        box=segment.target.box.text,
        drawn=item.drawn,
        confidence=segment.confidence,
        reports=segment.slices,
        keys=dict(segment.target.keys),
        label=segment.label,
    )
    record.attach(node.GetSegmentation().GetSegment(identifier))
    box.setResult(node, identifier)


def _segmentationFor(volume, writer, parameters):
    """The chosen segmentation, else one that belongs to the volume, else a new one."""
    if volume is parameters.inputVolume and parameters.segmentation is not None:
        return parameters.segmentation
    for other in BoxNode.all(volume):
        if other.segmentation is not None:
            return other.segmentation
    node = writer.newSegmentation(volume)
    if parameters.inputVolume is None or volume is parameters.inputVolume:
        parameters.segmentation = node
    return node
