"""Stand-in for qSlicerSegmentEditorScriptedEffect: the calls that the effect makes, on a real segmentation."""

import sys
import types

import slicer

__all__ = ["ScriptedEffect", "install"]


class AbstractScriptedSegmentEditorEffect:
    """After Slicer's class of this name."""

    def __init__(self, scriptedEffect):
        self.scriptedEffect = scriptedEffect


class _ViewWidget:
    """A qMRMLSliceWidget as the effect sees it."""

    def __init__(self, view):
        self.view = view

    def className(self):
        return "qMRMLSliceWidget"

    def mrmlSliceNode(self):
        return self.view.node


class ScriptedEffect:
    """Adds by MERGE_MAX as Slicer does when no masking is set; keeps options widgets and undo states."""

    def __init__(self, view):
        self.view, self.widget = view, _ViewWidget(view)
        self.name = self.title = ""
        self.options, self.undoStates = [], 0
        self.node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")

    def parameterSetNode(self):
        return self.node

    def addOptionsWidget(self, widget):
        self.options.append(widget)

    def addLabeledOptionsWidget(self, label, widget):
        self.options.append(widget)

    def renderer(self, viewWidget):
        return self.view.renderer

    def renderWindow(self, viewWidget):
        return self.view.window

    def defaultModifierLabelmap(self):
        """An image of the segmentation's reference geometry."""
        name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
        geometry = self.node.GetSegmentationNode().GetSegmentation().GetConversionParameter(name)
        image = slicer.vtkOrientedImageData()
        slicer.vtkSegmentationConverter.DeserializeImageGeometry(geometry, image)
        return image

    def saveStateForUndo(self):
        self.undoStates += 1

    def modifySelectedSegmentByLabelmap(self, image, mode):
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        segmentation, segment = self.node.GetSegmentationNode(), self.node.GetSelectedSegmentID()
        logic.SetBinaryLabelmapToSegment(image, segmentation, segment, logic.MODE_MERGE_MAX, image.GetExtent())


def install():
    module = types.ModuleType("SegmentEditorEffects")
    module.AbstractScriptedSegmentEditorEffect = AbstractScriptedSegmentEditorEffect
    sys.modules["SegmentEditorEffects"] = module
    slicer.qSlicerSegmentEditorAbstractEffect = types.SimpleNamespace(ModificationModeAdd=1)
