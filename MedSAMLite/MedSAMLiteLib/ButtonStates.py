"""Which buttons of the panel may be pressed, and the tooltip that says why one may not."""

from slicer.i18n import tr as _

__all__ = ["ButtonStates"]


class ButtonStates:
    """Enables and disables; a disabled button's tooltip is the reason."""

    def __init__(self, ui, logic, setup):
        self.ui, self.logic, self.setup = ui, logic, setup

    @property
    def firstStep(self):
        """What is to be done before anything can be segmented; empty when nothing is."""
        button = self.ui.applyButton
        return "" if button.property("enabled") or self.logic.isBusy() else button.property("toolTip")

    def refresh(self, parameters, boxes, box):
        """Bring all buttons up to date.

        Parameters
        ----------
        boxes, box : of the input volume, and the selected one or None
        """
        for button, reason in self._reasons(parameters, boxes, box):
            tip = button.property("enabledToolTip")
            if tip is None:
                tip = button.property("toolTip")
                button.setProperty("enabledToolTip", tip)
            button.setEnabled(not reason)
            button.setToolTip(reason or tip)

    def _reasons(self, parameters, boxes, box):
        ui, busy = self.ui, self.logic.isBusy()
        noVolume = "" if parameters.inputVolume is not None else _("Choose an input volume first.")
        notReady = "" if self.setup.isReady() else _("ONNX Runtime is missing: see Set-up above.")
        noModel = "" if parameters.model else _("There is no model: see Manage models.")
        isBusy = _("A segmentation is running: wait for it, or cancel it.") if busy else ""
        drawn = any(b.isOnVolume for b in boxes)
        noSelection = "" if box is not None else _("Select a box in the table first.")
        hasResult = box is not None and self.logic.recordOf(box) is not None
        canRun = notReady or noModel or isBusy
        canApply = noVolume or canRun or ("" if drawn else _("Add a box first."))
        canCorrect = canRun or noSelection
        canCorrect = canCorrect or ("" if hasResult else _("The selected box has no result: press Apply first."))
        canUndo = self.logic.history.canUndo(parameters.segmentation)
        noSegmentation = "" if parameters.segmentation is not None else _("There is no segmentation yet.")
        return (
            (ui.addBoxButton, noVolume),
            (ui.addFlatBoxButton, noVolume),
            (ui.deleteBoxButton, noSelection),
            (ui.applyButton, canApply),
            (ui.applySelectedButton, canApply or noSelection),
            (ui.cancelButton, "" if busy else _("Nothing is running.")),
            (ui.positivePointButton, canCorrect),
            (ui.negativePointButton, canCorrect),
            (ui.keyBoxButton, canCorrect),
            (ui.undoButton, isBusy or ("" if canUndo else _("There is nothing to undo."))),
            (ui.show3DButton, noSegmentation),
            (ui.segmentEditorButton, noSegmentation),
        )
