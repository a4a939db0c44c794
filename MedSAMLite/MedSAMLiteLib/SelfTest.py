"""Scenarios for the running application: what stand-ins cannot prove.  Needs no network; uses a volume made here.

Each function is one scenario and asserts; `run` yields their names as they pass.
"""

import importlib.util

import numpy as np
import slicer

from .BoxNode import BoxNode
from .Logic import MedSAMLiteLogic

__all__ = ["SCENARIOS", "missing", "run"]

_BOX = (18, 18, 4, 46, 46, 16)


def missing():
    """Why the scenarios cannot be run here; empty when they can.  A test never installs anything."""
    if importlib.util.find_spec("onnxruntime") is None:
        return "ONNX Runtime is not installed: press Install ONNX Runtime in the panel, then test again."
    return ""


def run():
    """Run every scenario in a scene of its own."""
    for scenario in SCENARIOS:
        slicer.mrmlScene.Clear()
        logic = MedSAMLiteLogic()
        try:
            scenario(logic)
        finally:
            logic.close()
        yield scenario.__name__


def applyAndUndo(logic):
    volume = _ball()
    before = slicer.util.arrayFromVolume(volume).copy()
    box = logic.addBox(volume, _BOX, name="Ball")
    logic.apply([box], wait=True)
    assert _dice(logic, box) > 0.7, _dice(logic, box)
    assert logic.stateOf(box) == "segmented" and logic.statisticsOf(box)["ml"] > 1
    assert np.array_equal(slicer.util.arrayFromVolume(volume), before)
    logic.undo(box.segmentation)
    assert logic.stateOf(box) == "drawn"


def tiltedAndTransformed(logic):
    tilted = np.diag([0.8, 0.8, 2.0, 1.0])
    tilted[:3, :3] = np.array([[0.6, 0.8, 0], [0.8, -0.6, 0], [0, 0, 1]]) @ tilted[:3, :3]
    volume = _ball(tilted)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(
        transform, np.array([[0, -1, 0, 5], [1, 0, 0, -7], [0, 0, 1, 3], [0, 0, 0, 1.0]])
    )
    volume.SetAndObserveTransformNodeID(transform.GetID())
    box = logic.addBox(volume, _BOX)
    assert box.voxels.text == " ".join(map(str, _BOX))
    logic.apply([box], wait=True)
    assert _dice(logic, box) > 0.7, _dice(logic, box)


def colourPicture(logic):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    picture = np.full((1, 64, 64, 3), 30, np.uint8)
    picture[0, 20:44, 20:44] = (220, 150, 140)
    slicer.util.updateVolumeFromArray(node, picture)
    box = logic.addBox(node, (18, 18, 0, 46, 46, 0))
    logic.apply([box], wait=True)
    assert logic.maskOf(box)[0].any()


def correctedSlice(logic):
    box = logic.addBox(_ball(), _BOX, drawnSlice=10)
    logic.apply([box], wait=True)
    logic.correct(box, 12, key=(26, 26, 12, 38, 38, 12), wait=True)
    assert set(logic.recordOf(box).keys) == {10, 12}
    logic.undo(box.segmentation)
    assert set(logic.recordOf(box).keys) == {10}


def savedScene(logic):
    import os

    box = logic.addBox(_ball(), _BOX, name="Ball")
    logic.apply([box], wait=True)
    mask = logic.maskOf(box)[0].copy()
    path = os.path.join(slicer.app.temporaryPath, "MedSAMLite-self-test.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear()
    slicer.util.loadScene(path)
    os.remove(path)
    [box] = BoxNode.all()
    assert logic.stateOf(box) == "segmented" and np.array_equal(logic.maskOf(box)[0], mask)


def closedDuringJob(logic):
    job = logic.apply([logic.addBox(_ball(), _BOX)])
    slicer.mrmlScene.Clear()
    while job.isActive:
        logic.worker.pump()
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def panelAndPreview(logic):
    """Skipped where there is no main window."""
    if slicer.util.mainWindow() is None:
        return
    slicer.util.selectModule("MedSAMLite")
    panel = slicer.modules.medsamlite.widgetRepresentation().self().panel
    volume = _ball()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    panel.logic.getParameterNode().inputVolume = volume
    box = panel.logic.addBox(volume, _BOX, drawnSlice=10)
    panel.selectBox(box)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *box.roi.GetCenter())
    panel.preview.update()
    while panel.logic.worker.activeJobs:
        slicer.app.processEvents()
    assert panel.preview.shownSlice is not None
    assert panel.ui.applyButton.isEnabled()


SCENARIOS = (
    applyAndUndo,
    tiltedAndTransformed,
    colourPicture,
    correctedSlice,
    savedScene,
    closedDuringJob,
    panelAndPreview,
)


def _ball(ijkToRAS=None):
    k, j, i = np.indices((20, 64, 64))
    ball = (i - 32) ** 2 + (j - 32) ** 2 + (2.2 * (k - 10)) ** 2 < 13**2
    array = np.where(ball, 150, 20).astype(np.int16)
    return slicer.util.addVolumeFromArray(array, ijkToRAS=np.eye(4) if ijkToRAS is None else ijkToRAS, name="Ball")


def _dice(logic, box):
    array = slicer.util.arrayFromVolume(box.volume)
    truth, got = array == 150, np.zeros(array.shape, bool)
    mask, origin = logic.maskOf(box)
    got[tuple(slice(o, o + n) for o, n in zip(origin, mask.shape))] = mask
    return 2 * (truth & got).sum() / (truth.sum() + got.sum())
