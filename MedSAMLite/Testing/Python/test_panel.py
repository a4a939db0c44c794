"""The real .ui and panel on the stand-in host, with real slice views: states, texts, the whole work by hand."""

import re
import time
import zipfile

import numpy as np
import pytest
import slicer

pytest.importorskip("PySide6", reason="PySide6 is not installed for this Python: pip install PySide6-Essentials")

from gate import Gate  # noqa: E402
from host.slice_view import SliceView  # noqa: E402
from medsam_backends.segmenter import Progress  # noqa: E402
from panel_bench import APP, draw, enabled, settle  # noqa: E402
from phantoms import makeVolume  # noqa: E402


def test_buttons_and_their_reasons_follow_the_state(panel, view):
    assert enabled(panel) == {"addBox"}
    assert "Add a box" in panel.ui.applyButton.toolTip()
    draw(panel, view)
    assert enabled(panel) == {"addBox", "deleteBox", "apply", "applySelected"}
    assert "Segment all boxes" in panel.ui.applyButton.toolTip()
    panel.ui.applyButton.click()
    assert enabled(panel) == {"addBox", "deleteBox", "cancel"}
    settle(panel)
    assert enabled(panel) == {
        "addBox",
        "deleteBox",
        "apply",
        "applySelected",
        "positivePoint",
        "keyBox",
        "undo",
        "show3D",
    }
    panel.ui.inputVolumeSelector.setCurrentNode(None)
    assert enabled(panel) == set() and "input volume" in panel.ui.addBoxButton.toolTip()


def test_a_box_drawn_by_two_clicks_snaps_to_voxels_and_shows_its_mask(panel, view):
    box = draw(panel, view)
    assert box.axis == "k" and box.drawnSlice == 10 and box.sliceRange == (0, 19)
    assert panel.preview.shownSlice == (box.id, "k", 10)
    shown = view.render()
    x, y = view.position((38, 36, 20))
    panel.ui.previewCheckBox.setChecked(False)
    assert panel.preview.shownSlice is None
    assert (shown != view.render())[400 - int(y), int(x)].any()
    assert not slicer.util.getNodesByClass("vtkMRMLLabelMapVolumeNode")


def test_a_flat_box_is_one_slice(panel, view):
    box = draw(panel, view, button="addFlatBoxButton")
    assert box.isFlat and box.sliceRange == (10, 10)


@pytest.mark.parametrize("orientation, axis", [("Sagittal", "i"), ("Coronal", "j")])
def test_the_axis_follows_the_view(panel, volume, orientation, axis):
    view = SliceView("Green", orientation)
    view.show(volume)
    view.jumpTo((32, 32, 20))
    corners = {"i": ((32, 14, 6), (32, 50, 34)), "j": ((14, 32, 6), (50, 32, 34))}[axis]
    box = draw(panel, view, corners)
    assert box.axis == axis and box.drawnSlice == 32
    assert panel.preview.shownSlice == (box.id, axis, 32)
    panel.ui.applyButton.click()
    settle(panel)
    assert panel.logic.recordOf(box).axis == axis
    view.close()


def test_dragging_a_handle_moves_the_preview_while_dragging(panel, view):
    box = draw(panel, view, ((12, 20, 20), (40, 44, 20)))
    before = box.voxels
    view.render()
    edge, middle = box.voxels.i1 + 0.5, (box.voxels.j0 + box.voxels.j1) / 2
    start, end = np.array(view.position((edge, middle, 20))), np.array(view.position((edge + 10, middle, 20)))
    seen = []

    def between():
        settle(panel)
        label = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLabelMapVolumeNode")
        seen.append(int(slicer.util.arrayFromVolume(label).sum()))

    offset = np.array([-4 if end[0] > start[0] else 4, 0])  # on its very centre the fill may be picked instead
    view.drag(start + offset, end + offset, between=between)
    settle(panel)
    assert box.voxels.i1 > before.i1 + 5
    assert len(set(seen)) > 3 and seen == sorted(seen)  # it grew during the drag


def test_scrolling_shows_the_mask_of_each_slice_and_nothing_beyond_the_box(panel, view):
    box = draw(panel, view)
    box.setSliceRange(8, 12)
    settle(panel)
    view.scroll(1)
    settle(panel)
    assert panel.preview.shownSlice[2] == 11
    view.scroll(3)
    settle(panel)
    assert panel.preview.shownSlice is None


def test_the_label_layer_of_the_user_comes_back(panel, view, volume):
    mine, other = (slicer.modules.volumes.logic().CreateAndAddLabelVolume(volume, name) for name in "ab")
    view.composite.SetLabelVolumeID(mine.GetID())
    opacity = view.composite.GetLabelOpacity()
    draw(panel, view)
    assert view.composite.GetLabelVolumeID() != mine.GetID()
    panel.preview.hide()
    assert view.composite.GetLabelVolumeID() == mine.GetID() and view.composite.GetLabelOpacity() == opacity
    panel.preview.update()
    settle(panel)
    view.composite.SetLabelVolumeID(other.GetID())  # a label map that is loaded meanwhile
    panel.exit()
    assert view.composite.GetLabelVolumeID() == other.GetID()


def test_first_and_last_slice_from_the_view(panel, view):
    box = draw(panel, view)
    view.scroll(-3)
    panel.ui.firstFromViewButton.click()
    view.scroll(5)
    panel.ui.lastFromViewButton.click()
    assert box.sliceRange == (7, 12)
    panel.ui.firstSliceSpinBox.setValue(9)
    assert box.sliceRange == (9, 12)


def test_draw_apply_correct_undo_save(panel, view, tmp_path):
    box = draw(panel, view)
    panel.ui.applyButton.click()
    settle(panel)
    assert "Done" in panel.ui.statusLabel.text() and " ml" in panel.ui.resultLabel.text()
    assert panel.ui.boxTable.item(0, 2).text() == "segmented"
    was = panel.logic.maskOf(box)[0].sum()
    panel.ui.negativePointButton.click()
    view.click((48, 32, 20))
    settle(panel)
    assert panel.logic.recordOf(box).keys.keys() == {10} and panel.logic.maskOf(box)[0].sum() < was
    view.scroll(3)
    panel.ui.keyBoxButton.click()
    for corner in ((26, 26, 26), (38, 38, 26)):
        view.click(corner)
    settle(panel)
    assert panel.logic.recordOf(box).keys.keys() == {10, 13}
    panel.ui.undoButton.click()
    panel.ui.undoButton.click()
    assert panel.logic.maskOf(box)[0].sum() == was
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    assert enabled(panel) == set()
    slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
    assert panel.ui.boxTable.rowCount() == 1 and panel.ui.boxTable.item(0, 2).text() == "segmented"
    assert not slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")


def test_the_preview_is_neither_saved_nor_listed_and_comes_back_after_saving(panel, view, tmp_path):
    box = draw(panel, view)
    label = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLabelMapVolumeNode")
    display = label.GetDisplayNode()
    exclude = slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyExcludeFromTreeAttributeName()
    for node in (label, display, display.GetColorNode()):
        assert not node.GetSaveWithScene() and node.GetHideFromEditors() and node.GetAttribute(exclude) == "1"
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    settle(panel)
    assert panel.preview.shownSlice == (box.id, "k", 10)
    with zipfile.ZipFile(tmp_path / "scene.mrb") as archive:
        [scene] = [name for name in archive.namelist() if name.endswith(".mrml")]
        assert b"MedSAMLite preview" not in archive.read(scene)


def test_the_status_line_counts_slices_and_tells_the_time_left(panel, view):
    draw(panel, view)
    gate = Gate(panel.logic, "running")
    panel.ui.applyButton.click()
    gate.reach()
    panel.logic.progress = Progress(5, 20, 0)
    panel.refresh()
    assert re.fullmatch(r"5 of 20 slices, about \d+ s left", panel.ui.statusLabel.text())
    assert (panel.ui.progressBar.value(), panel.ui.progressBar.maximum()) == (5, 20)
    gate.open()
    settle(panel)
    assert panel.ui.statusLabel.text().startswith("Done in")


def test_cancel_says_that_nothing_changed(panel, view):
    draw(panel, view)
    panel.ui.applyButton.click()
    panel.ui.cancelButton.click()
    settle(panel)
    assert "nothing was changed" in panel.ui.statusLabel.text()
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def test_leaving_place_mode_leaves_no_box(panel, view):
    panel.ui.addBoxButton.click()
    view.click((12, 12, 20))
    slicer.app.applicationLogic().GetInteractionNode().SwitchToViewTransformMode()
    assert not slicer.util.getNodesByClass("vtkMRMLMarkupsROINode") and panel.ui.addBoxButton.text() == "Add box"


def test_a_click_on_a_certain_slice_jumps_there(panel, view):
    box = draw(panel, view)
    panel.ui.applyButton.click()
    settle(panel)
    panel.result.onLink("4")
    assert panel.preview.sliceInView(box.volume, "k") == 4


def test_renaming_a_box_renames_its_segment(panel, view):
    box = draw(panel, view)
    panel.ui.applyButton.click()
    settle(panel)
    panel.ui.boxTable.item(0, 0).setText("Liver")
    assert box.name == "Liver"
    assert box.segmentation.GetSegmentation().GetSegment(box.segmentId).GetName() == "Liver"


def test_several_volumes_keep_their_own_boxes(panel, view, volume):
    first = draw(panel, view)
    other = makeVolume(np.full((4, 16, 16), 200, np.uint8), name="Other")
    panel.ui.inputVolumeSelector.setCurrentNode(other)
    assert panel.ui.boxTable.rowCount() == 0 and panel.currentBox() is None
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    assert panel.currentBox().id == first.id


def test_undo_asks_before_it_loses_edits_made_elsewhere(panel, view, monkeypatch):
    box = draw(panel, view)
    panel.ui.applyButton.click()
    settle(panel)
    empty = np.zeros((20, 64, 64), np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(empty, box.segmentation, box.segmentId, box.volume)
    asked = []
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text, **_: bool(asked.append(text)))
    panel.ui.undoButton.click()
    assert len(asked) == 1 and box.segmentId
    monkeypatch.setattr(slicer.util, "confirmYesNoDisplay", lambda text, **_: True)
    panel.ui.undoButton.click()
    assert not box.segmentId


def test_a_box_dragged_or_renamed_elsewhere_is_followed(panel, view):
    box = draw(panel, view)
    panel.ui.applyButton.click()
    settle(panel)
    box.roi.SetName("Spleen")
    box.roi.SetSize(20, 20, 20)
    end = time.monotonic() + 5
    while panel.ui.boxTable.item(0, 0).text() != "Spleen" and time.monotonic() < end:
        APP.processEvents()
    assert panel.ui.boxTable.item(0, 2).text() == "changed since Apply"
    settle(panel)


def test_what_the_segmenter_has_to_say_is_shown_with_the_result(panel, view, volume):
    slicer.util.updateVolumeFromArray(volume, np.full_like(slicer.util.arrayFromVolume(volume), 7))
    box = draw(panel, view)
    panel.ui.applyButton.click()
    settle(panel)
    result, said = panel.ui.resultLabel.text().split("\n")
    assert result.startswith(box.name) and "no contrast" in said
    assert panel.logic.recordOf(box).messages == (said,)


def test_an_empty_result_says_so(panel, view):
    box = draw(panel, view)
    panel.ui.applyButton.click()
    settle(panel)
    panel.logic.writer.write(box.segmentation, box.segmentId, box.volume, np.zeros((0, 0, 0), bool), (0, 0, 0))
    panel.refresh()
    assert "no object was found in the box" in panel.ui.resultLabel.text() and "nan" not in panel.ui.resultLabel.text()
