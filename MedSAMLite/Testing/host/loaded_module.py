"""A stand-in for qSlicerScriptedLoadableModuleWidget: the representation of a loaded module that Slicer reloads.

`slicer.util.reloadScriptedModule` itself is Slicer's own; after qSlicerScriptedLoadableModuleWidget.cxx.
"""

import importlib
import sys
import types

import slicer

__all__ = ["load", "unload"]


def load(name):
    """What Slicer does when the module is first opened; returns the panel's Python widget."""
    import qt

    class Representation(qt.QWidget):
        """Its `reload` makes the Python widget anew from the module in `sys.modules`, and does not enter it."""

        isEntered = False

        def reload(self):
            widget = getattr(sys.modules[name], f"{name}Widget")(self)
            setattr(slicer.modules, f"{name}Widget", widget)
            widget.setup()

    importlib.import_module(name)
    parent = Representation()
    parent.setLayout(qt.QVBoxLayout())
    setattr(slicer.modules, name.lower(), types.SimpleNamespace(widgetRepresentation=lambda: parent))
    parent.reload()
    parent.isEntered = True
    getattr(slicer.modules, f"{name}Widget").enter()
    return getattr(slicer.modules, f"{name}Widget")


def unload(name):
    """What Slicer does when it quits: moduleAboutToBeUnloaded calls `cleanup`."""
    getattr(slicer.modules, f"{name}Widget").cleanup()
    delattr(slicer.modules, f"{name}Widget")
    delattr(slicer.modules, name.lower())
