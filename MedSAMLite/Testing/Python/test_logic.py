"""The whole work without a panel: boxes, preview, apply, corrections, undo, several volumes, scene events."""

import numpy as np
import pytest
import slicer
from medsam_backends.boxes import VoxelBox
from medsam_backends.errors import PromptError
from MedSAMLiteLib.BoxNode import BoxNode
from MedSAMLiteLib.VolumeViews import modalityOf, stateModality
from phantoms import ball, makeVolume


@pytest.fixture
def volume(scene):
    """A bright ball in the dark, 8-bit so that no window comes between."""
    return makeVolume(
        np.where(ball((12, 32, 32), (6, 16, 16), 9, (2, 1, 1)), 200, 10).astype(np.uint8), spacing=(1, 1, 2)
    )


BALL_BOX = (6, 6, 2, 26, 26, 10)


def test_apply_makes_one_segment_of_the_box_and_leaves_the_volume_alone(logic, volume):
    before = slicer.util.arrayFromVolume(volume).copy()
    box = logic.addBox(volume, BALL_BOX, name="Ball")
    assert logic.stateOf(box) == "drawn"
    logic.apply([box], wait=True)
    assert logic.stateOf(box) == "segmented"
    mask, origin = logic.maskOf(box)
    truth = before == 200
    full = np.zeros(truth.shape, bool)
    full[tuple(slice(o, o + n) for o, n in zip(origin, mask.shape))] = mask
    dice = 2 * (full & truth).sum() / (full.sum() + truth.sum())
    assert dice > 0.8
    segmentation = box.segmentation.GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 1
    assert segmentation.GetSegment(box.segmentId).GetName() == "Ball"
    image = box.segmentation.GetBinaryLabelmapInternalRepresentation(box.segmentId)
    assert image.GetDimensions() == mask.shape[::-1]  # a crop, not the whole volume
    assert np.array_equal(slicer.util.arrayFromVolume(volume), before)
    stats = logic.statisticsOf(box)
    assert abs(stats["ml"] - full.sum() * 2 / 1000) < 1e-9 and stats["mean"] > 150 and 0 < stats["confidence"] <= 1


def test_apply_again_writes_into_the_same_segment(logic, volume):
    box = logic.addBox(volume, BALL_BOX)
    logic.apply(wait=True)
    first = box.segmentId
    box.setSliceRange(4, 8)
    assert logic.stateOf(box) == "changed"
    logic.apply(wait=True)
    assert box.segmentId == first and box.segmentation.GetSegmentation().GetNumberOfSegments() == 1
    mask, origin = logic.maskOf(box)
    assert origin[0] >= 4 and origin[0] + mask.shape[0] <= 9


def test_the_preview_is_the_mask_of_one_slice_and_changes_nothing(logic, volume):
    box = logic.addBox(volume, BALL_BOX)
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    assert not logic.isPreviewCached(box, 6)
    mask, iou = logic.preview(box, 6, wait=True)
    assert mask.shape == (32, 32) and mask[16, 16] and not mask[0, 0] and iou == pytest.approx(0.9)
    assert logic.isPreviewCached(box, 6)
    encodes = logic.engine.cache.counters.misses
    logic.preview(box, 6, wait=True)
    assert logic.engine.cache.counters.misses == encodes
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes


@pytest.mark.parametrize("axis", ["i", "j", "k"])
def test_slices_are_walked_along_the_chosen_axis(logic, volume, axis):
    box = logic.addBox(volume, BALL_BOX, axis=axis)
    logic.apply([box], wait=True)
    record = logic.recordOf(box)
    n = "ijk".index(axis)
    assert record.axis == axis
    assert {r.index for r in record.reports} <= set(range(BALL_BOX[n], BALL_BOX[n + 3] + 1))


def test_boxes_of_several_volumes_are_done_in_one_job(logic):
    volumes = [makeVolume(np.full((4, 16, 16), 200, np.uint8), name=f"V{n}") for n in range(3)]
    boxes = [logic.addBox(v, (2, 2, 1, 9, 9, 2)) for v in volumes]
    logic.apply(boxes, wait=True)
    assert len({box.segmentation.GetID() for box in boxes}) == 3
    assert [box.segmentation.GetName() for box in boxes] == [f"V{n} segmentation" for n in range(3)]
    assert all(logic.maskOf(box)[0].any() for box in boxes)


def test_a_single_slice_colour_picture_works(logic):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    picture = np.zeros((1, 20, 24, 3), np.uint8)
    picture[0, 5:15, 6:18] = (220, 180, 160)
    slicer.util.updateVolumeFromArray(node, picture)
    box = logic.addBox(node, (4, 3, 0, 20, 17, 0))
    assert box.isFlat
    logic.apply([box], wait=True)
    assert logic.maskOf(box)[0].sum() > 60


def test_a_segmentation_made_in_a_selector_is_seen(logic, volume):
    """Slicer's node selectors make nodes without a display."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    parameters = logic.getParameterNode()
    parameters.inputVolume, parameters.segmentation = volume, node
    box = logic.addBox(volume, BALL_BOX)
    logic.apply([box], wait=True)
    assert box.segmentation is node and node.GetDisplayNode().GetVisibility()


def test_an_oblique_left_handed_transformed_volume_gives_the_same_voxels(logic, volume):
    straight = logic.addBox(volume, BALL_BOX)
    logic.apply([straight], wait=True)
    array = slicer.util.arrayFromVolume(volume).copy()
    tilted = makeVolume(array, "tilted", (0.7, 0.7, 3), [[0.6, 0.8, 0], [0.8, -0.6, 0], [0, 0, 1]], (30, -20, 5))
    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(
        parent, np.array([[0, -1, 0, 9], [1, 0, 0, -4], [0, 0, 1, 7], [0, 0, 0, 1.0]])
    )
    tilted.SetAndObserveTransformNodeID(parent.GetID())
    other = logic.addBox(tilted, BALL_BOX)
    logic.apply([other], wait=True)
    assert np.array_equal(logic.maskOf(straight)[0], logic.maskOf(other)[0])
    assert logic.maskOf(straight)[1] == logic.maskOf(other)[1]


def test_a_correction_reruns_only_the_neighbourhood_and_keeps_hand_edits(logic, volume):
    box = logic.addBox(volume, BALL_BOX, drawnSlice=6)
    logic.apply([box], wait=True)
    mask, origin = logic.maskOf(box)
    mask = mask.copy()
    mask[4 - origin[0], 0, 0] = True  # painted by hand beyond the slice where the user drew
    logic.writer.write(box.segmentation, box.segmentId, volume, mask, origin)
    logic.correct(box, 9, key=(12, 12, 9, 20, 20, 9), wait=True)
    after, first = logic.maskOf(box)
    assert np.array_equal(after[: 7 - first[0]], mask[: 7 - origin[0]])
    assert logic.recordOf(box).keys.keys() == {6, 9}
    ninth = after[9 - first[0]]
    rows, columns = np.flatnonzero(ninth.any(1)) + first[1], np.flatnonzero(ninth.any(0)) + first[2]
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (12, 20, 12, 20)


def test_negative_clicks_shrink_and_positive_clicks_grow(logic, volume):
    box = logic.addBox(volume, BALL_BOX)
    logic.apply([box], wait=True)
    was = logic.maskOf(box)[0].sum()
    logic.correct(box, 6, points=[((22, 16, 6), False)], wait=True)
    mask, origin = logic.maskOf(box)
    assert mask.sum() < was
    slice6 = np.zeros((32, 32), bool)
    slice6[origin[1] : origin[1] + mask.shape[1], origin[2] : origin[2] + mask.shape[2]] = mask[6 - origin[0]]
    assert not slice6[16, 22]


def test_a_correction_beyond_the_box_stretches_it(logic, volume):
    box = logic.addBox(volume, (6, 6, 4, 26, 26, 8))
    logic.apply([box], wait=True)
    logic.correct(box, 9, key=(12, 12, 9, 20, 20, 9), wait=True)
    assert box.sliceRange == (4, 9) and logic.stateOf(box) == "segmented"


def test_correcting_without_a_result_or_a_prompt_says_what_to_do(logic, volume):
    box = logic.addBox(volume, BALL_BOX)
    with pytest.raises(PromptError, match="press Apply"):
        logic.correct(box, 6, points=[((1, 1, 6), True)])
    with pytest.raises(PromptError, match="Click"):
        logic.correct(box, 6)
    with pytest.raises(PromptError, match="add one"):
        logic.apply([])
    slicer.mrmlScene.RemoveNode(volume)
    with pytest.raises(PromptError, match="no longer in the scene"):
        logic.apply([box])


def test_undo_takes_back_apply_and_correction(logic, volume):
    box = logic.addBox(volume, BALL_BOX, name="Ball")
    logic.apply([box], wait=True)
    first = logic.maskOf(box)[0].copy()
    logic.correct(box, 9, key=(12, 12, 9, 20, 20, 9), wait=True)
    assert not np.array_equal(logic.maskOf(box)[0], first)
    assert logic.undo(box.segmentation) == "Ball"
    assert np.array_equal(logic.maskOf(box)[0], first) and logic.recordOf(box).keys == {}
    logic.undo(box.segmentation)
    assert box.segmentId == "" and logic.stateOf(box) == "drawn"
    assert logic.undo(box.segmentation) == ""


def test_progress_counts_the_slices_of_all_boxes(logic, volume):
    seen = []
    logic.changed = lambda: seen.append(logic.progress)
    logic.addBox(volume, BALL_BOX)
    logic.addBox(volume, (6, 6, 4, 26, 26, 6))
    logic.apply(wait=True)
    done = [p.done for p in seen if p is not None]
    assert {p.total for p in seen if p is not None} == {12} and done == sorted(done) and seen[-1] is None


def test_a_scene_comes_back_whole_from_an_mrb(logic, volume, tmp_path):
    parameters = logic.getParameterNode()
    parameters.inputVolume, parameters.preset, parameters.boxMargin = volume, "liver", 1
    box = logic.addBox(volume, BALL_BOX, name="Ball", axis="j", drawnSlice=15)
    parameters.currentBox = box.roi
    stateModality(volume, "MR")
    logic.apply([box], wait=True)
    logic.correct(box, 15, key=(10, 15, 4, 20, 15, 8), wait=True)
    mask, origin = logic.maskOf(box)
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear(False)
    assert slicer.mrmlScene.ReadFromMRB(path, True)
    parameters = logic.getParameterNode()
    [back] = BoxNode.all(parameters.inputVolume)
    assert (back.name, back.axis, back.drawnSlice, back.voxels.text) == ("Ball", "j", 15, "6 6 2 26 26 10")
    assert (parameters.preset, parameters.boxMargin) == ("liver", 1) and parameters.currentBox is back.roi
    assert modalityOf(parameters.inputVolume) == "MR"
    assert parameters.segmentation is back.segmentation and logic.stateOf(back) == "segmented"
    again, first = logic.maskOf(back)
    assert first == origin and np.array_equal(again, mask)
    assert logic.recordOf(back).keys.keys() == {15}
    logic.correct(back, 16, points=[((16, 16, 5), True)], wait=True)  # and can be worked on
    assert logic.recordOf(back).keys.keys() == {15, 16}


def test_the_display_window_is_what_the_model_sees(logic):
    volume = makeVolume(np.arange(4 * 8 * 8, dtype=np.int16).reshape(4, 8, 8))
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevelMinMax(64, 128)
    logic.getParameterNode().preset = "display"
    pictures = []
    logic.picture(volume, "k", 1, pictures.append).wait(10)
    assert pictures[0].dtype == np.uint8 and pictures[0][0, 0] == 0 and pictures[0][-1, -1] >= 250


def test_box_margin_grows_the_prompt_not_the_box(logic, volume):
    logic.getParameterNode().boxMargin = 3
    box = logic.addBox(volume, (10, 10, 4, 20, 20, 8))
    logic.apply([box], wait=True)
    assert box.voxels == VoxelBox(10, 10, 4, 20, 20, 8) and logic.stateOf(box) == "segmented"
    mask, origin = logic.maskOf(box)
    assert origin[1] < 10 or origin[1] + mask.shape[1] > 21


def test_results_go_where_the_panel_says_and_an_earlier_one_stays(logic, volume):
    parameters = logic.getParameterNode()
    parameters.inputVolume = volume
    box = logic.addBox(volume, BALL_BOX)
    logic.apply([box], wait=True)
    first, firstId, mask = box.segmentation, box.segmentId, logic.maskOf(box)[0].copy()
    for chosen in (logic.writer.newSegmentation(volume), None):
        parameters.segmentation = chosen
        box.setSliceRange(5, 7)
        logic.apply([box], wait=True)
        assert box.segmentation is not first and chosen in (box.segmentation, None)
        assert parameters.segmentation is box.segmentation and logic.history.canUndo(box.segmentation)
        assert np.array_equal(logic.writer.read(first, firstId, volume)[0], mask)
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 3
    last, parameters.segmentation = box.segmentation, first
    logic.correct(box, 6, key=(12, 12, 6, 20, 20, 6), wait=True)  # what is corrected is where it is
    assert box.segmentation is last and parameters.segmentation is last


def test_a_box_that_a_correction_stretched_is_as_it_was_after_undo(logic, volume):
    box = logic.addBox(volume, (6, 6, 4, 26, 26, 8))
    logic.apply([box], wait=True)
    for index in (9, 10):
        logic.correct(box, index, key=(12, 12, index, 20, 20, index), wait=True)
    assert box.sliceRange == (4, 10)
    logic.undo(box.segmentation)
    assert box.sliceRange == (4, 9) and logic.stateOf(box) == "segmented"
    logic.undo(box.segmentation)
    assert box.sliceRange == (4, 8) and logic.stateOf(box) == "segmented"
    logic.correct(box, 9, key=(12, 12, 9, 20, 20, 9), wait=True)
    box.setSliceRange(5, 9)  # the user's own
    logic.undo(box.segmentation)
    assert box.sliceRange == (5, 9)
