"""What ends a job early: scene close, deleted nodes, another volume, leaving, reload, quitting; at every stage."""

import gc
import subprocess
import sys
import types

import numpy as np
import pytest
import slicer
import vtk

pytest.importorskip("PySide6", reason="PySide6 is not installed for this Python: pip install PySide6-Essentials")

from conftest import ROOT  # noqa: E402
from gate import STAGES, Gate  # noqa: E402
from host import loaded_module  # noqa: E402
from panel_bench import draw, enabled, settle  # noqa: E402
from phantoms import makeVolume  # noqa: E402


def test_scene_close_during_a_job_leaves_an_empty_working_panel(panel, view):
    draw(panel, view)
    panel.ui.applyButton.click()
    slicer.mrmlScene.Clear(False)
    settle(panel)
    assert panel.ui.boxTable.rowCount() == 0
    makeVolume(np.full((4, 16, 16), 200, np.uint8))
    panel.exit()
    panel.enter()
    assert enabled(panel) == {"addBox"}


def test_nothing_stays_after_clean_up(scene, volume):
    from MedSAMLiteLib.Panel import Panel

    nodes = scene.GetNumberOfNodes()
    panel = Panel(lambda name: str(ROOT / "MedSAMLite" / "Resources" / name))
    panel.enter()
    box = panel.logic.addBox(volume, (12, 12, 2, 50, 50, 18), drawnSlice=10)
    panel.selectBox(box)
    panel.logic.apply()
    thread = panel.logic.worker._thread
    panel.cleanup()
    assert not thread.is_alive() and not panel.Observations and not panel.preview.Observations
    scene.RemoveNode(box.roi.GetDisplayNode())
    scene.RemoveNode(box.roi)
    assert scene.GetNumberOfNodes() <= nodes + 1  # the parameter node


def test_the_module_file_makes_the_panel_and_the_logic(scene, volume):
    import importlib

    import qt

    module = importlib.import_module("MedSAMLite")
    parent = qt.QWidget()
    parent.setLayout(qt.QVBoxLayout())
    parent.isEntered = True
    module.MedSAMLite(types.SimpleNamespace())
    assert [signal for signal, _ in slicer.app.connections][-1] == "startupCompleted()"
    widget = module.MedSAMLiteWidget(parent)
    widget.setup()
    widget.enter()
    assert type(widget.logic) is module.MedSAMLiteLogic
    widget.exit()
    widget.cleanup()


def otherVolume(panel, volume, box):
    panel.ui.inputVolumeSelector.setCurrentNode(makeVolume(np.full((4, 16, 16), 200, np.uint8), name="Other"))


EVENTS = {
    "scene closed": lambda panel, volume, box: slicer.mrmlScene.Clear(False),
    "volume deleted": lambda panel, volume, box: slicer.mrmlScene.RemoveNode(volume),
    "box deleted": lambda panel, volume, box: panel.ui.deleteBoxButton.click(),
    "segmentation deleted": lambda panel, volume, box: slicer.mrmlScene.RemoveNode(box.segmentation),
    "other volume chosen": otherVolume,
    "module left": lambda panel, volume, box: panel.exit(),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("event", EVENTS)
def test_whatever_happens_during_a_job_the_panel_goes_on(panel, volume, stage, event):
    box = panel.logic.addBox(volume, (12, 12, 4, 52, 52, 15))
    panel.logic.apply([box], wait=True)
    panel.selectBox(box)
    segmentation = box.segmentation
    gate = Gate(panel.logic, stage)
    panel.ui.applyButton.click()
    gate.reach()
    EVENTS[event](panel, volume, box)
    gate.open()
    settle(panel)
    held = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    if event == "scene closed":
        assert not held and panel.ui.boxTable.rowCount() == 0
    elif event == "segmentation deleted":
        assert len(held) == 1 and held[0] is not segmentation and box.segmentation is held[0]
    else:
        assert held == [segmentation] and segmentation.GetSegmentation().GetNumberOfSegments() == 1
    assert not slicer.util.getNodesByClass("vtkMRMLLabelMapVolumeNode")
    panel.exit()
    fresh = makeVolume(np.full((6, 32, 32), 200, np.uint8), name="Fresh")  # and it can be worked with
    panel.enter()
    panel.ui.inputVolumeSelector.setCurrentNode(fresh)
    panel.logic.getParameterNode().model = "tiny"
    again = panel.logic.addBox(fresh, (4, 4, 1, 20, 20, 4))
    panel.ui.applyButton.click()
    settle(panel)
    assert panel.logic.stateOf(again) == "segmented"


def test_a_box_moved_off_its_volume_during_a_job_leaves_the_panel_working(panel, volume):
    box = panel.logic.addBox(volume, (12, 12, 4, 52, 52, 15))
    panel.selectBox(box)
    gate = Gate(panel.logic, "running")
    panel.ui.applyButton.click()
    gate.reach()
    box.roi.SetCenter(1000, 0, 0)
    panel.refresh()
    assert enabled(panel) == {"addBox", "deleteBox", "cancel"} and not panel.ui.firstSliceSpinBox.isEnabled()
    gate.open()
    settle(panel)
    assert panel.ui.boxTable.item(0, 2).text() == "outside the volume"
    assert "Done" in panel.ui.statusLabel.text()


def test_a_volume_that_lost_its_voxels_during_a_job_is_told(panel, volume):
    panel.selectBox(panel.logic.addBox(volume, (12, 12, 4, 52, 52, 15)))
    gate = Gate(panel.logic, "running")
    panel.ui.applyButton.click()
    gate.reach()
    volume.SetAndObserveImageData(None)
    gate.open()
    settle(panel)
    assert "changed meanwhile" in panel.ui.statusLabel.text()
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


@pytest.mark.parametrize("isEntered", [True, False])
@pytest.mark.parametrize("event", ["closed", "volume deleted"])
def test_a_volume_that_is_gone_leaves_memory(panel, event, isEntered):
    own = makeVolume(np.full((20, 64, 64), 200, np.uint8), name="Own")
    gone = []
    own.AddObserver(vtk.vtkCommand.DeleteEvent, lambda *_: gone.append(True))
    panel.ui.inputVolumeSelector.setCurrentNode(own)
    panel.selectBox(panel.logic.addBox(own, (12, 12, 4, 52, 52, 15), drawnSlice=10))
    panel.logic.apply(wait=True)
    settle(panel)
    if not isEntered:
        panel.exit()
    if event == "closed":
        slicer.mrmlScene.Clear(False)
    else:
        slicer.mrmlScene.RemoveNode(own)
    del own
    gc.collect()
    assert gone


@pytest.fixture
def modules():
    """Reloading replaces the module's classes; the other tests go on with those they imported."""
    before = {
        name: module for name, module in sys.modules.items() if name.startswith(("MedSAMLite", "medsam_backends"))
    }
    yield
    for name in [name for name in sys.modules if name.startswith(("MedSAMLite", "medsam_backends"))]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.parametrize("stage", STAGES)
def test_reloading_during_a_job_gives_a_new_panel_and_leaves_nothing_of_the_old(scene, volume, modules, stage):
    old = loaded_module.load("MedSAMLite")
    old.logic.getParameterNode().model = "tiny"
    box = old.logic.addBox(volume, (12, 12, 4, 52, 52, 15))
    gate = Gate(old.logic, stage)
    old.panel.ui.applyButton.click()
    gate.reach()
    gate.open(after_s=0.1)
    thread, logicBefore = old.logic.worker._thread, old.logic
    old.onReload()
    new = slicer.modules.MedSAMLiteWidget
    assert new is not old and type(new.logic) is not type(logicBefore)
    assert not thread.is_alive() and not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert new.panel._isEntered  # as the old one was
    [row] = [new.panel.ui.boxTable.item(row, 0).text() for row in range(new.panel.ui.boxTable.rowCount())]
    assert row == box.name
    new.panel.ui.applyButton.click()
    settle(new.panel)
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 1
    loaded_module.unload("MedSAMLite")


QUIT = """
import sys
sys.path[:0] = {folders!r}
from host import application, loaded_module, qt_modules
application.start()
qt_modules.start()
import slicer
slicer.util.modulePath = lambda name: {module!r}
import MedSAMLiteLib, numpy as np, phantoms
from gate import Gate
volume = phantoms.makeVolume(np.full((40, 64, 64), 200, np.uint8))
widget = loaded_module.load("MedSAMLite")
widget.logic.getParameterNode().model = "tiny"
widget.logic.addBox(volume, (8, 8, 2, 50, 50, 38))
gate = Gate(widget.logic, "running")
widget.panel.ui.applyButton.click()
gate.reach()
gate.open(after_s=0.2)
if {unload!r}:
    loaded_module.unload("MedSAMLite")
print("quits", flush=True)
"""


@pytest.mark.parametrize("unload", [True, False], ids=["as Slicer quits", "without any clean-up"])
def test_quitting_during_a_job_ends_the_process_cleanly(modelFolder, unload):
    folders = [str(ROOT / "MedSAMLite" / folder) for folder in ("", "Testing", "Testing/Python")]
    code = QUIT.format(folders=folders, module=str(ROOT / "MedSAMLite" / "MedSAMLite.py"), unload=unload)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0 and done.stdout.strip() == "quits", done.stderr
    assert "Traceback" not in done.stderr and "Fatal" not in done.stderr
