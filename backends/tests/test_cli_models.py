"""``medsamlite models``, ``presets`` and the help: lists for people and for programs, install, import, remove."""

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from cases import process
from medsam_backends import checkpoints, registry
from medsam_backends.backend import Backend, BackendSpec
from medsam_backends.cli.main import main
from medsam_backends.errors import ModelError
from medsam_backends.types import Embedding, Prediction, Prompt

FIELDS = {"id", "name", "version", "state", "reason", "source", "licence", "path"}


@pytest.fixture(autouse=True)
def nothing_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "bundled_folder", lambda: None)


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    return {row["id"]: row for row in json.loads(capsys.readouterr().out)}


def test_the_list_tells_ready_broken_and_installable(
    tiny: str, models_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (models_folder / "wreck").mkdir()
    rows = listed(capsys)
    states = {"tiny": "ready", "wreck": "broken", "litemedsam": "installable", "rep-medsam": "installable"}
    states |= dict.fromkeys(("medficientsam-l0", "medficientsam-l1", "medficientsam-l2", "daft"), "importable")
    elsewhere = ("entry point", "registered")  # other packages here, and classes that earlier tests imported
    assert {name: row["state"] for name, row in rows.items() if row["source"] not in elsewhere} == states
    assert "medsamlite models import daft FOLDER" in rows["daft"]["reason"]
    assert all(set(row) == FIELDS for row in rows.values())
    assert rows["tiny"]["path"] == str(models_folder / "tiny") and rows["tiny"]["licence"] == "CC0-1.0"
    assert "no model.json" in rows["wreck"]["reason"]
    assert main(["models", "list"]) == 0
    told = capsys.readouterr().out
    assert "Tiny, 1.0, CC0-1.0" in told and "no model.json" in told


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_folder_of_ones_models_is_told_before_there_is_one(
    models_folder: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main(["models", "list", *options]) == 0
    assert capsys.readouterr().err == f"The folder of your models is {models_folder}\n"


@pytest.mark.parametrize("command", [["demo", "--output", "out"], ["models", "check", "litemedsam"]])
def test_a_published_model_that_is_not_here_is_to_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*command, *(["--model", "litemedsam"] if command[0] == "demo" else [])]) == 2
    assert "not installed yet: run 'medsamlite models install litemedsam'" in capsys.readouterr().err


def test_check_runs_models_and_says_which_fail(
    tiny: str, models_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "check"]) == 0
    assert "tiny: sound" in capsys.readouterr().out.splitlines()
    other = tiny_models.sam_model(models_folder / "other", "other")
    tiny_models.write_manifest(other, edit=lambda raw: raw["input"].update(size=48))
    assert main(["models", "check"]) == 2
    assert "other: encoder.onnx failed on its input" in capsys.readouterr().out
    assert main(["models", "check", "tiny"]) == 0
    assert main(["models", "check", "nothing"]) == 2


def test_check_goes_on_after_plug_ins_that_fail_in_their_own_ways(
    tiny: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unmade(Backend):
        spec = BackendSpec("unmade", "Unmade", "1", "MIT")

        def __init__(self) -> None:
            raise FileNotFoundError("no weights here")

        def encode(self, image: np.ndarray) -> Embedding:
            raise ValueError("no picture like this")

        def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Prediction]:
            return []

    class Unable(Unmade):
        spec = BackendSpec("unable", "Unable", "1", "MIT")

        def __init__(self) -> None:
            """Made without trouble."""

    monkeypatch.setattr(registry, "_registered", {"unmade": Unmade, "unable": Unable})
    with pytest.raises(ModelError, match="The model unmade cannot be loaded: no weights here"):
        registry.open_model("unmade")
    assert main(["models", "check", "unmade", "unable", "tiny"]) == 2
    assert capsys.readouterr().out.splitlines() == [
        "tiny: sound",
        "unmade: The model unmade cannot be loaded: no weights here.",
        "unable: It failed on a test picture: no picture like this.",
    ]


def test_check_runs_the_fusion_network_too(models_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny_models.add_fusion(tiny_models.window_model(models_folder / "fused", "fused"))
    assert main(["models", "check", "fused"]) == 0
    tiny_models.write_manifest(folder, edit=lambda raw: raw["cube"].update(grid=24))
    capsys.readouterr()
    assert main(["models", "check", "fused"]) == 2
    assert "fused: fusion.onnx takes 16 cells" in capsys.readouterr().out


def test_a_folder_of_ones_own_is_added_once_and_whole(
    tmp_path: Path, models_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_models.sam_model(tmp_path / "anything", "mine")
    assert main(["models", "add", str(folder)]) == 0
    assert str(models_folder / "mine") in capsys.readouterr().out
    assert main(["models", "check", "mine"]) == 0
    assert main(["models", "add", str(folder)]) == 2
    assert "is there already" in capsys.readouterr().err
    other = tiny_models.sam_model(tmp_path / "other", "other")
    (other / "decoder.onnx").write_bytes(b"")
    for wrong in (other, tmp_path, tmp_path / "none"):
        assert main(["models", "add", str(wrong)]) == 2
    assert os.listdir(models_folder) == ["mine"]


def test_a_changed_model_is_added_in_place_of_the_former(
    tmp_path: Path, models_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_models.sam_model(tmp_path / "anything", "mine")
    assert main(["models", "add", str(folder), "--force"]) == 0
    tiny_models.write_manifest(folder, edit=lambda raw: raw.update(version="2"))
    assert main(["models", "add", str(folder), "--force"]) == 0
    assert json.loads((models_folder / "mine" / "model.json").read_text("utf-8"))["version"] == "2"
    assert os.listdir(models_folder) == ["mine"]
    capsys.readouterr()
    assert main(["models", "add", str(models_folder / "mine"), "--force"]) == 2
    assert "which would be replaced" in capsys.readouterr().err
    assert (models_folder / "mine" / "model.json").is_file()


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_the_id_of_a_bundled_model_is_not_added(
    tmp_path: Path,
    models_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    force: tuple[str, ...],
) -> None:
    bundled = tiny_models.sam_model(tmp_path / "bundled" / "b", "b")
    monkeypatch.setattr(registry, "bundled_folder", lambda: bundled.parent)
    folder = tiny_models.sam_model(tmp_path / "anything", "b")
    assert main(["models", "add", str(folder), *force]) == 2
    assert "The id b is taken by another model (bundled): give this one another id." in capsys.readouterr().err
    assert os.listdir(models_folder) == []


def test_only_ones_own_models_are_removed(
    tiny: str, tmp_path: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundled = tiny_models.sam_model(tmp_path / "bundled" / "b", "b")
    monkeypatch.setattr(registry, "bundled_folder", lambda: bundled.parent)
    linked = tiny_models.sam_model(tmp_path / "elsewhere", "linked")
    (models_folder / "linked").symlink_to(linked, target_is_directory=True)
    remove = ["models", "remove", "--yes"]
    assert [main([*remove, name]) for name in ("tiny", "linked", "b", "nothing")] == [0, 0, 2, 2]
    assert os.listdir(models_folder) == [] and linked.is_dir() and bundled.is_dir()
    assert "b (bundled) is not in the folder of your models, so it stays" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "left"), [("n\n", ["tiny"]), ("", ["tiny"]), ("y\n", [])])
def test_a_model_is_removed_only_when_asked_to_twice(
    tiny: str, models_folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str, left: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert (main(["models", "remove", "tiny"]) == 0) == (not left)
    assert os.listdir(models_folder) == left


def test_a_model_that_cannot_be_deleted_is_told(
    tiny: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def locked(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", locked)
    assert main(["models", "remove", "--yes", "tiny"]) == 2
    assert "could not be removed (Permission denied)" in capsys.readouterr().err


def test_the_catalogue_tells_all_that_is_known(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--catalog"]) == 0
    told = capsys.readouterr().out
    paragraphs = dict(zip(checkpoints.catalogue(), told.split("\n\n"), strict=True))
    assert max(map(len, told.splitlines())) <= 130  # a digest or an address is not broken
    for model, text in paragraphs.items():
        facts = checkpoints.catalogue()[model]
        assert text.startswith(model) and facts.page in text and facts.paper in text
        assert (f"medsamlite models install {model}" in text) is facts.installable
        assert (f"medsamlite models import {model} F" in text) is bool(facts.keys)
    assert "DSC 86.42 %, NSD 87.95 %" in paragraphs["medficientsam-l1"]
    assert "f19d07c6e59b23895bd3545487f7afa13cda42d0" in paragraphs["rep-medsam"]
    assert main(["models", "list", "--catalog", "--json"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == list(paragraphs)


def test_a_model_that_cannot_be_imported_is_told_why(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["install"], ["import", "x.onnx"]):
        assert main(["models", verb[0], "rep-medsam-cpp", *verb[1:]]) == 2
        assert "no licence was found" in capsys.readouterr().err
    assert main(["models", "install", "medficientsam-l1"]) == 2
    told = capsys.readouterr().err
    assert "https://github.com/hieplpvip/medficientsam" in told
    assert "medsamlite models import medficientsam-l1 FILE" in told


def test_install_tells_what_it_fetches_and_when_there_is_nothing_to_do(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [True, False]
    monkeypatch.setattr(checkpoints, "install", lambda system, folder, half, progress: answers.pop(0))
    for sentence in ("litemedsam is installed in", "litemedsam is installed already, in"):
        assert main(["models", "install", "litemedsam"]) == 0
        told = capsys.readouterr()
        assert told.out.startswith(sentence) and str(models_folder) in told.out
        assert "39 MB, licence Apache-2.0" in told.err
    assert main(["models", "install", "nothing"]) == 2


def test_without_a_network_install_says_what_else_can_be_done(tmp_path: Path, models_folder: Path) -> None:
    unreachable = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    unreachable |= {"https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    done = process("models", "install", "litemedsam", cwd=tmp_path, PIP_CONFIG_FILE=os.devnull, **unreachable)
    assert done.returncode == 2
    assert "could not be downloaded" in done.stderr and "medsamlite models import litemedsam FILE" in done.stderr
    assert os.listdir(models_folder) == []


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint"])
def test_a_file_that_is_no_checkpoint_is_refused(
    tmp_path: Path, models_folder: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    file = tmp_path / "lite_medsam.pth"
    if content is not None:
        file.write_bytes(content)
    assert main(["models", "import", "litemedsam", str(file)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert os.listdir(models_folder) == []


def test_import_replaces_a_model_only_when_asked(
    tmp_path: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[tuple[object, ...]] = []
    monkeypatch.setattr(checkpoints, "import_published", lambda *given, replace: done.append((given[2], replace)))
    assert main(["models", "import", "litemedsam", "x.pth"]) == 0
    (models_folder / "litemedsam").mkdir()
    assert main(["models", "import", "litemedsam", "x.pth"]) == 2
    assert "--force replaces it" in capsys.readouterr().err
    assert main(["models", "import", "litemedsam", "x.pth", "--force"]) == 0
    assert main(["models", "import", "litemedsam", "x.pth", "--output", str(tmp_path / "mine")]) == 0
    here = models_folder / "litemedsam"
    assert done == [(here, False), (here, True), (tmp_path / "mine", False)]


def test_presets_are_listed_for_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["lung"]["level"], rows["lung"]["width"]) == (-600, 1500) and all(
        row["source"] for row in rows.values()
    )
    assert main(["presets"]) == 0
    assert "lung " in capsys.readouterr().out


def test_the_help_names_every_command_and_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in ("segment", "models", "presets", "--debug")) and "demo" not in told
    assert main(["--version"]) == 0
    assert "0.1.0" in capsys.readouterr().out
    assert main([]) == main(["models"]) == 2
    assert "Usage: medsamlite" in capsys.readouterr().err
    assert main(["nonsense"]) == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err
