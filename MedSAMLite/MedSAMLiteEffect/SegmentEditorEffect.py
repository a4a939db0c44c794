"""The Segment Editor effect "MedSAM box": a box dragged on a slice adds the object in it to the selected segment.

All work is the module's logic; masking, overwriting and undo are the Segment Editor's own.
"""

import os

import qt
import slicer
import vtk
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect
from slicer.i18n import tr as _

_LEAST_DRAG_PIXELS = 3


class SegmentEditorEffect(AbstractScriptedSegmentEditorEffect):
    """Drag: the slice in view.  Propagate: the last box over a range of slices."""

    def __init__(self, scriptedEffect):
        AbstractScriptedSegmentEditorEffect.__init__(self, scriptedEffect)
        scriptedEffect.name = "MedSAM box"  # not translated: modules find effects by name
        scriptedEffect.title = _("MedSAM box")
        self.logic = None
        self._start = self._rectangle = None
        self._drawn = None  # (volume node ID, box on its slice, plane)

    def clone(self):
        import qSlicerSegmentationsEditorEffectsPythonQt as effects

        clonedEffect = effects.qSlicerSegmentEditorScriptedEffect(None)
        clonedEffect.setPythonSource(__file__.replace("\\", "/"))
        return clonedEffect

    def icon(self):
        path = os.path.join(os.path.dirname(__file__), "..", "Resources", "Icons", "MedSAMLite.png")
        return qt.QIcon(path) if os.path.exists(path) else qt.QIcon()

    def helpText(self):
        return "<html>" + _(
            "Add the object in a box to the selected segment.<p>"
            "<b>Drag</b> a box round the object in a slice view: the object on that slice is added.<br>"
            "<b>Propagate</b> follows it over the slices from First to Last.<br>"
            "Model and window are those of the MedSAM Lite module."
        )

    def setupOptionsFrame(self):
        self.firstSlice, self.lastSlice = qt.QSpinBox(), qt.QSpinBox()
        row = qt.QWidget()
        layout = qt.QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        for label, spin in ((_("First:"), self.firstSlice), (_("Last:"), self.lastSlice)):
            layout.addWidget(qt.QLabel(label))
            layout.addWidget(spin)
        self.scriptedEffect.addLabeledOptionsWidget(_("Slices:"), row)
        self.propagateButton = qt.QPushButton(_("Propagate"))
        self.cancelButton = qt.QPushButton(_("Cancel"))
        self.statusLabel = qt.QLabel()
        self.statusLabel.setWordWrap(True)
        for widget in (self.propagateButton, self.cancelButton, self.statusLabel):
            self.scriptedEffect.addOptionsWidget(widget)
        self.propagateButton.connect("clicked()", self.onPropagate)
        self.cancelButton.connect("clicked()", lambda: self.logic.cancel() if self.logic is not None else None)
        self._refresh()

    def activate(self):
        from MedSAMLiteLib.Logic import MedSAMLiteLogic

        if self.logic is None:
            self.logic = MedSAMLiteLogic()
            self.logic.changed, self.logic.failed, self.logic.finished = self._refresh, self._say, self._onFinished
        self._refresh()

    def deactivate(self):
        self._endRectangle()
        if self.logic is not None:
            self.logic.close()
        self.logic = self._drawn = None

    def cleanup(self):
        self.deactivate()

    def createCursor(self, widget):
        return qt.QCursor(qt.Qt.CrossCursor)

    def processInteractionEvents(self, callerInteractor, eventId, viewWidget):
        """A drag with the left button is a box; everything else goes to the view."""
        if self.logic is None or viewWidget.className() != "qMRMLSliceWidget":
            return False
        position = callerInteractor.GetEventPosition()
        if eventId == vtk.vtkCommand.LeftButtonPressEvent:
            if callerInteractor.GetShiftKey() or callerInteractor.GetControlKey():
                return False
            self._start = position
            self._rectangle = _Rectangle(self.scriptedEffect.renderer(viewWidget))
            return True
        if self._start is None:
            return False
        if eventId == vtk.vtkCommand.MouseMoveEvent:
            self._rectangle.show(self._start, position)
            self.scriptedEffect.renderWindow(viewWidget).Render()
            return True
        if eventId == vtk.vtkCommand.LeftButtonReleaseEvent:
            start = self._start
            self._endRectangle()
            if min(abs(a - b) for a, b in zip(start, position)) >= _LEAST_DRAG_PIXELS:
                self._onBox(viewWidget.mrmlSliceNode(), start, position)
            return True
        return False

    def onPropagate(self):
        volumeId, box, plane = self._drawn
        first, last = sorted(spin.property("value") for spin in (self.firstSlice, self.lastSlice))
        n = "ijk".index(plane.axis)
        corners = [*box.first, *box.last]
        corners[n], corners[n + 3] = min(first, plane.index), max(last, plane.index)
        self._segment(slicer.mrmlScene.GetNodeByID(volumeId), corners, plane)

    def _onBox(self, sliceNode, start, end):
        from medsam_backends.errors import MedSAMLiteError
        from MedSAMLiteLib.Geometry import VolumeGeometry

        volume = self.scriptedEffect.parameterSetNode().GetSourceVolumeNode()
        if volume is None or not self.scriptedEffect.parameterSetNode().GetSelectedSegmentID():
            self._say(_("Choose a source volume and a segment first."))
            return
        try:
            geometry = VolumeGeometry(volume)
            box, plane = geometry.boxOnView(sliceNode, start, end)
        except MedSAMLiteError as error:
            self._say(str(error))
            return
        self._drawn = (volume.GetID(), box, plane)
        for spin in (self.firstSlice, self.lastSlice):
            spin.setMaximum(geometry.size_ijk["ijk".index(plane.axis)] - 1)
            spin.setValue(plane.index)
        self._segment(volume, [*box.first, *box.last], plane)

    def _segment(self, volume, corners, plane):
        from medsam_backends.boxes import VoxelBox
        from medsam_backends.errors import MedSAMLiteError

        if volume is None:
            self._say(_("The volume is no longer in the scene."))
            return
        parameters = self.scriptedEffect.parameterSetNode()
        aim = (parameters.GetSegmentationNode().GetID(), parameters.GetSelectedSegmentID())
        try:
            self.logic.segmentVoxels(
                volume,
                VoxelBox.from_sequence(corners),
                plane.axis,
                plane.index,
                lambda segment: self._add(volume, segment, aim),
            )
        except MedSAMLiteError as error:
            self._say(str(error))
        else:
            self._say(_("Segmenting..."))

    def _onFinished(self, job):
        if job.isCancelled:
            self._say(_("Cancelled: nothing was changed."))

    def _add(self, volume, segment, aim):
        """Add a result to the segment it was drawn for, if that is still the selected one."""
        parameters = self.scriptedEffect.parameterSetNode()
        node = parameters.GetSegmentationNode()
        if node is None or volume.GetScene() is None or (node.GetID(), parameters.GetSelectedSegmentID()) != aim:
            self._say(_("Another segment was selected meanwhile: nothing was changed."))
            return
        if not segment.mask.any():
            self._say(" ".join([_("No object was found in the box."), *segment.messages]))
            return
        image = self._onReference(self.logic.writer.imageOf(node, volume, segment.mask, segment.origin))
        self.scriptedEffect.saveStateForUndo()
        add = slicer.qSlicerSegmentEditorAbstractEffect.ModificationModeAdd
        self.scriptedEffect.modifySelectedSegmentByLabelmap(image, add)
        added = _("Added, confidence {confidence:.2f}.").format(confidence=segment.confidence)
        self._say(" ".join([added, *segment.messages]))

    def _onReference(self, image):
        """On the segmentation's own geometry: on another, the segment would be resampled and masks not obeyed."""
        reference, resample = self.scriptedEffect.defaultModifierLabelmap(), slicer.vtkOrientedImageDataResample
        if resample.DoGeometriesMatch(image, reference):
            return image
        resampled = slicer.vtkOrientedImageData()
        resample.ResampleOrientedImageToReferenceOrientedImage(image, reference, resampled)
        return resampled

    def _endRectangle(self):
        if self._rectangle is not None:
            self._rectangle.remove()
        self._start = self._rectangle = None

    def _refresh(self):
        if not hasattr(self, "propagateButton"):
            return
        busy = self.logic is not None and self.logic.isBusy()
        self.propagateButton.setEnabled(self._drawn is not None and not busy)
        self.cancelButton.setEnabled(busy)
        if busy and self.logic.progress is not None:
            progress = self.logic.progress
            self._say(_("{done} of {total} slices").format(done=progress.done, total=progress.total))

    def _say(self, text):
        self.statusLabel.setText(text)


class _Rectangle:
    """The outline of a box while it is dragged."""

    def __init__(self, renderer):
        self.renderer = renderer
        self.points = vtk.vtkPoints()
        self.points.SetNumberOfPoints(4)
        lines = vtk.vtkCellArray()
        lines.InsertNextCell(5)
        for index in (0, 1, 2, 3, 0):
            lines.InsertCellPoint(index)
        self.data = vtk.vtkPolyData()
        self.data.SetPoints(self.points)
        self.data.SetLines(lines)
        mapper = vtk.vtkPolyDataMapper2D()
        mapper.SetInputData(self.data)
        self.actor = vtk.vtkActor2D()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetColor(1, 0.8, 0.1)
        self.actor.GetProperty().SetLineWidth(2)

    def show(self, first, second):
        for index, (x, y) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
            self.points.SetPoint(index, (first, second)[x][0], (first, second)[y][1], 0)
        self.points.Modified()
        self.data.Modified()
        self.renderer.AddViewProp(self.actor)

    def remove(self):
        self.renderer.RemoveViewProp(self.actor)
