"""From boxes in the scene to what the segmenter is asked, and back from segments for correcting them."""

from medsam_backends.boxes import AXES, VoxelBox
from medsam_backends.errors import PromptError
from medsam_backends.propagation.geometry import place
from medsam_backends.segmenter import Segment, SliceReport, Target
from medsam_backends.timings import Timings
from medsam_backends.types import Point, Prompt

from .Engine import Clicks
from .Geometry import VolumeGeometry

__all__ = ["clicksOf", "drawnKey", "grown", "segmentOf", "targetOf"]


def grown(box, axis, margin):
    """The voxels of a `BoxNode` with a margin round them in the plane, inside the volume."""
    voxels = box.voxels
    if not margin:
        return voxels
    steps = [0 if name == axis else margin for name in AXES]
    corners = [a - b for a, b in zip(voxels.first, steps)] + [a + b for a, b in zip(voxels.last, steps)]
    return VoxelBox.from_sequence(corners).clipped(VolumeGeometry(box.volume).size_ijk)[0]


def targetOf(box, axis, margin, record):
    """The `Target` of a `BoxNode`; corrections of its `SegmentRecord` stay while the box is as it was."""
    voxels = grown(box, axis, margin)
    if record is not None and record.axis == axis and record.drawn == box.voxels.text:
        return Target(voxels, box.name, record.keys)
    return Target(voxels, box.name, drawnKey(voxels, axis, box.drawnSlice) if axis == box.axis else {})


def drawnKey(voxels, axis, drawnSlice):
    """The slice where the user drew, as a key slice: there the box is the object's own."""
    edges, first, last = voxels.plane(axis)
    if drawnSlice is None or not first <= drawnSlice <= last:
        return {}
    return {drawnSlice: Prompt(edges, position=place(drawnSlice, first, last))}


def clicksOf(axis, points, key):
    """`Clicks` in a slice's pixels of ``((i, j, k), positive)`` clicks and a box ``i0 j0 k0 i1 j1 k1`` or None."""
    across = [n for n in range(3) if AXES[n] != axis]
    return Clicks(
        tuple(Point(ijk[across[0]] + 0.5, ijk[across[1]] + 0.5, positive) for ijk, positive in points),
        VoxelBox.from_sequence(key).plane(axis)[0] if key is not None else None,
    )


def segmentOf(box, record, mask, origin):
    """The present result of a `BoxNode` as the segmenter knows it, with the user's own edits.

    Parameters
    ----------
    record : its `SegmentRecord`, or None
    mask, origin : the segment's voxels now

    Raises
    ------
    PromptError
        If there is no record.
    """
    if record is None:
        raise PromptError(f"The box {box.name} has no result to correct: press Apply first.")
    reports = {report.index: report for report in record.reports}
    n = 2 - AXES.index(record.axis)
    counts = mask.sum(axis=tuple(a for a in range(3) if a != n))
    for offset, pixels in enumerate(counts):
        index = origin[n] + offset
        # A slice that only the user painted counts as known, or a correction would wipe it.
        if pixels and index not in reports:
            reports[index] = SliceReport(index, 1.0, int(pixels), "edited by hand")
    slices = tuple(reports[index] for index in sorted(reports))
    target = Target(VoxelBox.from_sequence([int(n) for n in record.box.split()]), box.name, record.keys)
    return Segment(box.name, target, mask, origin, record.axis, slices, Timings(), 0.0, label=record.label)
