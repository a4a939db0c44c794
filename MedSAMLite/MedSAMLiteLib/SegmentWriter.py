"""Puts masks into segmentation nodes and reads them: by segment ID, as a cropped extent, by the overlap rules.

Main thread only; knows nothing of boxes, models or jobs.
"""

import numpy as np
import slicer
import vtk
from medsam_backends.errors import OutputError
from vtk.util import numpy_support

from .Geometry import VolumeGeometry
from .OverlapRules import OverlapRules
from .ParameterNode import Overlap

__all__ = ["SegmentWriter"]

_SAME_LATTICE = 1e-3
"""Voxels by which two lattices may differ at the far end and still be one."""
_NOTHING = np.zeros((0, 0, 0), bool)


class SegmentWriter:
    """Writes and reads segments; holds nothing."""

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

    def check(self, node):
        """Refuse a segmentation that is kept as surfaces or contours, as an RT structure set is.

        Voxels written into it would take the place of what is drawn in it.

        Raises
        ------
        OutputError
            With what to do.
        """
        source = node.GetSegmentation().GetSourceRepresentationName()
        if source != slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName():
            raise OutputError(
                f"The segmentation {node.GetName()} is kept as {source}, not as voxels: "
                "choose another one under Result, or None for a new one."
            )

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
            If the segment is gone, the segmentation is not kept as voxels, or a transform in between is not linear.
        """
        segmentation = self._segmentation(node, segmentId)
        self.check(node)
        mask = np.asarray(mask, bool)
        hadSurface = segmentation.ContainsRepresentation("Closed surface")
        if hadSurface:  # else it would be meshed anew at every step
            node.RemoveClosedSurfaceRepresentation()
        if mask.size:
            rules = OverlapRules(overlap, node, segmentId, lambda other: self.read(node, other, volume))
            mask = mask & rules.editable(volume, mask.shape, origin)
            erased = rules.overwritten()
        else:
            erased = []
        if node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is None:
            node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        self._replace(node, segmentId, volume, mask, origin)
        for other in erased:
            self._erase(node, other, self.imageOf(node, volume, mask, origin))
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
        self._merge(node, segmentId, self.imageOf(node, volume, mask, origin), logic.MODE_REPLACE)

    def _erase(self, node, segmentId, image):
        """Take the voxels of an image from a segment, which keeps the lattice that it is stored on."""
        stored = node.GetBinaryLabelmapInternalRepresentation(segmentId)
        if stored is None or stored.IsEmpty():
            return
        inverse = slicer.vtkOrientedImageData()
        slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(image, stored, inverse)
        voxels = numpy_support.vtk_to_numpy(inverse.GetPointData().GetScalars())
        voxels[:] = voxels == 0
        self._merge(node, segmentId, inverse, slicer.vtkSlicerSegmentationsModuleLogic.MODE_MERGE_MIN)

    def _merge(self, node, segmentId, image, mode):
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
