"""Stand-in for slicer.parameterNodeWrapper: typed parameters on a node, validators, binding to a .ui.

Storage as in Slicer: plain values as text under their name (enums by member name), nodes as node
references whose role is the parameter's name; widgets are bound by the property SlicerParameterName.
Also as in Slicer, a wrapper tells what it read when the node was last modified, one observer a parameter, and
binding a node selector sets its node types to the one of the parameter.
"""

import enum
import types
import typing
import weakref

import slicer
import slicer.util
import vtk

__all__ = ["module"]


class Validator:
    """Base of the annotations that refuse values."""


class WithinRange(Validator):
    def __init__(self, minimum, maximum):
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value):
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class _Parameter:
    def __init__(self, name, hint, default):
        self.name = name
        self.validators = [a for a in getattr(hint, "__metadata__", ()) if isinstance(a, Validator)]
        self.type = typing.get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
        self.isNode = issubclass(self.type, slicer.vtkMRMLNode)
        self.isEnum = issubclass(self.type, enum.Enum)
        self.default = default if default is not None or self.isNode else self.type()

    def __get__(self, wrapper, owner=None):
        if wrapper is None:
            return self
        return wrapper._values[self.name]

    def read(self, node):
        """What the node holds; the default is written where it holds nothing."""
        if not node.HasParameter(self.name):
            self.write(node, self.default)
        if self.isNode:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if self.isEnum:
            return self.type[text]
        return text == "True" if self.type is bool else self.type(text)

    def __set__(self, wrapper, value):
        allowed = (float, int) if self.type is float else self.type
        if not (self.isNode and value is None) and not isinstance(value, allowed):
            raise ValueError(f"{self.name}: {value!r} is not of type {self.type.__name__}")
        for validator in self.validators:
            validator.validate(value)
        with slicer.util.NodeModify(wrapper.parameterNode):
            self.write(wrapper.parameterNode, value)
            wrapper._values[self.name] = self.read(wrapper.parameterNode)

    def write(self, node, value):
        if self.isNode:
            node.SetParameter(self.name, "")
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
        else:
            node.SetParameter(self.name, value.name if self.isEnum else str(self.type(value)))


class _Connection:
    """One widget and one parameter, kept equal."""

    def __init__(self, wrapper, parameter, widget):
        self.wrapper, self.parameter, self.widget = wrapper, parameter, widget
        self.signal, self.read, self.write = self._accessors()
        self.signal.connect(self.toParameter)

    def _accessors(self):
        w = self.widget
        if self.parameter.isNode:
            w.setProperty("nodeTypes", [self.parameter.type.__name__])
            return w.currentNodeChanged, w.currentNode, w.setCurrentNode
        if self.parameter.isEnum:
            members = list(self.parameter.type)
            w.clear()
            w.addItems([member.label() for member in members])
            return (
                w.currentIndexChanged,
                lambda: members[w.currentIndex()],
                lambda v: w.setCurrentIndex(members.index(v)),
            )
        if self.parameter.type is bool:
            return w.toggled, w.isChecked, w.setChecked
        if self.parameter.type is str:
            return w.textChanged, w.text, w.setText
        return w.valueChanged, lambda: self.parameter.type(w.property("value")), w.setValue

    def toParameter(self, *_):
        if not self.wrapper.updatingGui:
            setattr(self.wrapper, self.parameter.name, self.read())

    def close(self):
        self.signal.disconnect(self.toParameter)


def parameterNodeWrapper(cls):
    """Class decorator."""
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = {name: _Parameter(name, hint, vars(cls).get(name)) for name, hint in hints.items()}
    for name, parameter in fields.items():
        setattr(cls, name, parameter)

    def __init__(self, parameterNode):
        self.parameterNode, self.updatingGui = parameterNode, False
        self._connected, self._nextTag = {}, 0
        me, event = weakref.ref(self), vtk.vtkCommand.ModifiedEvent
        self._values = {name: field.read(parameterNode) for name, field in fields.items()}
        # VTK calls the one that was added first at the very end.
        self._observers = [
            parameterNode.AddObserver(event, lambda *_, f=f: readAgain(me(), f)) for f in fields.values()
        ]

    def readAgain(self, field):
        self._values[field.name] = field.read(self.parameterNode)

    def __del__(self):
        for tag in self._observers:
            self.parameterNode.RemoveObserver(tag)

    def connectGui(self, gui):
        """Answers nothing: until 5.12 Slicer keeps the tag to itself, and what is connected stays connected."""
        widgets = [widget for widget in vars(gui).values() if hasattr(widget, "property")]
        named = {widget.property("SlicerParameterName"): widget for widget in widgets}
        connectParametersToGui(self, {name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, mapping):
        tag = self._nextTag
        self._nextTag += 1
        connections = [_Connection(self, fields[name], widget) for name, widget in mapping.items()]

        def update(caller=None, event=None):
            self.updatingGui = True
            for connection in connections:
                value = getattr(self, connection.parameter.name)
                if connection.read() != value:
                    connection.write(value)
            self.updatingGui = False

        update()
        observer = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, update)
        self._connected[tag] = (observer, connections)
        return tag

    def disconnectGui(self, tag):
        if tag not in self._connected:
            return
        observer, connections = self._connected.pop(tag)
        self.parameterNode.RemoveObserver(observer)
        for connection in connections:
            connection.close()

    def AddObserver(self, event, callback, priority=0.0):
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        self.parameterNode.RemoveObserver(tag)

    for function in (__init__, __del__, connectGui, connectParametersToGui, disconnectGui, AddObserver, RemoveObserver):
        setattr(cls, function.__name__, function)
    return cls


def module():
    wrapper = types.ModuleType("slicer.parameterNodeWrapper")
    wrapper.parameterNodeWrapper, wrapper.Validator, wrapper.WithinRange = parameterNodeWrapper, Validator, WithinRange
    return wrapper
