"""Between world coordinates and the voxels of one volume, whatever its directions and parent transforms.

Reads nodes and writes only the box that it is asked to place; knows nothing of segments or models.
"""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from medsam_backends.boxes import AXES, VoxelBox
from medsam_backends.errors import PromptError

__all__ = ["SlicePlane", "VolumeGeometry"]

_EPSILON = 1e-6
"""Voxels; a border of a box that lies so close to a voxel's border lies on it."""


@dataclass(frozen=True)
class SlicePlane:
    """How a slice view cuts a volume: the axis it runs across, the slice, and how far from parallel."""

    axis: str
    index: int
    angle_deg: float


class VolumeGeometry:
    """Geometry of a volume node at the moment of construction; cheap to make anew.

    Continuous IJK has voxel ``n`` at ``[n - 0.5, n + 0.5]``.
    """

    def __init__(self, volume):
        image = volume.GetImageData()
        if image is None or 0 in image.GetDimensions():
            raise PromptError(f"The volume {volume.GetName()} holds no voxels: choose another volume.")
        self.volume = volume
        self.size_ijk = image.GetDimensions()
        matrix = vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(matrix)
        self.ijkToNode = slicer.util.arrayFromVTKMatrix(matrix)

    @property
    def spacing_mm(self):
        """Distance between voxel centres along i, j and k in millimetres."""
        return self.volume.GetSpacing()

    @property
    def voxel_ml(self):
        """Volume of a voxel in millilitres, of a sheared grid (a tilted gantry's) too."""
        return abs(float(np.linalg.det(self.ijkToNode))) / 1000

    @functools.cached_property
    def ijkToWorldMatrix(self):
        """(4, 4) from continuous IJK to the world's RAS; None under a transform that is not linear."""
        if not self.hasLinearTransform():
            return None
        parent = self.volume.GetParentTransformNode()
        if parent is None:
            return self.ijkToNode
        matrix = vtk.vtkMatrix4x4()
        parent.GetMatrixTransformToWorld(matrix)
        return slicer.util.arrayFromVTKMatrix(matrix) @ self.ijkToNode

    def worldToIjk(self, points):
        """Continuous IJK, (N, 3), of points in the world's RAS, (N, 3) in mm; follows any parent transform."""
        if self.ijkToWorldMatrix is not None:
            return _apply(np.linalg.inv(self.ijkToWorldMatrix), points)
        return _apply(np.linalg.inv(self.ijkToNode), _transformed(points, None, self.volume.GetParentTransformNode()))

    def ijkToWorld(self, points):
        """RAS in the world, (N, 3) in mm, of continuous IJK, (N, 3)."""
        if self.ijkToWorldMatrix is not None:
            return _apply(self.ijkToWorldMatrix, points)
        return _transformed(_apply(self.ijkToNode, points), self.volume.GetParentTransformNode(), None)

    def hasLinearTransform(self):
        """Whether the volume's parent transforms, if any, are linear."""
        parent = self.volume.GetParentTransformNode()
        return parent is None or bool(parent.IsTransformToWorldLinear())

    def boxOf(self, roi, drawnOn=None):
        """The voxels whose centres lie in the hull of a markups ROI, clipped to the volume.

        Along an axis on which the ROI lies between two centres, the voxel that it covers most.
        A rotated ROI, which no voxel box can equal, gives the voxel box around it.

        Parameters
        ----------
        drawnOn : slice node; the ROI is flattened onto its plane first, because Slicer invents the depth
            of a box that is drawn in a view

        Raises
        ------
        PromptError
            If the ROI is not placed yet or lies outside the volume.
        """
        return self.hullOf(roi, drawnOn).clipped(self.size_ijk)[0]

    def hullOf(self, roi, drawnOn=None):
        """As `boxOf`, with the voxels beyond the volume."""
        if roi.GetNumberOfDefinedControlPoints() < 1 or min(roi.GetSize()) <= 0:
            raise PromptError("The box has not been placed yet: click its two corners in a slice view.")
        half = np.array(roi.GetSize()) / 2
        corners = np.array(list(itertools.product((-1, 1), repeat=3))) * half
        world = _apply(slicer.util.arrayFromVTKMatrix(roi.GetObjectToWorldMatrix()), corners)
        if drawnOn is not None:
            sliceToWorld = slicer.util.arrayFromVTKMatrix(drawnOn.GetSliceToRAS())
            normal = sliceToWorld[:3, 2]
            world -= np.outer((world - sliceToWorld[:3, 3]) @ normal, normal)
        ijk = self.worldToIjk(world)
        low, high = ijk.min(axis=0), ijk.max(axis=0)
        first, last = np.ceil(low - _EPSILON), np.floor(high + _EPSILON)
        between = last < first
        first[between] = last[between] = np.round((low + high)[between] / 2)
        if np.any(high < -0.5) or np.any(low > np.array(self.size_ijk) - 0.5):
            raise PromptError(
                f"The box {roi.GetName()} lies outside the volume {self.volume.GetName()}: move it onto it."
            )
        return VoxelBox.from_sequence([*first, *last])

    def boxOnView(self, sliceNode, xyFirst, xySecond):
        """The voxels of a rectangle drawn in a slice view, on the slice in view, and how the view cuts the volume.

        Parameters
        ----------
        xyFirst, xySecond : opposite corners in pixels of the view

        Returns
        -------
        `VoxelBox` one slice thick, `SlicePlane`

        Raises
        ------
        PromptError
            If the rectangle or the view's plane lies outside the volume.
        """
        plane = self.planeOf(sliceNode)
        if plane is None:
            raise PromptError(f"This slice lies outside the volume {self.volume.GetName()}: scroll to it first.")
        toWorld = slicer.util.arrayFromVTKMatrix(sliceNode.GetXYToRAS())
        (xa, ya), (xb, yb) = xyFirst, xySecond
        ijk = self.worldToIjk(_apply(toWorld, [(x, y, 0) for x in (xa, xb) for y in (ya, yb)]))
        first, last = np.ceil(ijk.min(axis=0)), np.floor(ijk.max(axis=0))
        last = np.maximum(first, last)
        n = AXES.index(plane.axis)
        first[n] = last[n] = plane.index
        return VoxelBox.from_sequence([*first, *last]).clipped(self.size_ijk)[0], plane

    def placeBox(self, roi, box):
        """Make a ROI cover exactly the voxels of `box`, aligned with the volume and moving with it."""
        first, last = np.array(box.first), np.array(box.last)
        spacing = np.linalg.norm(self.ijkToNode[:3, :3], axis=0)
        directions = self.ijkToNode[:3, :3] / spacing
        if np.linalg.det(directions) < 0:
            directions[:, 2] *= -1  # a box is its own mirror image; a ROI wants a rotation
        pose = np.eye(4)
        pose[:3, :3] = directions
        pose[:3, 3] = _apply(self.ijkToNode, [(first + last) / 2])[0]
        with slicer.util.NodeModify(roi):
            roi.SetAndObserveTransformNodeID(self.volume.GetTransformNodeID())
            roi.SetSize(*((last - first + 1) * spacing))
            roi.GetObjectToNodeMatrix().DeepCopy(slicer.util.vtkMatrixFromArray(pose))
            roi.SetCenter(pose[:3, 3])

    def planeOf(self, sliceNode):
        """How a slice view cuts this volume, as `SlicePlane`; None if its plane lies outside the volume."""
        sliceToWorld = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())
        centre = self.volumeCentreOn(sliceToWorld)
        steps = self.ijkToWorld(centre + np.vstack([np.zeros(3), np.eye(3)]))
        # Across the plane of two volume axes, not along the third: the two differ in a sheared volume.
        normals = np.linalg.inv((steps[1:] - steps[0]).T)
        normals /= np.linalg.norm(normals, axis=1)[:, None]
        cosines = np.abs(normals @ sliceToWorld[:3, 2])
        axis = int(cosines.argmax())
        index = int(np.floor(centre[axis] + 0.5))
        if not 0 <= index < self.size_ijk[axis]:
            return None
        return SlicePlane(AXES[axis], index, float(np.degrees(np.arccos(min(1.0, cosines[axis])))))

    def volumeCentreOn(self, sliceToWorld):
        """Continuous IJK of the foot of the volume's centre on a slice view's plane.

        The foot, not the view's own centre, so that panning an oblique view does not change the slice.
        """
        centre = self.ijkToWorld([(np.array(self.size_ijk) - 1) / 2])[0]
        normal = sliceToWorld[:3, 2]
        foot = centre - normal * np.dot(normal, centre - sliceToWorld[:3, 3])
        return self.worldToIjk([foot])[0]


def _transformed(points, source, target):
    """(N, 3) points from under one transform node, or the world, to under another."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(source, target, transform)
    return np.array([transform.TransformPoint(point) for point in np.atleast_2d(np.asarray(points, float))])


def _apply(matrix, points):
    points = np.atleast_2d(np.asarray(points, float))
    return points @ matrix[:3, :3].T + matrix[:3, 3]
