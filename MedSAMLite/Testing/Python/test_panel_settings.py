"""The panel's choices: set-up, models, window, modality, what it says of a box, and that it fits on a screen."""

import json
import time

import numpy as np
import pytest
import slicer

pytest.importorskip("PySide6", reason="PySide6 is not installed for this Python: pip install PySide6-Essentials")

from medsam_backends.boxes import VoxelBox  # noqa: E402
from MedSAMLiteLib.BoxNode import BoxNode  # noqa: E402
from panel_bench import APP, draw, enabled, settle  # noqa: E402
from phantoms import makeVolume, tinyModel  # noqa: E402


def test_the_picture_that_the_model_sees(panel, view):
    panel.ui.pictureCheckBox.setChecked(True)
    settle(panel)
    pixmap = panel.ui.pictureLabel.pixmap()
    assert (pixmap.width(), pixmap.height()) == (160, 160)
    panel.logic.addBox(panel.logic.getParameterNode().inputVolume, (12, 12, 4, 52, 52, 15), axis="j", drawnSlice=30)
    panel.selectBox(BoxNode.all()[0])
    settle(panel)
    pixmap = panel.ui.pictureLabel.pixmap()  # 64 columns of 1 mm by 20 rows of 2 mm
    assert (pixmap.width(), pixmap.height()) == (160, 100)


def test_a_declined_or_failed_installation_leaves_a_working_panel(panel, view, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "onnxruntime" else real(name, *a))
    panel.refresh()
    assert (
        panel.ui.setupCollapsibleButton.isVisibleTo(panel.widget)
        and "PyTorch is not needed" in panel.ui.setupLabel.text()
    )
    assert not panel.ui.offlineLabel.isVisibleTo(panel.widget)
    panel.ui.addBoxButton.click()  # boxes can be drawn all the same
    for corner in ((12, 12, 20), (52, 52, 20)):
        view.click(corner)
    assert enabled(panel) == {"addBox", "deleteBox"} and "ONNX Runtime" in panel.ui.applyButton.toolTip()
    for answer, word in (
        (RuntimeError("User declined package installation"), "Nothing was installed"),
        (OSError("no net"), "no net"),
    ):
        monkeypatch.setattr(slicer.packaging, "answer", answer)
        panel.ui.installButton.click()
        assert word in panel.ui.setupLabel.text()
        assert panel.ui.offlineLabel.isVisibleTo(panel.widget) and "pip download" in panel.ui.offlineLabel.text()
    monkeypatch.undo()
    monkeypatch.setenv("MEDSAMLITE_MODELS", str(panel.models.folder()))
    panel.ui.installButton.click()
    assert slicer.packaging.asked[-1] == (["onnxruntime>=1.19"], "MedSAMLite")
    assert not panel.ui.setupCollapsibleButton.isVisibleTo(panel.widget)


def test_what_was_installed_by_other_means_after_declining_is_seen(panel, monkeypatch):
    monkeypatch.setattr(slicer.packaging, "answer", RuntimeError("User declined package installation"))
    assert not panel.setup.install() and panel.setup.isReady()  # it is here: somebody used pip in the console


def test_a_package_that_does_not_load_is_told_until_it_does(panel, monkeypatch):
    import importlib

    real = importlib.import_module

    def fails(name, *arguments):
        if name == "onnxruntime":
            raise ImportError("DLL load failed while importing onnxruntime_pybind11_state")
        return real(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", fails)
    panel.ui.installButton.click()
    assert panel.ui.setupCollapsibleButton.isVisibleTo(panel.widget)
    assert "DLL load failed" in panel.ui.setupLabel.text() and "Visual C++" in panel.ui.setupLabel.text()
    monkeypatch.undo()
    panel.ui.installButton.click()
    assert panel.setup.isReady()


def test_before_slicer_5_12_the_module_asks_itself(panel, monkeypatch):
    import sys

    monkeypatch.delattr(slicer, "packaging")
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    asked, installed = [], []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, **_: asked.append(text) or False)
    monkeypatch.setattr(slicer.util, "pip_install", installed.append, raising=False)
    assert not panel.setup.install() and len(asked) == 1 and not installed
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, **_: True)
    assert panel.setup.install() and installed == ["onnxruntime>=1.19"]


def test_models_are_listed_added_and_deleted(panel, tmp_path):
    tinyModel(tmp_path / "src", "added")
    assert panel.models.addFolder(tmp_path / "src") == "added"
    panel.choices.fillModels(panel.logic.getParameterNode())
    assert panel.ui.modelComboBox.findData("added") >= 0
    broken = panel.models.folder() / "broken"
    broken.mkdir()
    rows = {row.id: row for row in panel.models.rows()}
    assert rows["broken"].state == "broken" and "model.json" in rows["broken"].detail
    assert rows["litemedsam"].state == "download" and rows["litemedsam"].size_bytes > 1e6
    panel.models.delete(rows["added"])
    panel.models.delete(rows["broken"])
    assert {row.id for row in panel.models.rows() if row.source == "user"} == {"tiny"}


def test_the_model_dialog_shows_every_model(panel):
    panel.ui.manageModelsButton.click()
    dialog = panel.modelDialog
    names = [dialog.table.item(row, 0).text() for row in range(dialog.table.rowCount())]
    assert "Test model tiny" in names and any("LiteMedSAM" in name for name in names)
    dialog.table.selectRow(names.index("Test model tiny"))
    assert dialog.deleteButton.isEnabled() and not dialog.installButton.isEnabled()


def test_an_empty_panel_says_what_to_do_first(panel, volume, view):
    assert panel.ui.adviceLabel.text() == "Add a box first."
    draw(panel, view)
    assert panel.ui.adviceLabel.text() == ""


def test_the_mean_of_a_ct_is_in_hu(panel, volume, view):
    draw(panel, view)
    panel.ui.applyButton.click()
    settle(panel)
    assert " HU" not in panel.ui.resultLabel.text()
    combo = panel.ui.modalityComboBox
    combo.setCurrentIndex(combo.findData("CT"))
    assert " HU, confidence" in panel.ui.resultLabel.text()


def test_a_tilted_view_is_told(panel, volume, view):
    box = draw(panel, view)
    assert panel.ui.adviceLabel.text() == ""
    turned = np.eye(4)
    turned[1:3, 1:3] = [[0.94, -0.342], [0.342, 0.94]]
    slicer.util.arrayFromVTKMatrix(view.node.GetSliceToRAS())
    view.node.GetSliceToRAS().DeepCopy(
        slicer.util.vtkMatrixFromArray(turned @ slicer.util.arrayFromVTKMatrix(view.node.GetSliceToRAS()))
    )
    view.node.UpdateMatrices()
    panel.refresh()
    assert "tilted 20" in panel.ui.adviceLabel.text() and box.voxels == VoxelBox(*box.voxels.first, *box.voxels.last)


def test_a_box_that_the_model_will_do_badly_is_told(panel, view):
    box = draw(panel, view)
    box.voxels = VoxelBox(0, 0, 8, 63, 63, 12)
    panel.refresh()
    assert "nearly the whole slice" in panel.ui.adviceLabel.text()
    box.voxels = VoxelBox(30, 30, 8, 33, 33, 12)
    panel.refresh()
    assert "only 2 pixels" in panel.ui.adviceLabel.text()


def test_the_preview_follows_window_and_model(panel, view):
    draw(panel, view)
    label = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLabelMapVolumeNode")
    before = int(slicer.util.arrayFromVolume(label).sum())
    parameters = panel.logic.getParameterNode()
    parameters.preset, parameters.level, parameters.width = "manual", 1000, 100  # all is black
    settle(panel)
    assert before > 400 and not slicer.util.arrayFromVolume(label).any()
    parameters.preset = "none"
    settle(panel)
    assert int(slicer.util.arrayFromVolume(label).sum()) == before
    jobs = []
    panel.logic.worker.submit, submit = jobs.append, panel.logic.worker.submit
    panel.refresh()  # nothing that the mask depends on changed
    panel.logic.worker.submit = submit
    assert not jobs


def test_the_preview_follows_the_volumes_own_window_and_voxels(panel, view, volume):
    panel.logic.getParameterNode().preset = "display"
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 255)
    draw(panel, view)
    label = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLabelMapVolumeNode")
    before = int(slicer.util.arrayFromVolume(label).sum())
    volume.GetDisplayNode().SetWindowLevelMinMax(1000, 1100)  # all is black
    until(lambda: not slicer.util.arrayFromVolume(label).any())
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 255)
    until(lambda: int(slicer.util.arrayFromVolume(label).sum()) == before)
    slicer.util.arrayFromVolume(volume)[:] = 10
    slicer.util.arrayFromVolumeModified(volume)
    volume.InvokeEvent(volume.ImageDataModifiedEvent)
    until(lambda: not slicer.util.arrayFromVolume(label).any())


def until(isSo, seconds=10):
    """Changes made elsewhere are seen a moment later."""
    end = time.monotonic() + seconds
    while not isSo() and time.monotonic() < end:
        APP.processEvents()
        time.sleep(0.005)
    assert isSo()


def routed(folder):
    """A model of two parts, one for CT and one for MR."""
    folder.mkdir()
    for part in ("ct", "mr"):
        tinyModel(folder / part, part)
    model = {"schema_version": 1, "id": "routed", "name": "Routed", "version": "1", "licence": "Apache-2.0"}
    (folder / "model.json").write_text(json.dumps({**model, "routes": {"CT": "ct", "MR": "mr"}}))


def test_the_modality_chooses_the_part_of_a_model_of_several(panel, view, volume):
    routed(panel.models.folder() / "routed")
    panel.choices.fillModels(panel.logic.getParameterNode())
    panel.logic.getParameterNode().model = "routed"
    box = panel.logic.addBox(volume, (12, 12, 4, 52, 52, 15))
    panel.selectBox(box)
    settle(panel)
    panel.ui.applyButton.click()
    settle(panel)
    assert "state one of CT, MR" in panel.ui.statusLabel.text()
    combo = panel.ui.modalityComboBox
    assert [combo.itemText(row) for row in range(combo.count())] == ["Not stated", "CT", "MR"]
    combo.setCurrentIndex(combo.findData("MR"))
    panel.ui.applyButton.click()
    settle(panel)
    assert panel.logic.stateOf(box) == "segmented" and panel.logic.view(volume, "k").modality == "MR"


def test_the_modality_of_a_dicom_volume_is_known_and_can_be_overruled(panel, volume):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), volume)
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    hierarchy.SetItemAttribute(item, name, "PT")
    panel.refresh()
    combo = panel.ui.modalityComboBox
    assert combo.currentText() == "PET (from the volume)" and panel.logic.view(volume, "k").modality == "PET"
    box = panel.logic.addBox(volume, (12, 12, 4, 52, 52, 15))
    panel.selectBox(box)
    assert "made for CT, MR, not for PET" in panel.ui.adviceLabel.text()
    combo.setCurrentIndex(combo.findData("CT"))
    assert panel.logic.view(volume, "k").modality == "CT" and panel.ui.adviceLabel.text() == ""
    other = makeVolume(np.full((4, 16, 16), 200, np.uint8), name="Other")
    panel.ui.inputVolumeSelector.setCurrentNode(other)
    assert combo.currentText() == "Not stated"
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    assert combo.currentText() == "CT"


def test_runtimes_that_are_not_installed_say_so(panel):
    from medsam_backends.runtimes import available_runtimes

    combo = panel.ui.runtimeComboBox
    texts = {combo.itemData(row): combo.itemText(row) for row in range(combo.count())}
    assert texts.keys() == {"auto", *available_runtimes()} and texts["onnxruntime"] == "onnxruntime"
    for name, reason in available_runtimes().items():
        assert ("not installed" in texts[name]) == bool(reason)
    combo.setCurrentIndex(combo.findData("auto"))
    assert panel.logic.getParameterNode().runtime == "auto"


# 1080 less a task bar, Slicer's title, menu, tool bar, module selector, help, Data Probe and status bar.
SCREEN_LEFT = 740


@pytest.mark.parametrize("needsSetup", [False, True])
def test_the_first_four_sections_fit_on_a_1080p_screen(panel, view, monkeypatch, needsSetup):
    box = draw(panel, view)
    box.voxels = VoxelBox(0, 0, 8, 63, 63, 12)  # with advice
    if needsSetup:
        monkeypatch.setattr(panel.setup, "isReady", lambda: False)
    panel.refresh()
    settle(panel)
    widget = panel.widget
    widget.resize(450, widget.layout().heightForWidth(450))
    widget.show()
    APP.processEvents()
    sections = [panel.ui.inputsCollapsibleButton, panel.ui.boxesCollapsibleButton, panel.ui.segmentCollapsibleButton]
    assert all(section.isVisible() for section in sections)
    assert panel.ui.setupCollapsibleButton.isVisible() == needsSetup
    assert sections[-1].geometry().bottom() <= SCREEN_LEFT
