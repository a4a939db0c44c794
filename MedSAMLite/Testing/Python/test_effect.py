"""The Segment Editor effect: a box dragged on a real slice view adds to the selected segment."""

import sys

import numpy as np
import pytest
import slicer
import vtk

pytest.importorskip("PySide6", reason="PySide6 is not installed for this Python: pip install PySide6-Essentials")

from conftest import ROOT  # noqa: E402
from gate import Gate  # noqa: E402
from host import effect as host_effect  # noqa: E402
from host.slice_view import SliceView  # noqa: E402
from panel_bench import APP, settle  # noqa: E402
from phantoms import ball, makeVolume  # noqa: E402


@pytest.fixture
def work(scene):
    """(effect, stand-in, view, volume, segmentation, segment)"""
    host_effect.install()
    sys.path.insert(0, str(ROOT / "MedSAMLite" / "MedSAMLiteEffect"))
    from MedSAMLiteLib.SegmentWriter import SegmentWriter
    from SegmentEditorEffect import SegmentEditorEffect

    volume = makeVolume(np.where(ball((20, 64, 64), (10, 32, 32), 18, (2, 1, 1)), 200, 10).astype(np.uint8))
    view = SliceView()
    view.show(volume)
    view.jumpTo((32, 32, 10 * 2))
    writer = SegmentWriter()
    segmentation = writer.newSegmentation(volume)
    segment = writer.addSegment(segmentation, "object")
    standIn = host_effect.ScriptedEffect(view)
    standIn.node.SetAndObserveSegmentationNode(segmentation)
    standIn.node.SetAndObserveSourceVolumeNode(volume)
    standIn.node.SetSelectedSegmentID(segment)
    effect = SegmentEditorEffect(standIn)
    effect.setupOptionsFrame()
    effect.activate()
    effect.logic.getParameterNode().model = "tiny"
    yield effect, standIn, view, volume, segmentation, segment
    effect.deactivate()
    view.close()


def drag(effect, standIn, view, first, second):
    for event, point in (
        (vtk.vtkCommand.LeftButtonPressEvent, first),
        (vtk.vtkCommand.MouseMoveEvent, second),
        (vtk.vtkCommand.LeftButtonReleaseEvent, second),
    ):
        x, y = view.position(point)
        view.interactor.SetEventInformation(round(x), round(y), 0, 0)
        assert effect.processInteractionEvents(view.interactor, event, standIn.widget)
    settle(effect)


def test_a_drag_adds_the_object_on_that_slice_then_over_a_range(work):
    effect, standIn, view, volume, segmentation, segment = work
    assert not effect.propagateButton.isEnabled()
    drag(effect, standIn, view, (12, 12, 20), (52, 52, 20))
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume)
    assert mask[10, 32, 32] and not mask[9].any() and standIn.undoStates == 1
    assert "confidence" in effect.statusLabel.text()
    effect.firstSlice.setValue(6)
    effect.lastSlice.setValue(14)
    effect.propagateButton.click()
    settle(effect)
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume)
    assert mask[6:15, 32, 32].all() and not mask[5].any() and standIn.undoStates == 2
    assert APP.activeWindow() is None


def test_a_result_for_another_segment_is_dropped(work):
    effect, standIn, view, volume, segmentation, segment = work
    other = segmentation.GetSegmentation().AddEmptySegment("other")
    effect.logic.worker.submit  # the job is queued, then the user selects another segment
    x0, x1 = view.position((12, 12, 20)), view.position((52, 52, 20))
    effect._onBox(view.node, x0, x1)
    standIn.node.SetSelectedSegmentID(other)
    settle(effect)
    assert standIn.undoStates == 0 and "nothing was changed" in effect.statusLabel.text()


def test_a_click_without_a_drag_and_modified_clicks_do_nothing(work):
    effect, standIn, view, volume, *_ = work
    drag(effect, standIn, view, (32, 32, 20), (32, 32, 20))
    assert effect._drawn is None
    view.interactor.SetEventInformation(10, 10, 1, 0)
    view.interactor.SetShiftKey(1)
    assert not effect.processInteractionEvents(view.interactor, vtk.vtkCommand.LeftButtonPressEvent, standIn.widget)


@pytest.mark.parametrize("event", ["scene closed", "segmentation deleted", "effect left"])
def test_whatever_happens_while_it_works_nothing_is_written(work, event):
    effect, standIn, view, volume, segmentation, segment = work
    logic = effect.logic
    gate = Gate(logic, "running")
    effect._onBox(view.node, view.position((12, 12, 20)), view.position((52, 52, 20)))
    gate.reach()
    gate.open(after_s=0.1)
    if event == "scene closed":
        slicer.mrmlScene.Clear(False)
    elif event == "segmentation deleted":
        slicer.mrmlScene.RemoveNode(segmentation)
    else:
        effect.deactivate()
    while logic.worker.activeJobs:
        APP.processEvents()
    assert standIn.undoStates == 0 and not effect.cancelButton.isEnabled()


def test_an_oversampled_segmentation_keeps_its_voxels_and_takes_the_new_ones(work):
    effect, standIn, view, volume, segmentation, segment = work
    finer = makeVolume(np.zeros((40, 128, 128), np.uint8), "finer", (0.5, 0.5, 1.0), origin=(-0.25, -0.25, -0.5))
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(finer)
    painted = np.zeros((40, 128, 128), np.uint8)
    painted[3, ::2, ::2] = 1  # finer than the volume can hold
    slicer.util.updateSegmentBinaryLabelmapFromArray(painted, segmentation, segment, finer)
    drag(effect, standIn, view, (12, 12, 20), (52, 52, 20))
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, finer)
    assert np.array_equal(mask[:20], painted[:20]) and not mask[22:].any()
    assert mask[20:22, 64, 64].all() and "confidence" in effect.statusLabel.text()


def test_it_says_that_it_works_and_that_it_was_cancelled(work):
    effect, standIn, view, *_ = work
    gate = Gate(effect.logic, "running")
    effect._onBox(view.node, view.position((12, 12, 20)), view.position((52, 52, 20)))
    gate.reach()
    assert effect.statusLabel.text() == "Segmenting..."
    effect.cancelButton.click()
    gate.open()
    settle(effect)
    assert standIn.undoStates == 0 and "nothing was changed" in effect.statusLabel.text()
