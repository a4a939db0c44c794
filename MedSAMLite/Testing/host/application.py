"""Makes `slicer.app`, `slicer.mrmlScene`, `slicer.modules` and the stand-in modules on top of slicer-core."""

import importlib
import os
import sys
import tempfile
import types

# Off-screen OpenGL through EGL needs no display; say so before VTK makes its first window.
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

import slicer
import slicer.util
import vtk

from . import parameters, scripted

__all__ = ["clearScene", "start"]

# Module -> class of its logic; setting the scene registers the module's node classes.
_LOGICS = {
    "colors": "vtkMRMLColorLogic",
    "terminologies": "vtkSlicerTerminologiesModuleLogic",
    "volumes": "vtkSlicerVolumesLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "markups": "vtkSlicerMarkupsLogic",
    "transforms": "vtkSlicerTransformLogic",
}


class _Application(types.SimpleNamespace):
    """`slicer.app`: what the module and slicer.util ask of it."""

    def applicationLogic(self):
        return self.logic

    def mrmlScene(self):
        return slicer.mrmlScene

    def testingEnabled(self):
        return True

    def processEvents(self, *_):
        if "PySide6.QtWidgets" in sys.modules:
            sys.modules["PySide6.QtWidgets"].QApplication.processEvents()

    def topLevelWidgets(self):
        qt = sys.modules.get("PySide6.QtWidgets")
        return qt.QApplication.topLevelWidgets() if qt else []

    def connect(self, signal, slot):
        self.connections.append((signal, slot))

    def setOverrideCursor(self, *_):
        pass

    def restoreOverrideCursor(self):
        pass

    def setRenderPaused(self, *_):
        pass

    def layoutManager(self):
        return None


def start():
    """Once a process: the namespaces, a scene, the module logics."""
    if getattr(slicer, "app", None) is not None:
        clearScene()
        return slicer
    output = vtk.vtkOutputWindow()
    output.SetDisplayModeToAlwaysStdErr()
    vtk.vtkOutputWindow.SetInstance(output)
    _installModules()
    slicer.modules = types.SimpleNamespace()
    slicer.dicomDatabase = None
    slicer.app = _Application(connections=[], temporaryPath=tempfile.gettempdir(), majorVersion=5, minorVersion=13)
    _newScene()
    return slicer


def _newScene():
    scene = slicer.mrmlScene = slicer.vtkMRMLScene()
    slicer.app.logic = logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    _addCaches(scene)
    for name, className in _LOGICS.items():
        module = getattr(slicer, className)()
        module.SetGlobalWarningDisplay(0)  # share files of terminologies are not in the wheel
        if hasattr(module, "SetModuleShareDirectory"):
            module.SetModuleShareDirectory("")
        module.SetMRMLScene(scene)
        module.SetMRMLApplicationLogic(logic)
        logic.SetModuleLogic(name.capitalize(), module)
        setattr(slicer.modules, name, types.SimpleNamespace(logic=lambda module=module: module))
    vtk.vtkObject.SetGlobalWarningDisplay(1)
    logic.GetColorLogic().SetMRMLScene(scene)


def _addCaches(scene):
    """Reading an .mrb needs both managers."""
    cache, dataIO = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    cache.SetRemoteCacheDirectory(tempfile.mkdtemp(prefix="slicer-cache-"))
    cache.SetMRMLScene(scene)
    dataIO.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    scene.SetDataIOManager(dataIO)


def clearScene():
    """File > Close scene."""
    slicer.mrmlScene.Clear(False)


def _installModules():
    for module in (scripted.i18n(), scripted.scriptedLoadableModule(), parameters.module(), scripted.packaging()):
        sys.modules[module.__name__] = module
        setattr(slicer, module.__name__.split(".")[1], module)
    importlib.invalidate_caches()
