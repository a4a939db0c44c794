"""Puts masks into segmentation nodes: by segment ID, as a cropped extent, with overlap rules and undo.

Main thread only; knows nothing of boxes, models or jobs.
"""

import numpy as np
import slicer
import vtk
from medsam_backends.errors import OutputError
from vtk.util import numpy_support

from .Geometry import VolumeGeometry
from .ParameterNode import Overlap

__all__ = ["SegmentWriter"]

_UNDO_STATES = 10
_SAME_LATTICE = 1e-3
"""Voxels by which two lattices may differ at the far end and still be one."""
_NOTHING = np.zeros((0, 0, 0), bool)


class SegmentWriter:
    """Writes and reads segments and keeps the history of what it wrote."""

    def __init__(self):
        self._histories = {}  # segmentation node ID -> (history, [what each state undoes], content then)

    def newSegmentation(self, volume):
        """A segmentation node for a volume: its geometry, its transform, its place in the subject hierarchy."""
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{volume.GetName()} segmentation")
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item, source = hierarchy.GetItemByDataNode(node), hierarchy.GetItemByDataNode(volume)
        if item and source:
            hierarchy.SetItemParent(item, hierarchy.GetItemParent(source))
        return node

    def addSegment(self, node, name, color=None):
        """The ID of a new empty segment."""
        if color is None:
            return node.GetSegmentation().AddEmptySegment("", name)
        return node.GetSegmentation().AddEmptySegment("", name, list(color))

    def write(self, node, segmentId, volume, mask, origin, overlap=Overlap.ALLOW):
        """Replace a segment's voxels.

        Parameters
        ----------
        mask : bool (k, j, i) crop
        origin : (k, j, i) of the crop's first voxel in the volume
        overlap : what happens where the mask meets other segments

        Raises
        ------
        OutputError
            If the segment is gone, or a transform in between is not linear.
        """
        segmentation = self._segmentation(node, segmentId)
        mask = np.asarray(mask, bool)
        hadSurface = segmentation.ContainsRepresentation("Closed surface")
        if hadSurface:  # else it would be meshed anew at every step
            node.RemoveClosedSurfaceRepresentation()
        others = [s for s in segmentation.GetSegmentIDs() if s != segmentId]
        if mask.size:
            mask = mask & self._editable(node, segmentId, volume, mask, origin, overlap, others)
            erased = self._overwritten(node, others, overlap)
        else:
            erased = []
        if node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is None:
            node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        self._replace(node, segmentId, volume, mask, origin)
        for other in erased:
            self._merge(node, other, volume, ~mask, origin, slicer.vtkSlicerSegmentationsModuleLogic.MODE_MERGE_MIN)
        if hadSurface:
            node.CreateClosedSurfaceRepresentation()

    def read(self, node, segmentId, volume):
        """The segment on the volume's lattice, cropped: bool (k, j, i) mask and its origin (k, j, i)."""
        self._segmentation(node, segmentId)
        held = self._onLattice(node, segmentId, volume)
        if held is None:
            # Another lattice: resampled by Slicer, which is not exact under two different transforms.
            full = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, volume)
            held = (full > 0, (0, 0, 0)) if full is not None else (_NOTHING, (0, 0, 0))
        return _cropped(*held)

    def saveState(self, node, what):
        """Remember the whole segmentation, neighbours included, before changing it; `what` names the change."""
        history, names, _ = self._history(node)
        history.SaveState()
        names.append(what)
        del names[:-_UNDO_STATES]

    def dropState(self, node):
        """Undo a change that failed half-way; it is then as if it had never begun."""
        if self.canUndo(node):
            self.undo(node)

    def markContent(self, node):
        """Note the content after a change of ours, to tell it from later edits by others."""
        history, names, _ = self._history(node)
        self._histories[node.GetID()] = (history, names, _content(node))

    def canUndo(self, node):
        """The name of the change that `undo` takes back; empty if there is none."""
        if node is None or node.GetID() not in self._histories:
            return ""
        history, names, _ = self._histories[node.GetID()]
        return names[-1] if names and history.IsRestorePreviousStateAvailable() else ""

    def editedSince(self, node):
        """Whether others changed the segmentation since our last change; undoing would lose their edits."""
        return node.GetID() in self._histories and self._histories[node.GetID()][2] != _content(node)

    def undo(self, node):
        """Take back our last change; returns its name."""
        what = self.canUndo(node)
        if not what:
            return ""
        history, names, _ = self._histories[node.GetID()]
        history.RestorePreviousState()
        names.pop()
        self.markContent(node)
        node.Modified()
        return what

    def forget(self, isKept=lambda nodeId: False):
        """Drop the histories of the segmentations that are not kept."""
        for nodeId in [nodeId for nodeId in self._histories if not isKept(nodeId)]:
            history, _, _ = self._histories.pop(nodeId)
            history.RemoveAllStates()

    def _history(self, node):
        entry = self._histories.get(node.GetID())
        if entry is None:
            history = slicer.vtkSegmentationHistory()
            history.SetMaximumNumberOfStates(_UNDO_STATES)
            history.SetSegmentation(node.GetSegmentation())
            entry = self._histories[node.GetID()] = (history, [], None)
        return entry

    def _segmentation(self, node, segmentId):
        if node is None or node.GetScene() is None or node.GetSegmentation().GetSegment(segmentId) is None:
            raise OutputError("The segment is no longer in the scene: press Apply to make it anew.")
        return node.GetSegmentation()

    def _replace(self, node, segmentId, volume, mask, origin):
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        # Neighbours may share the labelmap, whose lattice could be another than this volume's.
        node.GetSegmentation().SeparateSegmentLabelmap(segmentId)
        if not mask.any():
            image = node.GetBinaryLabelmapInternalRepresentation(segmentId)
            if image is not None:
                image.Initialize()
                node.GetSegmentation().GetSegment(segmentId).Modified()
            return
        self._merge(node, segmentId, volume, mask, origin, logic.MODE_REPLACE)

    def _merge(self, node, segmentId, volume, mask, origin, mode):
        image = self.imageOf(node, volume, mask, origin)
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        if not logic.SetBinaryLabelmapToSegment(image, node, segmentId, mode, image.GetExtent()):
            raise OutputError(f"The segment {segmentId} could not be written: undo, and try another segmentation.")

    def imageOf(self, node, volume, mask, origin):
        """The crop on the volume's lattice as the segmentation's own coordinates see it."""
        image = slicer.vtkOrientedImageData()
        image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(_ijkToNode(volume, node)))
        k, j, i = origin
        depth, rows, columns = mask.shape
        image.SetExtent(i, i + columns - 1, j, j + rows - 1, k, k + depth - 1)
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
        numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())[:] = mask.astype(np.uint8).ravel()
        return image

    def _overwritten(self, node, others, overlap):
        """IDs of the segments that lose the voxels of the new mask."""
        mode = overlap
        if overlap is Overlap.SEGMENT_EDITOR:
            editor = _editorNode()
            modes = {
                slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments: Overlap.OVERWRITE_ALL,
                slicer.vtkMRMLSegmentEditorNode.OverwriteVisibleSegments: Overlap.OVERWRITE_VISIBLE,
            }
            mode = modes.get(editor.GetOverwriteMode(), Overlap.ALLOW) if editor else Overlap.ALLOW
        if mode is Overlap.OVERWRITE_ALL:
            return others
        if mode is Overlap.OVERWRITE_VISIBLE:
            return _visible(node, others)
        return []

    def _editable(self, node, segmentId, volume, mask, origin, overlap, others):
        """Bool (k, j, i) crop of where the new mask may lie."""
        allowed = np.ones(mask.shape, bool)
        if overlap is Overlap.KEEP_OTHERS:
            return ~self._union(node, others, volume, mask.shape, origin)
        editor = _editorNode() if overlap is Overlap.SEGMENT_EDITOR else None
        if editor is None:
            return allowed
        kinds = slicer.vtkMRMLSegmentationNode
        everyone = [*others, segmentId]
        areas = {
            kinds.EditAllowedInsideAllSegments: (everyone, True),
            kinds.EditAllowedInsideVisibleSegments: (_visible(node, everyone), True),
            kinds.EditAllowedOutsideAllSegments: (others, False),
            kinds.EditAllowedOutsideVisibleSegments: (_visible(node, others), False),
            kinds.EditAllowedInsideSingleSegment: ([editor.GetMaskSegmentID()], True),
        }
        if editor.GetMaskMode() in areas:
            segments, inside = areas[editor.GetMaskMode()]
            union = self._union(node, segments, volume, mask.shape, origin)
            allowed &= union if inside else ~union
        if editor.GetSourceVolumeIntensityMask():
            low, high = editor.GetSourceVolumeIntensityMaskRange()
            values = slicer.util.arrayFromVolume(volume)[_slices(origin, mask.shape)]
            values = values.mean(axis=-1) if values.ndim == 4 else values
            allowed &= (values >= low) & (values <= high)
        return allowed

    def _union(self, node, segmentIds, volume, shape, origin):
        union = np.zeros(shape, bool)
        for other in segmentIds:
            if node.GetSegmentation().GetSegment(other) is None:
                continue
            mask, first = self.read(node, other, volume)
            both = [(max(a, b), min(a + n, b + m)) for a, n, b, m in zip(origin, shape, first, mask.shape)]
            if all(low < high for low, high in both):
                union[_slices([l - o for (l, _), o in zip(both, origin)], [h - l for l, h in both])] |= mask[
                    _slices([l - f for (l, _), f in zip(both, first)], [h - l for l, h in both])
                ]
        return union

    def _onLattice(self, node, segmentId, volume):
        """Mask and origin (k, j, i) where the segment is stored on the volume's own lattice; else None."""
        image = node.GetBinaryLabelmapInternalRepresentation(segmentId)
        if image is None or image.IsEmpty():
            return _NOTHING, (0, 0, 0)
        stored = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(stored)
        try:
            shift = np.linalg.inv(slicer.util.arrayFromVTKMatrix(stored)) @ _ijkToNode(volume, node)
        except OutputError:
            return None
        whole = np.rint(shift)
        size = max(image.GetDimensions())
        if np.abs(shift - whole).max() * size > _SAME_LATTICE or not np.array_equal(whole[:3, :3], np.eye(3)):
            return None
        extent = image.GetExtent()
        shape = [extent[2 * n + 1] - extent[2 * n] + 1 for n in (2, 1, 0)]
        values = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape)
        mask = values == node.GetSegmentation().GetSegment(segmentId).GetLabelValue()
        first = [int(extent[2 * n] - whole[n, 3]) for n in (2, 1, 0)]
        size = VolumeGeometry(volume).size_ijk[::-1]  # voxels outside the volume are no part of its result
        inside = [(max(0, -f), min(n, s - f)) for f, n, s in zip(first, shape, size)]
        if any(low >= high for low, high in inside):
            return _NOTHING, (0, 0, 0)
        mask = mask[tuple(slice(low, high) for low, high in inside)]
        return mask, tuple(f + low for f, (low, _) in zip(first, inside))


def _ijkToNode(volume, node):
    """From the volume's voxels to the segmentation's own coordinates, (4, 4)."""
    toNode = vtk.vtkMatrix4x4()
    transforms = (volume.GetParentTransformNode(), node.GetParentTransformNode())
    if transforms[0] is not transforms[1]:
        if not slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(*transforms, toNode):
            raise OutputError(
                "The volume and the segmentation lie under different transforms that are not linear: harden them first."
            )
    return slicer.util.arrayFromVTKMatrix(toNode) @ VolumeGeometry(volume).ijkToNode


def _cropped(mask, origin):
    """The mask cut to what it holds, with its origin."""
    if not mask.any():
        return _NOTHING, (0, 0, 0)
    ranges = []
    for axis in range(3):
        held = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        ranges.append(slice(int(held[0]), int(held[-1]) + 1))
    return mask[tuple(ranges)], tuple(first + r.start for first, r in zip(origin, ranges))


def _slices(origin, shape):
    return tuple(slice(first, first + count) for first, count in zip(origin, shape))


def _editorNode():
    return slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")


def _visible(node, segmentIds):
    display = node.GetDisplayNode()
    return [s for s in segmentIds if display is None or display.GetSegmentVisibility(s)]


def _content(node):
    """What changes whenever voxels or segments of a segmentation do."""
    segmentation = node.GetSegmentation()
    content = []
    for segmentId in segmentation.GetSegmentIDs():
        image = node.GetBinaryLabelmapInternalRepresentation(segmentId)
        content.append((segmentId, image.GetMTime() if image is not None else 0))
    return tuple(content)
