"""Tests never see the models of the person who runs them: each has an empty models folder of its own."""

from pathlib import Path

import pytest
import tiny_models


@pytest.fixture(autouse=True)
def models_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's models folder, empty."""
    folder = tmp_path_factory.mktemp("models")
    monkeypatch.setenv("MEDSAMLITE_MODELS", str(folder))
    return folder


@pytest.fixture
def tiny(models_folder: Path) -> str:
    """Id of a SAM-like model with known masks, installed for the test."""
    tiny_models.sam_model(models_folder / "tiny")
    return "tiny"
