"""The section *Set-up*: shown only while something is missing; one button, and what to do without internet."""

__all__ = ["SetupView"]


class SetupView:
    """Shows a `DependencySetup`.

    Parameters
    ----------
    installed : called after the button was pressed, however it ended
    """

    def __init__(self, ui, setup, installed):
        self.ui, self.setup, self.installed = ui, setup, installed
        ui.installButton.connect("clicked()", self.onInstall)
        ui.offlineButton.connect("toggled(bool)", ui.offlineLabel.setVisible)
        ui.offlineLabel.setVisible(False)

    def refresh(self):
        """Show what is missing now, or nothing."""
        ready = self.setup.isReady()
        self.ui.setupCollapsibleButton.setVisible(not ready)
        if not ready:
            self.ui.setupLabel.setText(self.setup.explanation())
            self.ui.offlineLabel.setText(self.setup.offlineInstructions())

    def onInstall(self):
        if not self.setup.install():
            self.ui.offlineButton.setChecked(True)
        self.installed()
