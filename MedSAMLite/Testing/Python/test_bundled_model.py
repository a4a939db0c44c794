"""The module with the model that it is shipped with: clicks as points, and the scenarios of the self-test offline."""

import socket

import numpy as np
import pytest
import slicer
from medsam_backends.boxes import VoxelBox
from medsam_backends.phantom import make_phantom
from phantoms import makeVolume

BUNDLED = "medsamlite-efficientvit"


@pytest.fixture
def liver(logic):
    """(box, the phantom's liver) after Apply."""
    spacing = (3.6, 3.6, 8.0)
    phantom = make_phantom((96, 68, 24), spacing)
    volume = makeVolume(phantom.volume.array, "CT phantom", spacing)
    logic.getParameterNode().model = BUNDLED
    voxels = VoxelBox.from_sequence(phantom.box("liver", 1))
    box = logic.addBox(volume, [*voxels.first, *voxels.last], "Liver", drawnSlice=(voxels.k0 + voxels.k1) // 2)
    logic.apply([box], wait=True)
    return box


def sliceOf(logic, box, k):
    mask, origin = logic.maskOf(box)
    full = np.zeros(slicer.util.arrayFromVolume(box.volume).shape, bool)
    full[tuple(slice(o, o + n) for o, n in zip(origin, mask.shape))] = mask
    return full[k]


def test_clicks_reach_a_model_that_takes_points(logic, liver):
    index = liver.drawnSlice + 1
    before = sliceOf(logic, liver, index)
    rows, columns = np.nonzero(before)
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.max() + 2) ** 2)
    row, column = int(rows[nearest]), int(columns[nearest])
    logic.correct(liver, index, points=[((column, row, index), False)], wait=True)
    key = logic.recordOf(liver).keys[index]
    assert [(point.x, point.y, point.positive) for point in key.points] == [(column + 0.5, row + 0.5, False)]
    after = sliceOf(logic, liver, index)
    assert not after[row, column] and after.sum() < before.sum()
    far = liver.sliceRange[0]  # beyond the slice where the box was drawn
    logic.undo(liver.segmentation)
    assert np.array_equal(sliceOf(logic, liver, index), before) and logic.recordOf(liver).keys.keys() == {index - 1}
    unchanged = sliceOf(logic, liver, far)
    logic.correct(liver, index, points=[((column, row, index), False)], wait=True)
    assert np.array_equal(sliceOf(logic, liver, far), unchanged)


def test_a_second_click_on_a_slice_adds_to_the_first(logic, liver):
    index = liver.drawnSlice
    for column in (30, 34):
        logic.correct(liver, index, points=[((column, 34, index), True)], wait=True)
    assert [point.x for point in logic.recordOf(liver).keys[index].points] == [30.5, 34.5]


def test_the_self_test_passes_with_the_bundled_model_and_without_a_network(scene, monkeypatch):
    from MedSAMLiteLib import SelfTest

    def refused(*arguments, **options):
        raise AssertionError("the self-test must not use the network")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(slicer.util, "saveScene", lambda path: slicer.mrmlScene.WriteToMRB(path))
    monkeypatch.setattr(slicer.util, "loadScene", lambda path: slicer.mrmlScene.ReadFromMRB(path, True))
    assert list(SelfTest.run()) == [scenario.__name__ for scenario in SelfTest.SCENARIOS]


@pytest.mark.parametrize("isThere", [True, False])
def test_the_applications_own_test_runs_or_says_why_not(scene, monkeypatch, isThere):
    import importlib
    import unittest

    from MedSAMLiteLib import SelfTest

    monkeypatch.setattr(SelfTest, "SCENARIOS", [SelfTest.applyAndUndo])
    if not isThere:
        monkeypatch.setattr(SelfTest, "missing", lambda: "ONNX Runtime is not installed")
    case = importlib.import_module("MedSAMLite").MedSAMLiteTest("test_scenarios")
    result = unittest.TestResult()
    case.run(result)
    assert result.wasSuccessful() and result.testsRun == 1 and len(result.skipped) == (not isThere)
