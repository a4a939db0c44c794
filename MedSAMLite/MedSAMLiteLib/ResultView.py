"""The result section: volume, mean and confidence, links to the least certain slices, 3D and Segment Editor."""

import slicer
from medsam_backends.errors import MedSAMLiteError
from slicer.i18n import tr as _

from .BoxNode import BoxNode
from .Geometry import VolumeGeometry
from .VolumeViews import modalityOf

__all__ = ["ResultView"]

_LINKS = 5
_SURFACE = "Closed surface"


class ResultView:
    """Shows one box's result; reads voxels only when the result changed."""

    def __init__(self, ui, logic):
        self.ui, self.logic = ui, logic
        self._boxId = ""
        self._seen = None
        self._segmentation = None
        ui.uncertainLabel.connect("linkActivated(QString)", self.onLink)
        ui.show3DButton.connect("toggled(bool)", self.onShow3D)
        ui.segmentEditorButton.connect("clicked()", self.onSegmentEditor)

    def show(self, box, segmentation):
        self._segmentation = segmentation
        has3D = segmentation is not None and _isShown3D(segmentation)
        if self.ui.show3DButton.isChecked() != has3D:
            self.ui.show3DButton.blockSignals(True)
            self.ui.show3DButton.setChecked(has3D)
            self.ui.show3DButton.blockSignals(False)
        record = self.logic.recordOf(box) if box is not None else None
        self.ui.resultLabel.setVisible(record is not None)
        self.ui.uncertainLabel.setVisible(record is not None)
        if record is None:
            self._seen = None
            return
        segment = box.segmentation.GetSegmentation().GetSegment(box.segmentId)
        image = box.segmentation.GetBinaryLabelmapInternalRepresentation(box.segmentId)
        unit = " HU" if modalityOf(box.volume) == "CT" else ""
        seen = (box.id, segment.GetMTime(), image.GetMTime() if image is not None else 0, unit)
        if seen == self._seen:
            return
        self._seen, self._boxId = seen, box.id
        statistics = self.logic.statisticsOf(box)
        text = _("{name}: {ml:.2f} ml, mean {mean:.1f}{unit}, confidence {confidence:.2f}")
        if not statistics["ml"]:
            text = _("{name}: no object was found in the box. Look at the window and at the box, or correct a slice.")
        text = text.format(name=box.name, unit=unit, **statistics)
        self.ui.resultLabel.setText("\n".join([text, *record.messages]))
        links = [f'<a href="{r.index}">{r.index}</a> ({r.confidence:.2f})' for r in record.leastCertain(_LINKS)]
        self.ui.uncertainLabel.setText(_("Least certain slices: {links}").format(links=", ".join(links)))

    def onLink(self, link):
        """Bring the views to a slice, at the box's middle."""
        box = BoxNode.of(slicer.mrmlScene.GetNodeByID(self._boxId))
        record = self.logic.recordOf(box) if box is not None else None
        if record is None:
            return
        try:
            voxels = box.voxels
        except MedSAMLiteError:
            return
        ijk = [(a + b) / 2 for a, b in zip(voxels.first, voxels.last)]
        ijk["ijk".index(record.axis)] = int(link)
        world = VolumeGeometry(box.volume).ijkToWorld([ijk])[0]
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            view.JumpSliceByOffsetting(*world)

    def onShow3D(self, show):
        if self._segmentation is None:
            return
        isKeptAsSurface = self._segmentation.GetSegmentation().GetSourceRepresentationName() == _SURFACE
        if show:
            self._segmentation.CreateClosedSurfaceRepresentation()
        elif not isKeptAsSurface:
            self._segmentation.RemoveClosedSurfaceRepresentation()
        if show or isKeptAsSurface:  # then the surfaces are all there is
            self._segmentation.CreateDefaultDisplayNodes()
            self._segmentation.GetDisplayNode().SetVisibility3D(show)

    def onSegmentEditor(self):
        box = BoxNode.of(slicer.mrmlScene.GetNodeByID(self._boxId)) if self._boxId else None
        slicer.util.selectModule("SegmentEditor")
        editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
        editor.setSegmentationNode(self._segmentation)
        if box is not None and box.volume is not None:
            editor.setSourceVolumeNode(box.volume)


def _isShown3D(segmentation):
    display = segmentation.GetDisplayNode()
    isVisible = display is None or bool(display.GetVisibility3D())
    return isVisible and segmentation.GetSegmentation().ContainsRepresentation(_SURFACE)
