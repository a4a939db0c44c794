"""The module's panel: shows the parameter node and the scene, and turns clicks into calls of the logic.

Written so that PythonQt and PySide6 both run it: setters are called, values are read by ``property``.
"""

import ctk  # noqa: F401  the .ui file names its classes
import slicer
import vtk
from medsam_backends.errors import MedSAMLiteError
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from .Advice import AdviceLine
from .BoxFollower import BoxFollower
from .BoxNode import BoxNode
from .BoxTable import BoxTable
from .ButtonStates import ButtonStates
from .Choices import Choices
from .Corrections import Corrections
from .DependencySetup import DependencySetup
from .Logic import MedSAMLiteLogic
from .ModalityChoice import ModalityChoice
from .ModelDialog import ModelDialog
from .ModelManager import ModelManager
from .ModelPicture import ModelPicture
from .ParameterNode import widgetsOf
from .Placement import Placement
from .Prefetch import Prefetch
from .RangeEditor import RangeEditor
from .ResultView import ResultView
from .SetupView import SetupView
from .Shortcuts import Shortcuts
from .SlicePreview import SlicePreview
from .StatusLine import StatusLine
from .VolumeViews import volumeInView

__all__ = ["Panel"]


class Panel(VTKObservationMixin):
    """Made once by the module's widget.

    Parameters
    ----------
    resourcePath : from a name under Resources to a path
    """

    def __init__(self, resourcePath):
        VTKObservationMixin.__init__(self)
        self.widget = slicer.util.loadUI(resourcePath("UI/MedSAMLite.ui"))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.widget.setMRMLScene(slicer.mrmlScene)
        self.logic = MedSAMLiteLogic()
        self.status = StatusLine(self.ui.statusLabel, self.ui.progressBar, self.logic)
        self.logic.changed, self.logic.failed, self.logic.finished = self.refresh, self.showError, self.status.finished
        self.setup = DependencySetup(resourcePath("requirements.txt"))
        self.setupView = SetupView(self.ui, self.setup, self.onModelsChanged)
        self.buttons = ButtonStates(self.ui, self.logic, self.setup)
        self.models = ModelManager()
        self.modelDialog = ModelDialog(self.models, self.onModelsChanged, self.widget)
        self.preview = SlicePreview(self.logic)
        self.prefetch = Prefetch(self.logic, self.preview)
        self.placement = Placement(self.showError, self.refresh)
        self.corrections = Corrections(self.placement, self.logic, self._start, self.showError)
        self.range = RangeEditor(self.ui, self.logic, self.preview, self.showError)
        self.table = BoxTable(self.ui.boxTable, self.logic, self.selectBox)
        self.follower = BoxFollower(self.refresh)
        self.choices = Choices(self.ui, self.models)
        self.modality = ModalityChoice(self.ui.modalityComboBox, self.refresh)
        self.advice = AdviceLine(self.ui.adviceLabel, self.logic, self.preview)
        self.picture = ModelPicture(self.ui.pictureLabel, self.logic)
        self.result = ResultView(self.ui, self.logic)
        self.shortcuts = Shortcuts(
            {
                "Shift+B": self.ui.addBoxButton,
                "Shift+Return": self.ui.applyButton,
                "Shift+P": self.ui.positivePointButton,
                "Shift+N": self.ui.negativePointButton,
            }
        )
        self._parameters = self._guiTag = None
        self._isEntered = self._isRefreshing = False
        self._connect()
        self.connectParameterNode()

    # Called by Slicer

    def enter(self):
        self._isEntered = True
        self.connectParameterNode()
        self.shortcuts.install()
        self.choices.fillModels(self._parameters)
        self.refresh()

    def exit(self):
        self._isEntered = False
        self.placement.cancel()
        self.preview.setBox(None)
        self.prefetch.stop()
        self.shortcuts.remove()
        self.disconnectParameterNode()

    def cleanup(self):
        """Reload and exit: end jobs, observers and temporary nodes."""
        self.exit()
        self.removeObservers()
        self.follower.close()
        self.preview.close()
        self.prefetch.close()
        self.modelDialog.close()
        self.logic.changed, self.logic.finished = lambda: None, lambda job: None
        self.logic.close()

    # Parameter node

    def connectParameterNode(self):
        if self._parameters is not None:
            return
        self._parameters = self.logic.getParameterNode()
        if self._parameters.inputVolume is None:
            self._parameters.inputVolume = volumeInView()
        self._guiTag = self._parameters.connectParametersToGui(widgetsOf(self.ui))
        self.choices.connect(self._parameters)
        self._volume = self._parameters.inputVolume
        self.addObserver(self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersChanged)
        self.refresh()

    def disconnectParameterNode(self):
        if self._parameters is None:
            return
        self.removeObserver(self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersChanged)
        self.choices.connect(None)
        self._parameters.disconnectGui(self._guiTag)
        self._parameters = self._guiTag = self._volume = None
        self.follower.follow([], None)  # a node that is held here stays in memory when its scene is closed
        self.modality.show(None, None)
        self.result.show(None, None)

    def onParametersChanged(self, caller=None, event=None):
        parameters = self._parameters
        if parameters is None:
            return
        if parameters.inputVolume is not self._volume:
            self._volume = parameters.inputVolume
            self._onVolumeChanged()
        self.refresh()

    def _onVolumeChanged(self):
        """Another volume has boxes and a segmentation of its own."""
        self.placement.cancel()
        boxes = BoxNode.all(self._volume) if self._volume is not None else []
        self._parameters.currentBox = boxes[0].roi if boxes else None
        self._parameters.segmentation = next((box.segmentation for box in boxes if box.segmentation is not None), None)

    # Scene

    def onSceneStartClose(self, caller=None, event=None):
        self.placement.cancel()
        self.disconnectParameterNode()

    def onSceneEndClose(self, caller=None, event=None):
        if self._isEntered:
            self.connectParameterNode()

    def onSceneEndImport(self, caller=None, event=None):
        """An import overwrites the content of the parameter node."""
        if self._isEntered:
            self.disconnectParameterNode()
            self.connectParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, caller, event, node):
        if self._parameters is not None and node.IsA("vtkMRMLDisplayableNode") and not slicer.mrmlScene.IsClosing():
            self.refresh()

    # Boxes

    def currentBox(self):
        """The selected box, of the volume in the panel; None if there is none."""
        box = BoxNode.of(self._parameters.currentBox) if self._parameters is not None else None
        return box if box is not None and box.volume is not None else None

    def selectBox(self, box):
        if self._parameters is not None:
            self._parameters.currentBox = box.roi if box is not None else None

    def onAddBox(self, flat):
        if self.placement.what in ("box", "flat box"):
            self.placement.cancel()
            return
        self.placement.startBox(self.logic, self._parameters.inputVolume, flat, self._onBoxDrawn)

    def _onBoxDrawn(self, box):
        self.selectBox(box)
        self.refresh()
        self.preview.update()

    def onDeleteBox(self):
        box = self.currentBox()
        boxes = [other for other in BoxNode.all(self._parameters.inputVolume) if other.id != box.id]
        self.selectBox(boxes[-1] if boxes else None)
        slicer.mrmlScene.RemoveNode(box.roi)

    # Jobs

    def onApply(self, boxes=None):
        self._start(lambda: self.logic.apply(boxes))

    def onUndo(self):
        node = self._parameters.segmentation
        if self.logic.history.editedSince(node) and not slicer.util.confirmYesNoDisplay(
            _("The segmentation was edited since. Undo takes these edits back as well. Undo?")
        ):
            return
        self.status.say(_("Undone: {what}").format(what=self.logic.undo(node)))

    def onModelsChanged(self):
        self.choices.fillModels(self._parameters)
        self.preview.setBox(None)  # its mask may be of a model that was replaced
        self.refresh()

    # Showing

    def showError(self, message):
        self.status.say(message)

    def refresh(self):
        """Bring every widget up to date with the scene."""
        if self._parameters is None or self._isRefreshing:
            return
        self._isRefreshing = True
        try:
            boxes = BoxNode.all(self._parameters.inputVolume) if self._parameters.inputVolume is not None else []
            box = self.currentBox()
            self.follower.follow(boxes, self._parameters.inputVolume)
            self.table.show(boxes, box)
            self.choices.refresh(self._parameters)
            self.modality.show(self._parameters.inputVolume, self.choices.specOf(self._parameters.model))
            self.setupView.refresh()
            self.range.show(box)
            self._refreshButtons(boxes, box)
            self.status.refresh()
            self.advice.show(box, self.choices.specOf(self._parameters.model), self.buttons.firstStep)
            self._refreshCache()
            self.result.show(box, self._parameters.segmentation)
        finally:
            self._isRefreshing = False
        self._refreshPreview(box)

    def _refreshButtons(self, boxes, box):
        self.buttons.refresh(self._parameters, boxes, box)
        placing = self.placement.what
        self.ui.addBoxButton.setText(_("Stop drawing") if placing == "box" else _("Add box"))
        self.ui.addFlatBoxButton.setText(_("Stop drawing") if placing == "flat box" else _("Add 2-D box"))

    def _refreshCache(self):
        counters = self.logic.engine.cache.counters
        self.ui.cacheUseLabel.setText(
            _("{used:.0f} MB, {items} slices").format(used=counters.size_bytes / 2**20, items=counters.items)
        )

    def _refreshPreview(self, box):
        ready = self._isEntered and self.setup.isReady()
        usable = ready and box is not None and self._parameters.preview
        self.preview.setBox(box if usable and self.logic.stateOf(box) in ("drawn", "changed") else None)
        self.picture.show(self._parameters, box)
        if ready:
            self.prefetch.follow(box)

    def _start(self, call):
        try:
            call()
        except MedSAMLiteError as error:
            self.showError(str(error))

    # Wiring

    def _connect(self):
        ui, scene = self.ui, slicer.mrmlScene
        for button, slot in (
            (ui.manageModelsButton, self.modelDialog.show),
            (ui.addBoxButton, lambda: self.onAddBox(False)),
            (ui.addFlatBoxButton, lambda: self.onAddBox(True)),
            (ui.deleteBoxButton, self.onDeleteBox),
            (ui.applyButton, lambda: self.onApply()),
            (ui.applySelectedButton, lambda: self.onApply([self.currentBox()])),
            (ui.cancelButton, self.logic.cancel),
            (ui.positivePointButton, lambda: self.corrections.startPoint(self.currentBox(), True)),
            (ui.negativePointButton, lambda: self.corrections.startPoint(self.currentBox(), False)),
            (ui.keyBoxButton, lambda: self.corrections.startKeyBox(self.currentBox())),
            (ui.undoButton, self.onUndo),
            (ui.clearCacheButton, lambda: (self.logic.engine.cache.clear(), self.refresh())),
        ):
            button.connect("clicked()", slot)
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)
