"""A box prompt in the scene: a markups ROI with the facts that MedSAMLite keeps beside it.

Everything is kept in attributes and node references, so that a saved scene comes back whole.
"""

import slicer
from medsam_backends.boxes import VoxelBox
from medsam_backends.errors import PromptError

from .Geometry import VolumeGeometry

__all__ = ["BoxNode"]

_VOLUME, _SEGMENTATION = "MedSAMLite.volume", "MedSAMLite.segmentation"
_AXIS, _DRAWN, _SEGMENT, _FLAT, _PLACED = (
    f"MedSAMLite.{name}" for name in ("Axis", "DrawnSlice", "SegmentID", "Flat", "Placed")
)


class BoxNode:
    """View of one ROI node; made whenever needed, holds nothing itself."""

    def __init__(self, roi):
        self.roi = roi

    @classmethod
    def create(cls, volume, name="", color=None):
        """A new box for a volume, not placed yet."""
        scene = slicer.mrmlScene
        roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", scene.GenerateUniqueName(name or "Box"))
        roi.CreateDefaultDisplayNodes()
        display = roi.GetDisplayNode()
        display.SetHandlesInteractive(True)
        display.SetFillOpacity(0.05)
        if color is not None:
            display.SetSelectedColor(color)
            display.SetColor(color)
        roi.SetNodeReferenceID(_VOLUME, volume.GetID())
        return cls(roi)

    @classmethod
    def of(cls, roi):
        """The box of a ROI node, or None if it is no box of MedSAMLite's or is not in the scene."""
        if roi is None or roi.GetScene() is None or roi.GetNodeReferenceID(_VOLUME) is None:
            return None
        return cls(roi)

    @classmethod
    def all(cls, volume=None):
        """The boxes in the scene, of one volume or of all, in the order they were made."""
        nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")
        boxes = [box for box in map(cls.of, nodes) if box is not None]
        return [box for box in boxes if volume is None or box.volume is volume]

    @property
    def id(self):
        return self.roi.GetID()

    @property
    def name(self):
        return self.roi.GetName()

    @property
    def color(self):
        return self.roi.GetDisplayNode().GetSelectedColor() if self.roi.GetDisplayNode() else (1.0, 1.0, 0.0)

    @property
    def volume(self):
        """The volume node the box belongs to; None once that was deleted."""
        return self.roi.GetNodeReference(_VOLUME)

    @property
    def isPlaced(self):
        return self.roi.GetNumberOfDefinedControlPoints() > 0 and min(self.roi.GetSize()) > 0

    @property
    def isOnVolume(self):
        """Whether it covers voxels of its volume, so that `voxels` can tell them."""
        try:
            return self.volume is not None and self.voxels is not None
        except PromptError:
            return False

    @property
    def isFlat(self):
        """Whether the box was made for one slice only."""
        return self.roi.GetAttribute(_FLAT) == "1"

    @isFlat.setter
    def isFlat(self, flat):
        self.roi.SetAttribute(_FLAT, "1" if flat else None)

    @property
    def axis(self):
        """Axis of propagation, ``"i"``, ``"j"`` or ``"k"``: across the view in which the box was drawn."""
        return self.roi.GetAttribute(_AXIS) or "k"

    @property
    def drawnSlice(self):
        """The slice of `axis` on which the box was drawn; None if it was given by numbers."""
        text = self.roi.GetAttribute(_DRAWN)
        return int(text) if text else None

    def setDrawnOn(self, axis, index=None):
        self.roi.SetAttribute(_AXIS, axis)
        self.roi.SetAttribute(_DRAWN, None if index is None else str(index))

    @property
    def voxels(self):
        """The `VoxelBox` it covers; `PromptError` while not placed or outside the volume.

        In a sheared or warped volume the ROI covers more than the box that was set; that box is told
        until the ROI is moved.
        """
        geometry = VolumeGeometry(self.volume)
        hull = geometry.hullOf(self.roi)
        placed, _, hullThen = (self.roi.GetAttribute(_PLACED) or "").partition("|")
        if placed and hullThen == hull.text:
            return VoxelBox.from_sequence([int(number) for number in placed.split()])
        return hull.clipped(geometry.size_ijk)[0]

    @voxels.setter
    def voxels(self, box):
        geometry = VolumeGeometry(self.volume)
        geometry.placeBox(self.roi, box)
        hull = geometry.hullOf(self.roi)
        self.roi.SetAttribute(_PLACED, None if hull == box else f"{box.text}|{hull.text}")

    @property
    def sliceRange(self):
        """First and last slice along `axis`."""
        _, first, last = self.voxels.plane(self.axis)
        return first, last

    def setSliceRange(self, first, last):
        """Change the first and last slice and nothing else of the box; given in any order."""
        n = "ijk".index(self.axis)
        box = self.voxels
        corners = [*box.first, *box.last]
        corners[n], corners[n + 3] = min(first, last), max(first, last)
        self.voxels = VoxelBox.from_sequence(corners)

    @property
    def segmentation(self):
        """The segmentation node that holds the result; None before Apply or once deleted."""
        return self.roi.GetNodeReference(_SEGMENTATION)

    @property
    def segmentId(self):
        """ID of the result's segment; empty before Apply or once the segment was deleted."""
        node, identifier = self.segmentation, self.roi.GetAttribute(_SEGMENT) or ""
        return identifier if node is not None and node.GetSegmentation().GetSegment(identifier) else ""

    def setResult(self, segmentation, segmentId):
        self.roi.SetNodeReferenceID(_SEGMENTATION, segmentation.GetID())
        self.roi.SetAttribute(_SEGMENT, segmentId)
