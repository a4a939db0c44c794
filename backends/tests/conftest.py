"""Tests never see the models and caches of the person who runs them: each has empty folders of its own."""

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest
import tiny_models


@pytest.fixture(autouse=True)
def models_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's models folder, empty."""
    models, cache = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MEDSAMLITE_MODELS", str(models))
    monkeypatch.setenv("MEDSAMLITE_CACHE", str(cache))
    yield models
    for folder in (models, cache):  # graphs of published models take hundreds of megabytes
        rmtree(folder, ignore_errors=True)


@pytest.fixture
def tiny(models_folder: Path) -> str:
    """Id of a SAM-like model with known masks, installed for the test."""
    tiny_models.sam_model(models_folder / "tiny")
    return "tiny"
