"""Jobs that end early, without a panel: cancelled, the volume changed, nodes deleted, the scene or logic closed."""

import numpy as np
import pytest
import slicer
import vtk
from gate import STAGES, Gate
from medsam_backends.errors import Cancelled, InputError
from MedSAMLiteLib.Logic import MedSAMLiteLogic
from phantoms import makeVolume

BALL_BOX = (12, 12, 4, 52, 52, 16)


def test_cancel_changes_nothing(logic, volume):
    box = logic.addBox(volume, BALL_BOX)
    job = logic.apply([box])
    logic.cancel()
    with pytest.raises(Cancelled):
        job.wait(10)
    assert box.segmentation is None and logic.stateOf(box) == "drawn"
    logic.apply([box], wait=True)  # and the next job is not cancelled with it
    assert logic.stateOf(box) == "segmented"


def test_a_volume_that_changes_during_the_job_is_not_segmented(logic, volume):
    box = logic.addBox(volume, BALL_BOX)
    job = logic.apply([box])
    slicer.util.arrayFromVolumeModified(volume)
    with pytest.raises(InputError, match="changed meanwhile"):
        job.wait(10)
    assert box.segmentation is None


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("event", ["close", "volume", "box", "segmentation"])
def test_scene_close_and_deleted_nodes_at_every_stage(logic, volume, stage, event):
    box = logic.addBox(volume, BALL_BOX)
    logic.apply([box], wait=True)
    segmentation = box.segmentation
    gate = Gate(logic, stage)
    job = logic.apply([box])
    gate.reach()
    {
        "close": lambda: slicer.mrmlScene.Clear(False),
        "volume": lambda: slicer.mrmlScene.RemoveNode(volume),
        "box": lambda: slicer.mrmlScene.RemoveNode(box.roi),
        "segmentation": lambda: slicer.mrmlScene.RemoveNode(segmentation),
    }[event]()
    gate.open()
    try:
        job.wait(10)
    except Cancelled:
        assert event == "close"
    assert not logic.worker.activeJobs
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert len(nodes) == {"close": 0, "volume": 1, "box": 1, "segmentation": 1}[event]


def test_a_closed_logic_ends_its_thread(scene):
    logic = MedSAMLiteLogic()
    logic.getParameterNode().model = "tiny"
    volume = makeVolume(np.full((4, 16, 16), 200, np.uint8))
    logic.apply([logic.addBox(volume, (2, 2, 1, 9, 9, 2))])
    thread = logic.worker._thread
    logic.close()
    assert not thread.is_alive() and not logic.worker.activeJobs


def test_memory_of_a_deleted_volume_is_let_go(logic, volume):
    box = logic.addBox(volume, BALL_BOX)
    logic.preview(box, 6, wait=True)
    assert logic.engine._segmenters
    slicer.mrmlScene.RemoveNode(volume)
    assert not logic.engine._segmenters


def released(node):
    """Filled when the node leaves memory."""
    gone = []
    node.AddObserver(vtk.vtkCommand.DeleteEvent, lambda *_: gone.append(True))
    return gone


@pytest.mark.parametrize("event", ["closed", "volume deleted", "voxels changed"])
def test_embeddings_of_voxels_that_are_gone_are_let_go(logic, volume, event):
    logic.preview(logic.addBox(volume, BALL_BOX), 6, wait=True)
    assert logic.engine.cache.counters.items == 1
    if event == "closed":
        slicer.mrmlScene.Clear(False)
    elif event == "volume deleted":
        slicer.mrmlScene.RemoveNode(volume)
    else:
        slicer.util.arrayFromVolumeModified(volume)
        logic.preview(logic.addBox(volume, BALL_BOX), 7, wait=True)
    assert logic.engine.cache.counters.items == (event == "voxels changed")


def test_a_job_that_ends_after_its_scene_was_closed_keeps_no_voxels(logic):
    volume = makeVolume(np.full((20, 64, 64), 200, np.uint8))
    gate = Gate(logic, "running")
    job = logic.apply([logic.addBox(volume, BALL_BOX)])
    gate.reach()
    gone = released(volume)
    del volume
    slicer.mrmlScene.Clear(False)
    makeVolume(np.full((4, 16, 16), 200, np.uint8))  # has the same ID
    gate.open()
    with pytest.raises(Cancelled):
        job.wait(10)
    assert gone and not logic.engine._segmenters and not logic.engine.cache.counters.items
