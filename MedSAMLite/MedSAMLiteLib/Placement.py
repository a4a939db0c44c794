"""Drawing in slice views: a new box, a key box or a click that corrects a result.

Uses Slicer's own place mode; tells who asked what was drawn, on which axis and slice.
"""

import numpy as np
import slicer
from medsam_backends.boxes import AXES, VoxelBox
from medsam_backends.errors import MedSAMLiteError, PromptError
from slicer.util import VTKObservationMixin

from .BoxNode import BoxNode
from .Geometry import VolumeGeometry

__all__ = ["Placement"]

_ON_PLANE_MM = 0.05


class Placement(VTKObservationMixin):
    """One drawing at a time; starting another, or leaving place mode, ends it.

    Parameters
    ----------
    failed : called with a sentence when what was drawn cannot be used
    changed : called when a drawing begins or ends
    """

    def __init__(self, failed, changed=lambda: None):
        VTKObservationMixin.__init__(self)
        self.failed = failed
        self.changed = changed
        self.what = ""  # "box", "flat box", "key box", "positive point", "negative point", or nothing
        self._node = self._volume = self._done = None

    def startBox(self, logic, volume, flat, done):
        """Two clicks make a box; `done(box)` is called when it lies on the volume's voxels."""
        box = logic.newBox(volume)
        box.isFlat = flat
        self._start("flat box" if flat else "box", box.roi, volume, done)

    def startKeyBox(self, volume, done):
        """Two clicks make a box on one slice; `done(voxelBox, axis, index)`."""
        self._start("key box", self._temporary("vtkMRMLMarkupsROINode"), volume, done)

    def startPoint(self, volume, positive, done):
        """One click; `done((i, j, k), positive)` in continuous voxel coordinates."""
        node = self._temporary("vtkMRMLMarkupsFiducialNode")
        self._start("positive point" if positive else "negative point", node, volume, done)

    def cancel(self):
        """End place mode; a box that is not placed yet goes."""
        node = self._end()
        if node is None:
            return
        slicer.app.applicationLogic().GetInteractionNode().SwitchToViewTransformMode()
        if node.GetScene() is not None:
            slicer.mrmlScene.RemoveNode(node)

    def onModeChanged(self, caller=None, event=None):
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        if self._node is None or interaction.GetCurrentInteractionMode() == interaction.Place:
            return
        what, volume, done = self.what, self._volume, self._done
        node = self._end()
        try:
            if node.GetScene() is None or volume.GetScene() is None or not _isPlaced(node):
                if node.GetScene() is not None:
                    slicer.mrmlScene.RemoveNode(node)  # the user left place mode
                return
            self._finish(what, node, volume, done)
        except MedSAMLiteError as error:
            if node.GetScene() is not None:
                slicer.mrmlScene.RemoveNode(node)
            self.failed(str(error))

    def _start(self, what, node, volume, done):
        self.cancel()
        self.what, self._node, self._volume, self._done = what, node, volume, done
        logic = slicer.app.applicationLogic()
        selection, interaction = logic.GetSelectionNode(), logic.GetInteractionNode()
        selection.SetReferenceActivePlaceNodeClassName(node.GetClassName())
        selection.SetActivePlaceNodeID(node.GetID())
        interaction.SetPlaceModePersistence(0)
        interaction.SwitchToSinglePlaceMode()
        self.addObserver(interaction, interaction.InteractionModeChangedEvent, self.onModeChanged)
        self.changed()

    def _end(self):
        node, self._node, self._volume, self._done, self.what = self._node, None, None, None, ""
        self.removeObservers()
        self.changed()
        return node

    def _finish(self, what, node, volume, done):
        geometry = VolumeGeometry(volume)
        view = _viewOf(node)
        if view is None:
            raise PromptError("The view in which you drew could not be told: draw in a slice view, not in 3D.")
        plane = geometry.planeOf(view)
        if plane is None:
            raise PromptError(f"This slice lies outside the volume {volume.GetName()}: scroll to it first.")
        if what.endswith("point"):
            world = [0.0, 0.0, 0.0]
            node.GetNthControlPointPositionWorld(0, world)
            slicer.mrmlScene.RemoveNode(node)
            ijk = geometry.worldToIjk([world])[0]
            ijk[AXES.index(plane.axis)] = plane.index
            done(tuple(map(float, ijk)), what == "positive point")
            return
        flat = _onSlice(geometry.boxOf(node, drawnOn=view), plane)
        if what == "key box":
            slicer.mrmlScene.RemoveNode(node)
            done(flat, plane.axis, plane.index)
            return
        box = BoxNode(node)
        box.setDrawnOn(plane.axis, plane.index)
        box.voxels = flat if box.isFlat else _deepened(flat, plane, geometry)
        done(box)

    def _temporary(self, className):
        node = slicer.mrmlScene.AddNewNodeByClass(className, "MedSAMLite correction")
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetSaveWithScene(False)
        return node


def _isPlaced(node):
    if node.IsA("vtkMRMLMarkupsROINode"):
        return bool(node.GetControlPointPlacementComplete()) and min(node.GetSize()) > 0
    return node.GetNumberOfDefinedControlPoints() > 0


def _viewOf(node):
    """The slice node in which a markup was drawn: the one under the mouse, else any whose plane holds it."""
    centre = [0.0, 0.0, 0.0]
    if node.IsA("vtkMRMLMarkupsROINode"):
        node.GetCenterWorld(centre)
    else:
        node.GetNthControlPointPositionWorld(0, centre)
    views = [view for view in slicer.util.getNodesByClass("vtkMRMLSliceNode") if view.IsMappedInLayout()]
    through = [view for view in views if abs(_distance(view, centre)) < _ON_PLANE_MM]
    crosshair = slicer.util.getNodesByClass("vtkMRMLCrosshairNode")
    under = crosshair[0].GetCursorPositionXYZ([0.0, 0.0, 0.0]) if crosshair else None
    through.sort(key=lambda view: view is not under)
    return through[0] if through else None


def _distance(view, point):
    toWorld = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
    return float(np.dot(toWorld[:3, 2], np.array(point) - toWorld[:3, 3]))


def _onSlice(box, plane):
    n = AXES.index(plane.axis)
    corners = [*box.first, *box.last]
    corners[n] = corners[n + 3] = plane.index
    return VoxelBox.from_sequence(corners)


def _deepened(box, plane, geometry):
    """The box as deep, in millimetres, as it is wide or high, whichever is less, round its slice."""
    n = AXES.index(plane.axis)
    extents = [count * mm for count, mm in zip(box.size, geometry.spacing_mm)]
    depth = min(extent for axis, extent in enumerate(extents) if axis != n)
    half = int(depth / geometry.spacing_mm[n] / 2)
    corners = [*box.first, *box.last]
    corners[n], corners[n + 3] = plane.index - half, plane.index + half
    return VoxelBox.from_sequence(corners).clipped(geometry.size_ijk)[0]
