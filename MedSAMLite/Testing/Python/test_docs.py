"""The script repository runs as printed, and the documents name only what exists."""

import re

import numpy as np
import pytest
import slicer
from conftest import ROOT
from phantoms import makeVolume

DOCS = ROOT / "docs" / "slicer"


@pytest.fixture
def ready(monkeypatch):
    """The names that the examples presuppose; files are neither read nor written."""
    from MedSAMLiteLib.Logic import MedSAMLiteLogic
    from MedSAMLiteLib.ModelManager import ModelManager

    volumes = [makeVolume(np.full((60, 256, 256), 100, np.int16), name=f"CT{n}") for n in (1, 2)]
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetSize(40, 40, 20)
    roi.SetCenter(100, 100, 60)
    inner = MedSAMLiteLogic.getParameterNode

    def withTiny(self):
        parameters = inner(self)
        parameters.model = "tiny"
        return parameters

    monkeypatch.setattr(MedSAMLiteLogic, "getParameterNode", withTiny)
    monkeypatch.setattr(ModelManager, "download", lambda self, identifier: None)
    monkeypatch.setattr(slicer.util, "loadVolume", lambda path: volumes[0])
    monkeypatch.setattr(slicer.util, "saveNode", lambda node, path: True)
    voxels = (80, 90, 20, 160, 170, 45)
    return {"slicer": slicer, "volumes": volumes, "volume": volumes[0], "voxels": voxels, "roi": roi}


def test_every_example_of_the_script_repository_runs(ready):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), re.S)
    assert len(blocks) >= 9
    for block in blocks:
        if "logic.preview(" in block:  # a box with a result, for the examples that correct one
            ready["box"] = ready["logic"].addBox(ready["volume"], (80, 90, 20, 160, 170, 45), drawnSlice=30)
            ready["logic"].apply([ready["box"]], wait=True)
        exec(compile(block, "python.md", "exec"), ready)
    assert not ready["job"].isActive


def test_links_and_pictures_exist_and_are_small():
    for page in DOCS.glob("*.md"):
        folder = page.parent
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not target.startswith("http"):
                assert (folder / target).is_file(), (page.name, target)
                assert (folder / target).stat().st_size < 200_000


def test_the_tutorial_names_buttons_as_the_panel_does():
    panel = (ROOT / "MedSAMLite" / "Resources" / "UI" / "MedSAMLite.ui").read_text()
    for text in (
        "Add box",
        "Add 2-D box",
        "From view",
        "Apply",
        "Cancel",
        "Add point",
        "Remove point",
        "Segment Editor",
    ):
        assert f"<string>{text}</string>" in panel and text in (DOCS / "tutorial.md").read_text()
