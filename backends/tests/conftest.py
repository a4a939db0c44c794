"""Tests never see the models and caches of the person who runs them: each has empty folders of its own."""

from pathlib import Path

import pytest
import tiny_models


@pytest.fixture(autouse=True)
def models_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's models folder, empty."""
    folder = tmp_path_factory.mktemp("models")
    monkeypatch.setenv("MEDSAMLITE_MODELS", str(folder))
    monkeypatch.setenv("MEDSAMLITE_CACHE", str(tmp_path_factory.mktemp("cache")))
    return folder


@pytest.fixture
def tiny(models_folder: Path) -> str:
    """Id of a SAM-like model with known masks, installed for the test."""
    tiny_models.sam_model(models_folder / "tiny")
    return "tiny"
