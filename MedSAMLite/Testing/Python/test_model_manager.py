"""Models are deleted without the panel: of a linked folder the link goes, and what it leads to stays."""

import phantoms
import pytest
from medsam_backends.errors import OutputError
from MedSAMLiteLib.ModelManager import ModelManager


def rowOf(manager, identifier):
    return next(row for row in manager.rows() if row.id == identifier)


def test_of_a_linked_model_the_link_is_deleted(scene, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDSAMLITE_MODELS", str(tmp_path / "models"))
    phantoms.tinyModel(tmp_path / "tiny")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny").symlink_to(tmp_path / "tiny", target_is_directory=True)
    manager = ModelManager()
    row = rowOf(manager, "tiny")
    manager.delete(row)
    assert not list((tmp_path / "models").iterdir()) and (tmp_path / "tiny" / "model.json").is_file()
    with pytest.raises(OutputError, match="could not be removed"):
        manager.delete(row)
