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
