"""Several models under one name: the stated modality chooses, only what is used is loaded, nothing lies outside."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
import tiny_models
from medsam_backends import registry
from medsam_backends.boxes import VoxelBox
from medsam_backends.cli.main import main
from medsam_backends.errors import ModelError
from medsam_backends.folder_backend import open_folder
from medsam_backends.manifest import schema
from medsam_backends.modalities import canonical_modality
from medsam_backends.registry import list_models, open_model
from medsam_backends.routed import RoutedBackend, read_model
from medsam_backends.segmenter import Target, VolumeSegmenter
from medsam_backends.types import Prompt

Edit = Callable[[dict[str, Any]], object]
DESCRIPTION: dict[str, Any] = {
    "schema_version": 1,
    "id": "team",
    "name": "Team",
    "version": "2",
    "licence": "CC0-1.0",
    "routes": {"CT": "body", "MR": "body", "XRay": "XRay"},
    "fallback": "general",
}


def team(folder: Path, edit: Edit = lambda raw: None) -> Path:
    """Three models whose digests differ, under one name."""
    for part in ("body", "XRay", "general"):
        made = tiny_models.sam_model(folder / part, "part")
        graph = onnx.load(made / "encoder.onnx")
        graph.producer_name = part
        onnx.save(graph, made / "encoder.onnx")
        tiny_models.write_manifest(made)
    raw = json.loads(json.dumps(DESCRIPTION))
    edit(raw)
    (folder / "model.json").write_text(json.dumps(raw))
    return folder


@pytest.fixture
def routed(models_folder: Path) -> RoutedBackend:
    team(models_folder / "team")
    backend = open_model("team", threads=1)
    assert isinstance(backend, RoutedBackend)
    return backend


def loaded(backend: RoutedBackend) -> list[str]:
    return sorted(backend._loaded)


@pytest.mark.parametrize(
    ("modality", "name"),
    [
        *[("CT", "body"), ("ct", "body"), ("MRI", "body"), ("DX", "XRay"), ("X-Ray", "XRay")],
        *[("US", "general"), ("unheard of", "general"), ("", "general")],
    ],
)
def test_the_stated_modality_chooses_and_only_its_model_is_loaded(
    routed: RoutedBackend, modality: str, name: str
) -> None:
    assert loaded(routed) == []
    chosen = routed.for_modality(modality)
    assert (chosen.spec.id, chosen.spec.name) == ("team", f"Team ({name})")
    assert chosen is routed.for_modality(modality)
    assert loaded(routed) == [name]


def test_a_volume_is_segmented_by_the_model_of_its_modality(routed: RoutedBackend) -> None:
    volume = np.full((3, 32, 32), 50, np.uint8)
    volume[:, 8:20, 8:20] = 200
    segmenter = VolumeSegmenter(routed, volume, preset="none", modality="MR")
    [segment] = segmenter.segment([Target(VoxelBox(6, 6, 0, 22, 22, 2))])
    assert segment.voxels == 3 * 12 * 12
    assert segmenter.backend.spec.name == "Team (body)"
    assert loaded(routed) == ["body"]


def test_the_command_line_states_the_modality(models_folder: Path, tmp_path: Path) -> None:
    import SimpleITK as sitk

    team(models_folder / "team")
    picture = np.full((32, 32), 50, np.uint8)
    picture[8:20, 8:20] = 200
    sitk.WriteImage(sitk.GetImageFromArray(picture), str(tmp_path / "a.png"))
    names = {}
    for modality in ("CT", "DX", ""):
        stated = ["--modality", modality] if modality else []
        report = tmp_path / f"report-{modality}.json"
        command = ["segment", str(tmp_path / "a.png"), "--box", "6", "6", "22", "22", "--model", "team", *stated]
        command += ["--preset", "none", "--output", str(tmp_path / f"{modality}.nrrd"), "--report", str(report)]
        assert main(command) == 0
        names[modality] = json.loads(report.read_text())["model"]["name"]
    assert names == {"CT": "Team (body)", "DX": "Team (XRay)", "": "Team (general)"}


def test_the_models_share_no_embedding(routed: RoutedBackend) -> None:
    picture = np.zeros((32, 32), np.uint8)
    embedding = routed.for_modality("CT").encode(picture)
    assert routed.decode(embedding, [Prompt((1, 1, 9, 9))])[0].mask.shape == (32, 32)
    assert routed.encode(picture).model == routed.for_modality("").spec.identity != embedding.model
    with pytest.raises(ModelError, match="encode the slice again"):
        routed.for_modality("DX").decode(embedding, [Prompt((1, 1, 9, 9))])
    routed.close()
    with pytest.raises(ModelError, match="was closed"):
        routed.for_modality("CT").encode(picture)


def test_an_embedding_of_another_model_is_refused(routed: RoutedBackend, models_folder: Path, tiny: str) -> None:
    embedding = open_model(tiny, threads=1).encode(np.zeros((32, 32), np.uint8))
    with pytest.raises(ModelError, match="encode the slice again"):
        routed.decode(embedding, [Prompt((1, 1, 9, 9))])


def test_without_a_general_model_the_modality_must_be_stated(models_folder: Path) -> None:
    team(models_folder / "team", lambda raw: raw.pop("fallback"))
    backend = open_model("team", threads=1)
    assert backend.for_modality("CT").spec.name == "Team (body)"
    for modality, said in (("", "whose modality is not stated: state one of CT, MR, XRay"), ("US", "modality US")):
        with pytest.raises(ModelError, match=said):
            backend.for_modality(modality)


def test_the_list_shows_one_model_and_the_check_tries_every_part(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "bundled_folder", lambda: None)
    folder = team(models_folder / "team")
    [entry] = [entry for entry in list_models() if entry.source == "user"]
    assert (entry.id, entry.state, entry.spec.modalities) == ("team", "ready", ("CT", "MR", "XRay"))
    assert main(["models", "check", "team"]) == 0
    (folder / "general" / "decoder.onnx").write_bytes(b"")
    assert main(["models", "check", "team"]) == 2
    assert "team: decoder.onnx of the model part is not the file" in capsys.readouterr().out
    with pytest.raises(ModelError, match=r"decoder.onnx"):
        read_model(folder).check_digests()


def test_a_change_of_any_part_changes_the_digest(tmp_path: Path) -> None:
    before = read_model(team(tmp_path / "a")).spec.digest
    assert before == read_model(tmp_path / "a").spec.digest
    tiny_models.write_manifest(tmp_path / "a" / "XRay", edit=lambda raw: raw["decoder"].update(sha256="0" * 64))
    assert before != read_model(tmp_path / "a").spec.digest


def test_the_rule_counts_in_the_digest(tmp_path: Path) -> None:
    before = read_model(team(tmp_path / "a")).spec.digest
    assert before != read_model(team(tmp_path / "b", lambda raw: raw.update(rule="sweep"))).spec.digest


def test_parts_that_differ_in_settings_alone_share_no_embedding(models_folder: Path) -> None:
    folder = team(models_folder / "team")
    shutil.copytree(folder / "body", folder / "XRay", dirs_exist_ok=True)
    tiny_models.write_manifest(
        folder / "XRay", edit=lambda raw: raw.update(output={"upsample": "linear", "threshold": 9.0})
    )
    backend = open_model("team", threads=1)
    embedding = backend.for_modality("CT").encode(np.zeros((32, 32), np.uint8))
    with pytest.raises(ModelError, match="encode the slice again"):
        backend.for_modality("XRay").decode(embedding, [Prompt((1, 1, 9, 9))])


BROKEN: dict[str, tuple[Edit, str]] = {
    "a folder outside": (lambda raw: raw["routes"].update(CT="../elsewhere"), "does not match"),
    "a folder that is not there": (lambda raw: raw["routes"].update(CT="none"), "no model.json"),
    "the folder itself": (lambda raw: raw.update(fallback="."), "does not match"),
    "no route": (lambda raw: (raw.update(routes={}), raw.pop("fallback")), "names no model"),
    "routes that are no table": (lambda raw: raw.update(routes=["CT"]), "routes is not of type object"),
    "an unknown entry": (lambda raw: raw.update(encoder={}), "encoder is not known"),
    "a newer version": (lambda raw: raw.update(schema_version=99), "update MedSAMLite"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_description_is_refused_with_a_sentence(tmp_path: Path, kind: str) -> None:
    edit, said = BROKEN[kind]
    folder = team(tmp_path / "team", edit)
    tiny_models.sam_model(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match=said) as caught:
        open_folder(folder)
    assert str(caught.value).endswith(".")
    raw = json.loads((folder / "model.json").read_text())
    accepted = jsonschema.Draft202012Validator(schema("routed")).is_valid(raw)
    assert accepted is (kind in ("a folder that is not there", "no route", "a newer version"))


def test_a_part_that_is_a_link_to_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = team(tmp_path / "team", lambda raw: raw["routes"].update(CT="linked"))
    (folder / "linked").symlink_to(tiny_models.sam_model(tmp_path / "elsewhere"), target_is_directory=True)
    with pytest.raises(ModelError, match="no folder in it"):
        read_model(folder)


def test_a_team_of_teams_is_refused(tmp_path: Path) -> None:
    folder = team(tmp_path / "team")
    (folder / "body" / "model.json").write_text(json.dumps(DESCRIPTION))
    with pytest.raises(ModelError, match="not a valid model description"):
        read_model(folder)


@pytest.mark.parametrize(
    ("said", "name"),
    [("PT", "PET"), ("pet", "PET"), ("MG", "Mammography"), ("OP", "Fundus"), ("OPT", "OCT"), ("ES", "Endoscopy")]
    + [("SM", "Microscopy"), ("DMS", "Dermoscopy"), ("CR", "XRay"), ("x ray", "XRay"), ("NM", "NM"), ("", "")],
)
def test_modalities_have_one_name(said: str, name: str) -> None:
    assert canonical_modality(said) == name


def test_a_part_brings_its_own_fusion_network(models_folder: Path) -> None:
    tiny_models.add_fusion(team(models_folder / "team") / "body")
    backend = open_model("team", threads=1)
    assert backend.for_modality("CT").fusion is not None
    assert backend.for_modality("XRay").fusion is None
