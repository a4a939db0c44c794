"""Starts the stand-in host once; every test gets an empty scene and a folder with one tiny model."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytest.importorskip("slicer", reason="slicer-core is not installed for this Python: pip install slicer-core")
for folder in (ROOT / "MedSAMLite", ROOT / "MedSAMLite" / "Testing"):
    sys.path.insert(0, str(folder))

import slicer  # noqa: E402
from host import application  # noqa: E402

application.start()
slicer.util.modulePath = lambda name: str(ROOT / "MedSAMLite" / f"{name}.py")

import MedSAMLiteLib  # noqa: E402, F401  finds medsam_backends
import numpy as np  # noqa: E402
import phantoms  # noqa: E402


@pytest.fixture(scope="session")
def modelFolder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    phantoms.tinyModel(folder / "tiny")
    return folder


@pytest.fixture(autouse=True)
def scene(modelFolder, monkeypatch):
    monkeypatch.setenv("MEDSAMLITE_MODELS", str(modelFolder))
    application.clearScene()
    yield slicer.mrmlScene
    application.clearScene()


@pytest.fixture
def logic(scene):
    from MedSAMLiteLib.Logic import MedSAMLiteLogic

    logic = MedSAMLiteLogic()
    logic.getParameterNode().model = "tiny"
    yield logic
    logic.close()


@pytest.fixture
def volume(scene):
    """A bright ball in the dark, 8-bit so that no window comes between."""
    ball = phantoms.ball((20, 64, 64), (10, 32, 32), 18, (2, 1, 1))
    return phantoms.makeVolume(np.where(ball, 200, 10).astype(np.uint8), spacing=(1, 1, 2))


@pytest.fixture
def view(volume):
    """An axial view on the middle of the ball."""
    from host.slice_view import SliceView

    view = SliceView()
    view.show(volume)
    view.jumpTo((32, 32, 20))
    yield view
    view.close()


@pytest.fixture
def panel(volume, monkeypatch):
    pytest.importorskip("PySide6", reason="PySide6 is not installed for this Python: pip install PySide6-Essentials")
    import panel_bench
    from MedSAMLiteLib import Prefetch
    from MedSAMLiteLib.Panel import Panel

    monkeypatch.setattr(Prefetch, "IDLE_MS", 10**7)  # the tests of it say when; others count what is encoded
    panel = Panel(lambda name: str(ROOT / "MedSAMLite" / "Resources" / name))
    panel.enter()
    panel.logic.getParameterNode().model = "tiny"
    yield panel
    panel.cleanup()
    panel_bench.delete(panel.widget)
