"""Keys of the panel, alive only while the module is open; none is a key of the slice views."""

import qt
import slicer

__all__ = ["Shortcuts"]


class Shortcuts:
    """From keys to buttons; a disabled button does nothing."""

    def __init__(self, buttons):
        self._buttons = buttons
        self._shortcuts = []

    def install(self):
        """Without a main window there is nothing to press keys in."""
        window = slicer.util.mainWindow()
        if window is None or self._shortcuts:
            return
        for keys, button in self._buttons.items():
            shortcut = qt.QShortcut(qt.QKeySequence(keys), window)
            shortcut.connect("activated()", button.click)
            self._shortcuts.append(shortcut)

    def remove(self):
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []
