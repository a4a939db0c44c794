"""Shows the current box's mask on the slice in view, as a label overlay of one slice that is never saved.

Uses MRML only, so it works in any application with slice views; the mask comes from the logic's worker.
"""

import numpy as np
import slicer
import vtk
from medsam_backends.errors import MedSAMLiteError
from medsam_backends.slices import SliceStack
from slicer.util import VTKObservationMixin

from .BoxNode import BoxNode
from .Geometry import VolumeGeometry

__all__ = ["SlicePreview"]

_OPACITY = 0.5


class SlicePreview(VTKObservationMixin):
    """Follows one box and the slice views; `setBox(None)` ends it and leaves no node behind."""

    def __init__(self, logic):
        VTKObservationMixin.__init__(self)
        self.logic = logic
        self._box = None
        self._label = None
        self._view = None  # slice node that was scrolled last
        self._layersBefore = {}  # composite node ID -> (label layer, its opacity) before ours
        self._shown = None
        self._asked = None  # all that the mask asked for last depends on
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartSaveEvent, self.onStartSave)
        self.addObserver(scene, scene.EndSaveEvent, self.onEndSave)
        self.addObserver(scene, scene.StartCloseEvent, self.onStartClose)

    def close(self):
        """Remove observers and the overlay."""
        self.setBox(None)
        self.removeObservers()

    @property
    def shownSlice(self):
        """(box node ID, axis, slice) of the mask on display; None when nothing is shown."""
        return self._shown

    def sliceInView(self, volume, axis):
        """The slice that a view along `axis` shows, of several the view scrolled last; None without one."""
        planes = self._planes(volume, axis)
        return planes[0][1].index if planes else None

    def angleOf(self, box):
        """Degrees between the view along the box's axis and the volume's slices; 0 without such a view."""
        planes = self._planes(box.volume, self.logic.axisOf(box))
        return planes[0][1].angle_deg if planes else 0.0

    def setBox(self, box):
        """Follow another box, or none; the same box again asks anew only if its mask depends on what changed."""
        if box is not None and self._box is not None and box.id == self._box.id:
            slice_ = self._slice()
            if slice_ is None or self._request(slice_) != self._asked:
                self.update()
            return
        if self._box is not None:
            self.removeObserver(self._box.roi, self._box.roi.PointModifiedEvent, self.onDragged)
            self.removeObserver(self._box.roi, self._box.roi.PointEndInteractionEvent, self.onReleased)
        for view in [obj for obj, *_ in list(self.Observations) if obj.IsA("vtkMRMLSliceNode")]:
            self.removeObserver(view, vtk.vtkCommand.ModifiedEvent, self.onScrolled)
        self._box = box
        if box is None:
            self.hide()
            return
        self.addObserver(box.roi, box.roi.PointModifiedEvent, self.onDragged)
        self.addObserver(box.roi, box.roi.PointEndInteractionEvent, self.onReleased)
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            self.addObserver(view, vtk.vtkCommand.ModifiedEvent, self.onScrolled)
        self.update()

    def onDragged(self, caller=None, event=None):
        self.update(onlyCached=True)

    def onReleased(self, caller=None, event=None):
        self.update()

    def onScrolled(self, view, event=None):
        self._view = view
        # A view is also modified by a resize or a new field of view: ask only for a slice not shown.
        slice_ = self._slice()
        if slice_ is None:
            self.hide()
        elif slice_ != self._shown:
            self.update()

    def update(self, onlyCached=False):
        """Ask for the mask of the slice in view; hide the overlay where there is none to show."""
        slice_ = self._slice()
        if slice_ is None:
            self.hide()
            return
        _, axis, index = slice_
        box = self._box
        try:
            if onlyCached and not self.logic.isPreviewCached(box, index):
                return
            self._asked = self._request(slice_)
            self.logic.preview(box, index, done=lambda result: self._show(box, axis, index, result[0]))
        except MedSAMLiteError:
            self.hide()

    def hide(self):
        """Take the overlay off the views and out of the scene."""
        scene = slicer.mrmlScene
        for compositeId, (labelId, opacity) in self._layersBefore.items():
            composite = scene.GetNodeByID(compositeId)
            if composite is not None and composite.GetLabelVolumeID() == self._label.GetID():  # not the user's by now
                composite.SetLabelVolumeID(labelId)
                composite.SetLabelOpacity(opacity)
        self._layersBefore.clear()
        if self._label is not None and self._label.GetScene() is not None:
            display = self._label.GetDisplayNode()
            for node in (self._label, display, display.GetColorNode() if display else None):
                if node is not None:
                    scene.RemoveNode(node)
        self._label = self._shown = self._asked = None

    def onStartSave(self, caller=None, event=None):
        self.hide()

    def onEndSave(self, caller=None, event=None):
        self.update()

    def onStartClose(self, caller=None, event=None):
        self.setBox(None)
        self._view = None

    def _slice(self):
        """(box ID, axis, slice) to preview; None if the box cannot be previewed on any view."""
        box = BoxNode.of(self._box.roi) if self._box is not None else None
        if box is None or not box.isOnVolume:
            return None
        axis = self.logic.axisOf(box)
        _, first, last = box.voxels.plane(axis)
        for _, plane in self._planes(box.volume, axis):
            if first <= plane.index <= last:
                return box.id, axis, plane.index
        return None

    def _request(self, slice_):
        """All that the mask of a slice depends on."""
        view = self.logic.view(self._box.volume, slice_[1])
        return slice_, view.key, self._box.voxels.text, self.logic.getParameterNode().boxMargin

    def _planes(self, volume, axis):
        """(slice node, plane) of the views that run along the axis, the one scrolled last first."""
        geometry = VolumeGeometry(volume)
        views = [view for view in slicer.util.getNodesByClass("vtkMRMLSliceNode") if view.IsMappedInLayout()]
        views.sort(key=lambda view: view is not self._view)
        planes = [(view, geometry.planeOf(view)) for view in views]
        return [(view, plane) for view, plane in planes if plane is not None and plane.axis == axis]

    def _show(self, box, axis, index, mask):
        if self._slice() != (box.id, axis, index):
            return  # the user has gone on meanwhile
        label = self._label if self._label is not None and self._label.GetScene() is not None else self._makeLabel()
        self._label = label
        label.GetDisplayNode().GetColorNode().SetColor(1, *box.color, 1.0)
        array = SliceStack(np.asarray(mask)[None], "k").array  # (1, H, W)
        geometry = VolumeGeometry(box.volume)
        n = "ijk".index(axis)
        voxels = np.moveaxis(array, 0, 2 - n).astype(np.uint8)
        pose = geometry.ijkToNode.copy()
        pose[:3, 3] += pose[:3, n] * index
        with slicer.util.NodeModify(label):
            label.SetAndObserveTransformNodeID(box.volume.GetTransformNodeID())
            label.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(pose))
            slicer.util.updateVolumeFromArray(label, np.ascontiguousarray(voxels))
        self._shown = (box.id, axis, index)
        self._layer(box.volume, axis)

    def _layer(self, volume, axis):
        """Put the overlay on the views along the axis, remembering what was there."""
        layouts = {view.GetLayoutName() for view, _ in self._planes(volume, axis)}
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if composite.GetLayoutName() not in layouts or composite.GetLabelVolumeID() == self._label.GetID():
                continue
            self._layersBefore[composite.GetID()] = (composite.GetLabelVolumeID(), composite.GetLabelOpacity())
            composite.SetLabelVolumeID(self._label.GetID())
            composite.SetLabelOpacity(_OPACITY)

    def _makeLabel(self):
        colors = _temporary("vtkMRMLColorTableNode", "MedSAMLite preview colors")
        colors.SetTypeToUser()
        colors.SetNumberOfColors(2)
        colors.SetColor(0, "background", 0, 0, 0, 0)
        colors.SetColor(1, "preview", 1, 1, 0, 1)
        display = _temporary("vtkMRMLLabelMapVolumeDisplayNode", "MedSAMLite preview display")
        display.SetAndObserveColorNodeID(colors.GetID())
        label = _temporary("vtkMRMLLabelMapVolumeNode", "MedSAMLite preview")
        label.SetAndObserveDisplayNodeID(display.GetID())
        return label


def _temporary(className, name):
    """A node that is neither saved nor listed anywhere; marked before it enters the scene."""
    node = slicer.mrmlScene.CreateNodeByClass(className)
    node.UnRegister(None)
    node.SetName(name)
    node.SetSaveWithScene(False)
    node.SetHideFromEditors(True)
    node.SetAttribute(slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyExcludeFromTreeAttributeName(), "1")
    return slicer.mrmlScene.AddNode(node)
