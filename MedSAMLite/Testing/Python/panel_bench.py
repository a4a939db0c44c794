"""What tests of the panel do again and again: draw a box, let everything settle, see which buttons are enabled."""

import time

import shiboken6
from host import qt_modules

__all__ = ["APP", "delete", "draw", "drain", "enabled", "settle"]

APP = qt_modules.start()


def settle(panel, seconds=30):
    """Let the panel's worker and timer run until nothing is left to do."""
    drain(panel.logic.worker, seconds)


def drain(worker, seconds=30):
    """Let a worker and its timer run until nothing is left to do."""
    end = time.monotonic() + seconds
    while worker.activeJobs and time.monotonic() < end:
        APP.processEvents()
        time.sleep(0.002)
    assert not worker.activeJobs


def delete(widget):
    """As Slicer deletes a panel that is reloaded; else its selectors would list nodes for ever."""
    shiboken6.delete(widget)


def draw(panel, view, corners=((12, 12, 20), (52, 52, 20)), button="addBoxButton"):
    """The box of two clicks at points in RAS."""
    getattr(panel.ui, button).click()
    for corner in corners:
        view.click(corner)
    settle(panel)
    return panel.currentBox()


def enabled(panel):
    names = ("addBox", "deleteBox", "apply", "applySelected", "cancel", "positivePoint", "keyBox", "undo", "show3D")
    return {name for name in names if getattr(panel.ui, name + "Button").isEnabled()}
