"""MedSAM Lite: what 3D Slicer needs to see of the module; everything else is in MedSAMLiteLib.

Nothing heavy is imported here: Slicer runs this file at every start.
"""

import os
import sys

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class MedSAMLite(ScriptedLoadableModule):
    """Title, help and what is registered at start-up."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MedSAM Lite")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations", "Markups"]
        self.parent.contributors = ["The MedSAMLite contributors"]
        self.parent.helpText = _(
            "Segment organs and lesions from boxes: draw a box in a slice view, see the mask of that slice at once, "
            "set the first and last slice, press Apply. Runs on any computer, without a graphics card. "
            "For research; not for clinical use."
        )
        self.parent.acknowledgementText = _(
            "After MedSAM and LiteMedSAM (Ma et al., Segment anything in medical images, Nature Communications 2024). "
            "This module is independent of bowang-lab/MedSAMSlicer, which has a module of the same name: "
            "only one of them can be loaded."
        )
        slicer.app.connect("startupCompleted()", onStartupCompleted)


def onStartupCompleted():
    """The Segment Editor effect and sample data, once Slicer can take them."""
    from MedSAMLiteLib.SampleData import registerSampleData

    registerEffect()  # first: an application may come without the module Sample Data
    registerSampleData(os.path.join(os.path.dirname(__file__), "Resources", "Icons"))


def registerEffect():
    """Add the effect "MedSAM box" to the Segment Editor."""
    import qSlicerSegmentationsEditorEffectsPythonQt as effects

    effect = effects.qSlicerSegmentEditorScriptedEffect(None)
    # Slicer names the Python module after the folder, so the effect has a folder of its own.
    path = os.path.join(os.path.dirname(__file__), "MedSAMLiteEffect", "SegmentEditorEffect.py")
    effect.setPythonSource(path.replace("\\", "/"))
    effect.self().register()


class MedSAMLiteWidget(ScriptedLoadableModuleWidget):
    """Hands Slicer's calls to the panel."""

    panel = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        from MedSAMLiteLib.Panel import Panel

        self.panel = Panel(self.resourcePath)
        self.layout.addWidget(self.panel.widget)
        self.logic = self.panel.logic
        if getattr(self.parent, "isEntered", False):  # after a reload, which Slicer does not follow by `enter`
            self.enter()

    def enter(self):
        self.panel.enter()

    def exit(self):
        self.panel.exit()

    def cleanup(self):
        if self.panel is not None:
            self.panel.cleanup()
            self.panel = None

    def onReload(self):
        for name in [name for name in sys.modules if name.split(".")[0] in ("MedSAMLiteLib", "medsam_backends")]:
            del sys.modules[name]  # Slicer itself reloads this file only
        ScriptedLoadableModuleWidget.onReload(self)


def __getattr__(name):
    """MedSAMLiteLogic, imported when somebody asks for it."""
    if name == "MedSAMLiteLogic":
        from MedSAMLiteLib.Logic import MedSAMLiteLogic

        return MedSAMLiteLogic
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class MedSAMLiteTest(ScriptedLoadableModuleTest):
    """The scenarios of MedSAMLiteLib/SelfTest.py in the running application; needs no network."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_scenarios()

    def test_scenarios(self):
        from MedSAMLiteLib.SelfTest import missing, run

        if missing():
            self.skipTest(missing())
        for name in run():
            self.delayDisplay(f"{name} passed")
