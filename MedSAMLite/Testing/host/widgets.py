"""PySide6 stand-ins for the Slicer and CTK widgets that the panel's .ui file names."""

import weakref

from PySide6 import QtCore, QtWidgets
from shiboken6 import isValid

__all__ = ["CUSTOM"]

Property, Signal = QtCore.Property, QtCore.Signal


class qMRMLWidget(QtWidgets.QWidget):
    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene):
        """Also does what the .ui file's connections to mrmlSceneChanged do in Slicer."""
        for child in self.findChildren(QtWidgets.QWidget):
            if hasattr(child, "setMRMLScene"):
                child.setMRMLScene(scene)
        self.mrmlSceneChanged.emit(scene)


class qMRMLNodeComboBox(QtWidgets.QComboBox):
    currentNodeChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = self._current = None
        self._nodes, self._types, self._hidden = [], [], []
        self._none, self._children = False, True
        self.activated.connect(lambda index: self.setCurrentNode(self._nodes[index]))

    def setMRMLScene(self, scene):
        self._scene = scene
        me = weakref.ref(self)
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent):
            scene.AddObserver(event, lambda *_: me() is not None and isValid(me()) and me()._list())
        self._list()

    def currentNode(self):
        return self._current

    def setCurrentNode(self, node):
        self._list()
        if node is not None and node not in self._nodes:
            node = None
        if node is not self._current:
            self._current = node
            self._list()
            self.currentNodeChanged.emit(node)

    def _list(self):
        nodes = [None] if self._none else []
        for className in self._types:
            for index in range(self._scene.GetNumberOfNodesByClass(className) if self._scene else 0):
                node = self._scene.GetNthNodeByClass(index, className)
                hidden = any(map(node.IsA, self._hidden)) if self._children else node.GetClassName() != className
                if not hidden and not node.GetHideFromEditors() and node not in nodes:
                    nodes.append(node)
        gone = self._current is not None and self._current not in nodes
        self._nodes, self._current = nodes, None if gone else self._current
        self.blockSignals(True)
        self.clear()
        self.addItems([node.GetName() if node is not None else "None" for node in nodes])
        self.setCurrentIndex(nodes.index(self._current) if self._current in nodes else -1)
        self.blockSignals(False)
        if gone:
            self.currentNodeChanged.emit(None)

    nodeTypes = Property("QStringList", lambda s: s._types, lambda s, v: setattr(s, "_types", list(v)))
    noneEnabled = Property(bool, lambda s: s._none, lambda s, v: setattr(s, "_none", v))
    showChildNodeTypes = Property(bool, lambda s: s._children, lambda s, v: setattr(s, "_children", v))
    hideChildNodeTypes = Property("QStringList", lambda s: s._hidden, lambda s, v: setattr(s, "_hidden", list(v)))
    addEnabled = Property(bool, lambda s: False, lambda s, v: None)
    removeEnabled = Property(bool, lambda s: False, lambda s, v: None)
    renameEnabled = Property(bool, lambda s: False, lambda s, v: None)


class ctkCollapsibleButton(QtWidgets.QGroupBox):
    """Its content is hidden while it is collapsed."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._collapsed = False

    def _collapse(self, collapsed):
        self._collapsed = collapsed
        self.setMaximumHeight(22 if collapsed else 16777215)

    text = Property(str, lambda s: s.title(), lambda s, v: s.setTitle(v))
    collapsed = Property(bool, lambda s: s._collapsed, _collapse)


CUSTOM = (qMRMLWidget, qMRMLNodeComboBox, ctkCollapsibleButton)
