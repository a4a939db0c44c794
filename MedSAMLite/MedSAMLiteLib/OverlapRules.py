"""What a new mask may do to other segments: the panel's choice, or the Segment Editor's own masking and overwriting."""

import numpy as np
import slicer

from .ParameterNode import Overlap

__all__ = ["OverlapRules"]


class OverlapRules:
    """The rules for one write.

    Parameters
    ----------
    overlap : `Overlap`
    node, segmentId : the segmentation and the segment that is written
    read : from a segment's ID to its mask (k, j, i) and origin on the volume's lattice
    """

    def __init__(self, overlap, node, segmentId, read):
        self.overlap, self.node, self.segmentId, self.read = overlap, node, segmentId, read
        self.others = [other for other in node.GetSegmentation().GetSegmentIDs() if other != segmentId]
        self.editor = _editorNode() if overlap is Overlap.SEGMENT_EDITOR else None

    def overwritten(self):
        """IDs of the segments that lose the voxels of the new mask."""
        mode = self.overlap
        if self.editor is not None:
            modes = {
                slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments: Overlap.OVERWRITE_ALL,
                slicer.vtkMRMLSegmentEditorNode.OverwriteVisibleSegments: Overlap.OVERWRITE_VISIBLE,
            }
            mode = modes.get(self.editor.GetOverwriteMode(), Overlap.ALLOW)
        if mode is Overlap.OVERWRITE_ALL:
            return self.others
        return self._visible(self.others) if mode is Overlap.OVERWRITE_VISIBLE else []

    def editable(self, volume, shape, origin):
        """Bool (k, j, i) crop of `shape` at `origin`: where the new mask may lie."""
        if self.overlap is Overlap.KEEP_OTHERS:
            return ~self._union(self.others, shape, origin)
        allowed = np.ones(shape, bool)
        if self.editor is None:
            return allowed
        area = self._maskedArea()
        if area is not None:
            segments, inside = area
            union = self._union(segments, shape, origin)
            allowed &= union if inside else ~union
        if self.editor.GetSourceVolumeIntensityMask():
            low, high = self.editor.GetSourceVolumeIntensityMaskRange()
            values = slicer.util.arrayFromVolume(volume)[_slices(origin, shape)]
            values = values.mean(axis=-1) if values.ndim == 4 else values
            allowed &= (values >= low) & (values <= high)
        return allowed

    def _maskedArea(self):
        """Segments, and whether edits are allowed inside or outside of them; None where they are everywhere."""
        kinds = slicer.vtkMRMLSegmentationNode
        everyone = [*self.others, self.segmentId]
        areas = {
            kinds.EditAllowedInsideAllSegments: (everyone, True),
            kinds.EditAllowedInsideVisibleSegments: (self._visible(everyone), True),
            kinds.EditAllowedOutsideAllSegments: (self.others, False),
            kinds.EditAllowedOutsideVisibleSegments: (self._visible(self.others), False),
            kinds.EditAllowedInsideSingleSegment: ([self.editor.GetMaskSegmentID() or ""], True),
        }
        return areas.get(self.editor.GetMaskMode())

    def _visible(self, segmentIds):
        display = self.node.GetDisplayNode()
        return [s for s in segmentIds if display is None or display.GetSegmentVisibility(s)]

    def _union(self, segmentIds, shape, origin):
        union = np.zeros(shape, bool)
        for other in segmentIds:
            if self.node.GetSegmentation().GetSegment(other) is None:
                continue
            mask, first = self.read(other)
            both = [(max(a, b), min(a + n, b + m)) for a, n, b, m in zip(origin, shape, first, mask.shape)]
            if all(low < high for low, high in both):
                size = [high - low for low, high in both]
                there = _slices([low - start for (low, _), start in zip(both, first)], size)
                union[_slices([low - start for (low, _), start in zip(both, origin)], size)] |= mask[there]
        return union


def _slices(origin, shape):
    return tuple(slice(first, first + count) for first, count in zip(origin, shape))


def _editorNode():
    return slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
