"""Puts the results of a job into the scene: checks that it is still wanted, one step of undo, records beside."""

from dataclasses import dataclass

import slicer
from medsam_backends.boxes import AXES, VoxelBox
from medsam_backends.errors import InputError

from .BoxNode import BoxNode
from .Engine import View
from .SegmentRecord import SegmentRecord
from .VolumeViews import fingerprintOf

__all__ = ["Plan", "deliver", "destinationOf"]


@dataclass(frozen=True, eq=False)
class Plan:
    """Boxes of one volume and axis, as they were when the job was made.

    Attributes
    ----------
    drawn : text of each box's voxels, by ID of its node
    targets : in the same order
    corrects : the results that are there, wherever they are; else the panel tells where results go
    """

    view: View
    drawn: dict
    targets: list
    rule: str
    corrects: bool = False


@dataclass(frozen=True, eq=False)
class _Finished:
    box: BoxNode
    plan: Plan
    segment: object
    drawn: str
    model: str
    isStretched: bool  # a correction lies beyond the ends of the box


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
            node = item.box.segmentation if item.plan.corrects else None
            node = node or destinationOf(item.box, parameters) or writer.newSegmentation(item.box.volume)
            if parameters.inputVolume in (None, item.box.volume):
                parameters.segmentation = node
            if node not in changed:
                history.saveState(node, names)
                node.CreateDefaultDisplayNodes()  # one that was made in the node selector has none
                changed.append(node)
            _write(item, node, writer, history, parameters.overlap)
    except Exception:
        for node in changed:
            history.dropState(node)
        raise
    for node in changed:
        history.markContent(node)


def destinationOf(box, parameters):
    """The segmentation into which Apply writes a box: the one in the panel, or of a volume that is not there its own.

    None where a new one is to be made.
    """
    if box.volume is parameters.inputVolume:
        return parameters.segmentation
    held = [other.segmentation for other in (box, *BoxNode.all(box.volume))]
    return next((node for node in held if node is not None), None)


def _present(plan, model, segments):
    for (boxId, text), target, segment in zip(plan.drawn.items(), plan.targets, segments):
        box = BoxNode.of(slicer.mrmlScene.GetNodeByID(boxId))
        if box is None or box.volume is None:
            continue  # deleted meanwhile
        if fingerprintOf(box.volume) != plan.view.fingerprint:
            raise InputError(f"The volume {box.volume.GetName()} changed meanwhile: press Apply again.")
        yield _Finished(box, plan, segment, text, model, segment.target.box != target.box)


def _stretch(item, node, history):
    """Move the ends of a box, unless the user did meanwhile, to where its segment ends; returns the text drawn."""
    box, segment = item.box, item.segment
    if not item.isStretched or box.voxels.text != item.drawn:
        return item.drawn
    n, before = AXES.index(segment.axis), box.voxels
    corners = [*before.first, *before.last]
    corners[n], corners[n + 3] = segment.target.box.first[n], segment.target.box.last[n]
    box.voxels = after = VoxelBox.from_sequence(corners)

    def shrink():
        if BoxNode.of(box.roi) is not None and box.volume is not None and box.voxels == after:
            box.voxels = before

    history.undoAlso(node, shrink)
    return after.text


def _write(item, node, writer, history, overlap):
    box, segment, view = item.box, item.segment, item.plan.view
    known = box.segmentId if box.segmentation is node else ""
    identifier = known or writer.addSegment(node, box.name, box.color)
    writer.write(node, identifier, box.volume, segment.mask, segment.origin, overlap)
    record = SegmentRecord(
        model=item.model,
        intensity=" ".join(str(value) for value in (view.preset, view.level, view.width) if value is not None),
        rule=item.plan.rule,
        axis=segment.axis,
        box=segment.target.box.text,
        drawn=_stretch(item, node, history),
        confidence=segment.confidence,
        reports=segment.slices,
        keys=dict(segment.target.keys),
        label=segment.label,
        messages=segment.messages,
    )
    record.attach(node.GetSegmentation().GetSegment(identifier))
    box.setResult(node, identifier)
