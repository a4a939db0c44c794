"""Stand-ins for slicer.i18n, slicer.ScriptedLoadableModule and slicer.packaging.

After Base/Python/slicer/{i18n,ScriptedLoadableModule,packaging}.py of Slicer 5.12.
"""

import os
import types
import unittest

import slicer

__all__ = ["i18n", "packaging", "scriptedLoadableModule"]


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent
        self.moduleName = type(self).__name__


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        self.parent = parent
        self.layout = parent.layout()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False

    def setup(self):
        pass

    def cleanup(self):
        pass

    def onReload(self):
        slicer.util.reloadScriptedModule(self.moduleName)

    def resourcePath(self, filename):
        scriptedModulesPath = os.path.dirname(slicer.util.modulePath(self.moduleName))
        return os.path.join(scriptedModulesPath, "Resources", filename)


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        """The scene's singleton node of this module; it outlives a scene, but loses its attributes."""
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
            node = slicer.mrmlScene.AddNode(node)
        node.SetAttribute("ModuleName", self.moduleName)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def delayDisplay(self, message, requestedDelay=None, msec=None):
        pass


def i18n():
    module = types.ModuleType("slicer.i18n")
    module.tr = lambda text, *_: text
    module.translate = lambda context, text: text
    return module


def scriptedLoadableModule():
    module = types.ModuleType("slicer.ScriptedLoadableModule")
    classes = (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    )
    for cls in classes:
        setattr(module, cls.__name__, cls)
    module.__all__ = [cls.__name__ for cls in classes]
    return module


def packaging():
    """Records what would be installed; a test sets `answer` to decline or to fail."""
    module = types.ModuleType("slicer.packaging")
    module.asked = []
    module.answer = None

    def pip_ensure(requirements, requester=None, **_):
        module.asked.append((list(map(str, requirements)), requester))
        if module.answer is not None:
            raise module.answer

    def load_requirements(path):
        with open(path, encoding="utf-8") as file:
            lines = [line.split("#")[0].strip() for line in file]
        return [line for line in lines if line and not line.startswith("-")]

    module.pip_ensure, module.load_requirements = pip_ensure, load_requirements
    return module
