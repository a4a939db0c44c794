"""`qt` and `ctk` as Slicer's PythonQt offers them, on PySide6 and off screen.

One flat module, ``widget.connect("clicked()", slot)``, and QUiLoader that knows Slicer's widgets.
"""

import ctypes
import os
import sys
import types

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets  # noqa: E402

from .widgets import CUSTOM  # noqa: E402

__all__ = ["start"]

_ARGUMENTS = {"bool": bool, "int": int, "double": float, "QString": str}
_made = {}


def _connect(self, signal, slot):
    """PythonQt only warns where there is no signal of exactly this signature."""
    if self.metaObject().indexOfSignal(signal) < 0:
        raise AttributeError(f"{self.metaObject().className()} has no signal {signal}")
    name, _, arguments = signal.partition("(")
    bound, arguments = getattr(self, name), arguments.rstrip(")")
    count = len(arguments.split(",")) if arguments else 0

    def call(*values):
        slot(*values[:count])

    kept = self.__dict__.setdefault("_slots", [])
    kept.append(call)
    if arguments in _ARGUMENTS:
        bound = bound[_ARGUMENTS[arguments]]
    bound.connect(call)


def _withConnect(cls):
    if cls not in _made:
        _made[cls] = type(cls.__name__, (cls,), {"connect": _connect})
    return _made[cls]


class QUiLoader(QtUiTools.QUiLoader):
    def createWidget(self, className, parent=None, name=""):
        own = {cls.__name__: cls for cls in CUSTOM}
        widget = _withConnect(own.get(className) or getattr(QtWidgets, className))(parent)
        widget.setObjectName(name)
        return widget


class _Qt(types.ModuleType):
    def __getattr__(self, name):
        if name == "QUiLoader":
            return QUiLoader
        for library in (QtCore, QtGui, QtWidgets):
            found = getattr(library, name, None)
            if found is not None:
                isObject = isinstance(found, type) and issubclass(found, QtCore.QObject)
                return _withConnect(found) if isObject and name != "QObject" else found
        raise AttributeError(name)


def _makeImmortal(*constants):
    """PySide6 6.12 takes a reference from None with each call that returns it, harmless from Python 3.12 on."""
    if sys.version_info < (3, 12):
        for constant in constants:
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


def start():
    """Once a process: an application, and the modules `qt` and `ctk`."""
    if QtWidgets.QApplication.instance() is None:
        _makeImmortal(None, True, False)
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["MedSAMLite"])
    application.setStyle("Fusion")
    QtCore.QLoggingCategory.setFilterRules("qt.core.qobject.connect=false")  # those of the .ui, see qMRMLWidget
    QtCore.QFile.ReadOnly = QtCore.QIODevice.ReadOnly
    QtCore.QObject.name = property(lambda self: self.objectName())  # slicer.util.childWidgetVariables reads it
    sys.modules["qt"], sys.modules["ctk"] = _Qt("qt"), types.ModuleType("ctk")
    return application
