"""The panel's choices: set-up, models, window, modality, what it says of a box, and that it fits on a screen."""

import numpy as np
import pytest
import slicer

pytest.importorskip("PySide6", reason="PySide6 is not installed for this Python: pip install PySide6-Essentials")

from medsam_backends.boxes import VoxelBox  # noqa: E402
from panel_bench import draw, enabled, settle  # noqa: E402
from phantoms import tinyModel  # noqa: E402


def test_the_parameters_are_shown_and_kept(panel):
    parameters = panel.logic.getParameterNode()
    combo = panel.ui.presetComboBox
    combo.setCurrentIndex(combo.findData("manual"))
    assert parameters.preset == "manual" and panel.ui.levelSpinBox.isVisibleTo(panel.widget)
    panel.ui.widthSpinBox.setValue(350)
    assert parameters.width == 350
    parameters.preset = "lung"
    assert combo.currentData() == "lung" and not panel.ui.levelSpinBox.isVisibleTo(panel.widget)


def test_the_picture_that_the_model_sees(panel, view):
    panel.ui.pictureCheckBox.setChecked(True)
    settle(panel)
    assert panel.ui.pictureLabel.pixmap().height() == 160


def test_a_declined_or_failed_installation_leaves_a_working_panel(panel, view, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "onnxruntime" else real(name, *a))
    panel.refresh()
    assert (
        panel.ui.setupCollapsibleButton.isVisibleTo(panel.widget)
        and "PyTorch is not needed" in panel.ui.setupLabel.text()
    )
    assert "pip download" in panel.ui.offlineLabel.text()
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
    monkeypatch.undo()
    monkeypatch.setenv("MEDSAMLITE_MODELS", str(panel.models.folder()))
    panel.ui.installButton.click()
    assert slicer.packaging.asked[-1] == (["onnxruntime>=1.19"], "MedSAMLite")
    assert not panel.ui.setupCollapsibleButton.isVisibleTo(panel.widget)


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


def test_the_model_dialog_shows_every_model(panel, tmp_path):
    from MedSAMLiteLib.ModelDialog import ModelDialog

    dialog = ModelDialog(panel.models, panel.logic, panel.widget)
    names = [dialog.table.item(row, 0).text() for row in range(dialog.table.rowCount())]
    assert "Test model tiny" in names and any("LiteMedSAM" in name for name in names)
    dialog.table.selectRow(names.index("Test model tiny"))
    assert dialog.deleteButton.isEnabled() and not dialog.installButton.isEnabled()


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
