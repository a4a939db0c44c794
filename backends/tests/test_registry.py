"""The four ways in which a model is found, and that a broken one never hides the others."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from medsam_backends import registry
from medsam_backends.backend import Backend, BackendSpec
from medsam_backends.errors import ModelError
from medsam_backends.types import Embedding, Prediction, Prompt

_PLUGIN = """
from medsam_backends.backend import Backend, BackendSpec

class Plugin(Backend):
    spec = BackendSpec("plugin", "Plugin", "1", "MIT")
    def encode(self, image): ...
    def decode(self, embedding, prompts): ...
"""


class Whole(Backend):
    """Finds the whole box; a backend of a dozen lines, as a researcher would write it."""

    spec = BackendSpec("whole", "Whole box", "1.0", "MIT", digest="1")

    def encode(self, image):
        self.check_image(image)
        return Embedding(self.spec.identity, image.shape[:2])

    def decode(self, embedding, prompts):
        self.check_prompts(embedding, prompts)
        return [self._one(embedding.size, prompt) for prompt in prompts]

    def _one(self, size: tuple[int, int], prompt: Prompt) -> Prediction:
        mask = np.zeros(size, bool)
        x0, y0, x1, y1 = (max(0, int(value)) for value in prompt.box)
        mask[y0:y1, x0:x1] = True
        return Prediction(mask, 1.0)


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "bundled_folder", lambda: None)
    monkeypatch.setattr(registry, "_registered", {})


def entry_point(folder: Path, monkeypatch: pytest.MonkeyPatch, value: str, module: str) -> None:
    """Install a distribution with one entry point of ours."""
    (folder / "some_plugin.py").write_text(module)
    facts = folder / "some_plugin-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: some-plugin\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[medsam_backends]\nplugin = {value}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "some_plugin", raising=False)


def found() -> dict[str, tuple[str, str]]:
    return {entry.id: (entry.state, entry.source) for entry in registry.list_models()}


def test_models_are_found_in_four_ways(tmp_path: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_models.sam_model(tmp_path / "bundled" / "one", "one")
    monkeypatch.setattr(registry, "bundled_folder", lambda: tmp_path / "bundled")
    tiny_models.sam_model(models_folder / "two", "two")
    registry.register_backend(Whole)
    entry_point(tmp_path, monkeypatch, "some_plugin:Plugin", _PLUGIN)
    ready = {"one": "bundled", "two": "user", "whole": "registered", "plugin": "entry point"}
    assert found() == {name: ("ready", source) for name, source in ready.items()}
    for name in ready:
        assert registry.open_model(name).spec.id == name


def test_a_broken_model_is_listed_with_its_reason_and_hides_nothing(models_folder: Path) -> None:
    tiny_models.sam_model(models_folder / "b-sound", "sound")
    (tiny_models.sam_model(models_folder / "a-broken", "broken") / "encoder.onnx").unlink()
    entries = {entry.id: entry for entry in registry.list_models()}
    assert entries["sound"].state == "ready"
    assert entries["a-broken"].state == "broken"
    assert "lacks its file encoder.onnx" in entries["a-broken"].reason
    with pytest.raises(ModelError, match="a-broken is broken: .*encoder.onnx"):
        registry.open_model("a-broken")


@pytest.mark.parametrize(
    ("value", "module"),
    [
        ("some_plugin:Plugin", "raise RuntimeError('no licence found')"),
        ("some_plugin:Missing", ""),
        ("some_plugin:Plugin", "Plugin = 3"),
        ("some_plugin:Plugin", "class Plugin: spec = 'x'"),
        ("not_there:Plugin", ""),
    ],
)
def test_a_plug_in_that_cannot_be_loaded_is_listed_as_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: str, value: str, module: str
) -> None:
    entry_point(tmp_path, monkeypatch, value, module)
    assert found() == {"tiny": ("ready", "user"), "plugin": ("broken", "entry point")}


def test_a_class_that_is_both_decorated_and_an_entry_point_is_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = _PLUGIN.replace(
        "class Plugin", "from medsam_backends.registry import register_backend\n@register_backend\nclass Plugin"
    )
    entry_point(tmp_path, monkeypatch, "some_plugin:Plugin", module)
    registry.list_models()
    assert found() == {"plugin": ("ready", "registered")}


def test_of_two_models_with_one_id_the_first_counts(models_folder: Path) -> None:
    tiny_models.sam_model(models_folder / "a", "same")
    tiny_models.sam_model(models_folder / "b", "same")
    first, second = registry.list_models()
    assert (first.state, second.state) == ("ready", "broken")
    assert "is taken by another model (user)" in second.reason
    assert registry.open_model("same").spec.id == "same"


def test_a_class_cannot_take_an_id_that_another_has() -> None:
    registry.register_backend(Whole)
    registry.register_backend(Whole)
    with pytest.raises(ModelError, match="whole is taken by"):
        registry.register_backend(type("Other", (Whole,), {}))


def test_an_unknown_model_is_answered_with_those_that_there_are(tiny: str) -> None:
    with pytest.raises(ModelError, match="There is no model 'x': the models found are tiny"):
        registry.open_model("x")


def test_a_published_model_that_is_not_here_is_answered_with_how_to_have_it(tiny: str) -> None:
    with pytest.raises(ModelError, match="litemedsam is not installed yet: run 'medsamlite models install litemedsam'"):
        registry.open_model("litemedsam")
    with pytest.raises(ModelError, match=r"daft is not installed yet: get .* and run 'medsamlite models import daft"):
        registry.open_model("daft")


def test_without_a_name_the_bundled_model_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: str) -> None:
    with pytest.raises(ModelError, match="No model is bundled here: install one"):
        registry.open_model()
    tiny_models.sam_model(tmp_path / "z", "z")
    monkeypatch.setattr(registry, "bundled_folder", lambda: tmp_path)
    assert registry.open_model().spec.id == "z"
    tiny_models.sam_model(tmp_path / "zz", registry.DEFAULT_MODEL)
    assert registry.open_model().spec.id == registry.DEFAULT_MODEL


def test_hidden_folders_and_files_are_no_models(models_folder: Path) -> None:
    tiny_models.sam_model(models_folder / ".unfinished", "x")
    (models_folder / "notes.txt").write_text("mine")
    assert registry.list_models() == []


def test_no_models_folder_is_no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDSAMLITE_MODELS", "/no/such/folder")
    assert registry.list_models() == []


@pytest.mark.parametrize(
    ("platform", "variable", "ending"),
    [
        ("linux", "XDG_DATA_HOME", "data/MedSAMLite/models"),
        ("win32", "LOCALAPPDATA", "data/MedSAMLite/models"),
        ("darwin", "HOME", "data/Library/Application Support/MedSAMLite/models"),
    ],
)
def test_each_platform_has_its_place_for_models(
    monkeypatch: pytest.MonkeyPatch, platform: str, variable: str, ending: str
) -> None:
    monkeypatch.delenv("MEDSAMLITE_MODELS")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, "/some/data")
    assert registry.user_folder().as_posix() == f"/some/{ending}"
