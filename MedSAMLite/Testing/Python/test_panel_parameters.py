"""The panel's options: shown and kept, also when the module is left, and typed numbers."""

import pytest
import slicer

pytest.importorskip("PySide6", reason="PySide6 is not installed for this Python: pip install PySide6-Essentials")

from MedSAMLiteLib.ParameterNode import Overlap, PropagationAxis  # noqa: E402
from PySide6.QtCore import Qt  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402


def test_the_parameters_are_shown_and_kept(panel):
    parameters = panel.logic.getParameterNode()
    combo = panel.ui.presetComboBox
    combo.setCurrentIndex(combo.findData("manual"))
    assert parameters.preset == "manual" and panel.ui.levelSpinBox.isVisibleTo(panel.widget)
    panel.ui.widthSpinBox.setValue(350)
    assert parameters.width == 350
    parameters.preset = "lung"
    assert combo.currentData() == "lung" and not panel.ui.levelSpinBox.isVisibleTo(panel.widget)


def test_every_option_is_as_before_when_the_module_was_left_and_entered_again(panel):
    parameters = panel.logic.getParameterNode()
    chosen = {
        "overlap": Overlap.KEEP_OTHERS,
        "axis": PropagationAxis.J,
        "boxMargin": 3,
        "preview": False,
        "width": 350.0,
    }
    for name, value in chosen.items():
        setattr(parameters, name, value)
    for _ in range(2):
        panel.exit()
        panel.enter()
    parameters = panel.logic.getParameterNode()
    assert {name: getattr(parameters, name) for name in chosen} == chosen
    panel.exit()
    panel.ui.marginSpinBox.setValue(7)  # nobody sees it, so it is no choice
    assert parameters.boxMargin == 3


def test_a_number_counts_when_it_is_typed_to_its_end(panel):
    ui, seen = panel.ui, []
    for spin in (ui.levelSpinBox, ui.widthSpinBox, ui.cacheSpinBox, ui.marginSpinBox, ui.threadsSpinBox):
        spin.valueChanged.connect(seen.append)
        spin.selectAll()
        QTest.keyClicks(spin, "12")
        QTest.keyClick(spin, Qt.Key_Return)
        assert seen == [12]
        seen.clear()


@pytest.mark.parametrize("level, width", [(0.25, 0.05), (400000, 1500000)])
def test_windows_of_maps_and_of_becquerels_can_be_set(panel, level, width):
    panel.ui.levelSpinBox.setValue(level)
    panel.ui.widthSpinBox.setValue(width)
    parameters = panel.logic.getParameterNode()
    assert (parameters.level, parameters.width) == (level, width)


def test_colour_volumes_can_be_chosen_and_what_is_no_picture_cannot(panel, volume):
    """Slicer's binding of a node selector sets its node types, whatever the .ui says."""
    for kind in ("Vector", "LabelMap", "DiffusionTensor", "DiffusionWeighted"):
        slicer.mrmlScene.AddNewNodeByClass(f"vtkMRML{kind}VolumeNode", kind)
    selector = panel.ui.inputVolumeSelector
    assert [selector.itemText(row) for row in range(selector.count())] == ["None", volume.GetName(), "Vector"]
    selector.setCurrentNode(slicer.util.getNode("Vector"))
    assert panel.logic.getParameterNode().inputVolume.GetName() == "Vector"
