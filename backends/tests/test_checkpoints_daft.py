"""DAFT from checkpoints and from OpenVINO files: whole or not at all, one model a modality, loaded when asked for."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import handmade_checkpoint as hand
import numpy as np
import onnx
import pytest
import tiny_models
from medsam_backends.checkpoints import import_daft, import_published
from medsam_backends.checkpoints.daft import _NAMES
from medsam_backends.checkpoints.state_dict import expected_tensors
from medsam_backends.errors import Cancelled, ModelError
from medsam_backends.folder_backend import open_folder
from medsam_backends.registry import list_models
from medsam_backends.routed import read_model
from medsam_backends.runtimes import available_runtimes
from medsam_backends.types import Prompt

PICTURE = np.add.outer(3 * np.arange(40), 2 * np.arange(50)).astype(np.uint8)
WITHOUT_OPENVINO = available_runtimes().get("openvino", "it is not known")
needs_openvino = pytest.mark.skipif(bool(WITHOUT_OPENVINO), reason=WITHOUT_OPENVINO)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3D.pth in the form of the authors' training program, in a folder with a file that is none of theirs."""
    state = hand.standin_state(expected_tensors("efficientvit-sam-l0"))
    path = hand.data_parallel(tmp_path_factory.mktemp("daft") / "3D.pth", state)
    path.with_name("notes.pth").write_bytes(b"")
    return path


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three graphs of a tiny model under DAFT's tensor names, as OpenVINO files."""
    openvino = pytest.importorskip("openvino")
    folder = tmp_path_factory.mktemp("graphs")
    made = {
        "image_encoder": tiny_models.sam_encoder(),
        "prompt_encoder": tiny_models.prompt_encoder(),
        "mask_decoder": tiny_models.mask_decoder(),
    }
    for stem, graph in made.items():
        graph = tiny_models.renamed(graph, _NAMES[stem])
        onnx.save(tiny_models.model(graph), folder / f"{stem}.onnx")
        openvino.save_model(openvino.Core().read_model(folder / f"{stem}.onnx"), folder / f"{stem}.xml")
    np.save(folder / "positional_encoding.npy", tiny_models.POSITIONS)
    return folder


def publish(graphs: Path, folder: Path, *parts: str, nested: bool = False) -> Path:
    """A set of OpenVINO files in the authors' layout, or in that of MedSAMSlicer."""
    folder.mkdir()
    for name in ("prompt_encoder.xml", "prompt_encoder.bin", "positional_encoding.npy"):
        shutil.copy(graphs / name, folder / name)
    for part in parts:
        for stem in ("image_encoder", "mask_decoder"):
            for end in (".xml", ".bin"):
                target = folder / part / f"{stem}{end}" if nested else folder / f"{part}_{stem}{end}"
                target.parent.mkdir(exist_ok=True)
                shutil.copy(graphs / f"{stem}{end}", target)
    return folder


def refusal(source: Path, folder: Path) -> str:
    before = sorted(os.listdir(folder.parent))
    with pytest.raises(ModelError) as caught:
        import_daft(source, folder)
    assert sorted(os.listdir(folder.parent)) == before
    return str(caught.value)


def test_a_folder_of_checkpoints_becomes_a_model(checkpoint: Path, models_folder: Path) -> None:
    folder = import_published("daft", checkpoint.parent, models_folder / "daft", half=True)
    assert sorted(os.listdir(folder)) == ["3D", "model.json"]
    [entry] = [entry for entry in list_models() if entry.id == "daft"]
    assert (entry.state, entry.spec.licence, entry.spec.modalities) == ("ready", "BSD-3-Clause", ("CT", "MR", "PET"))
    model = open_folder(folder, threads=1)
    chosen = model.for_modality("PT")
    [found] = chosen.decode(chosen.encode(PICTURE), [Prompt((5, 6, 30, 35))])
    assert chosen.spec.name == "DAFT (3D)" and found.mask.shape == PICTURE.shape
    assert np.isfinite(found.logits).all()
    with pytest.raises(ModelError, match="state one of CT, MR, PET"):
        model.for_modality("US")
    with pytest.raises(ModelError, match="exists already"):
        import_daft(checkpoint, folder)


def test_a_cancelled_import_leaves_nothing(checkpoint: Path, models_folder: Path) -> None:
    folder = models_folder / "daft"
    with pytest.raises(Cancelled):
        import_published("daft", checkpoint, folder, cancelled=lambda: any(models_folder.glob(".daft.*/model.json")))
    assert not list(models_folder.iterdir())


def test_what_is_no_part_of_daft_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    os.link(checkpoint, tmp_path / "best.pth")
    assert "call the file CT, 3D, US" in refusal(tmp_path / "best.pth", tmp_path / "daft")
    (tmp_path / "empty").mkdir()
    assert "holds no part of DAFT" in refusal(tmp_path / "empty", tmp_path / "daft")
    assert "does not exist" in refusal(tmp_path / "none.pth", tmp_path / "daft")


def test_a_refused_part_leaves_nothing_of_the_others(graphs: Path, tmp_path: Path) -> None:
    source = publish(graphs, tmp_path / "ir", "3D", "general")
    hand.write(source / "US.pth", hand.call("os.system", hand.text("true")))
    assert "US.pth would use os.system" in refusal(source, tmp_path / "daft")
    hand.checkpoint(source / "US.pth", {"w": np.zeros(3, np.float32)})
    assert "no checkpoint of DAFT" in refusal(source, tmp_path / "daft")
    (source / "US.pth").write_bytes(b"")
    assert "download it again" in refusal(source, tmp_path / "daft")


@pytest.mark.parametrize("nested", [False, True])
def test_openvino_files_become_one_model(graphs: Path, tmp_path: Path, nested: bool) -> None:
    source = publish(graphs, tmp_path / "ir", "3D", "Fundus", "general", "distilled", nested=nested)
    folder = import_daft(source, tmp_path / "daft")
    assert sorted(os.listdir(folder)) == ["3D", "Fundus", "general", "model.json"]
    manifest = read_model(folder)
    manifest.check_digests()
    assert manifest.routes == {"CT": "3D", "MR": "3D", "PET": "3D", "Fundus": "Fundus"}
    assert manifest.fallback == "general"
    shared = [(folder / part / "positional_encoding.npy").stat().st_ino for part in manifest.parts]
    assert len(set(shared)) == 1, "what the parts share is on disk once"
    assert sorted(path.name for path in source.iterdir()) == sorted(os.listdir(source)), "the download stays"


def test_the_challenges_version_routes_ultrasound_to_litemedsam(graphs: Path, tmp_path: Path) -> None:
    source = publish(graphs, tmp_path / "ir", "3D", "CT", "lite_medsam")
    for end in (".xml", ".bin"):
        (source / f"prompt_encoder{end}").rename(source / f"lite_medsam_prompt_encoder{end}")
    manifest = read_model(import_daft(source, tmp_path / "daft"))
    assert manifest.routes == {"CT": "CT", "MR": "3D", "PET": "3D", "US": "lite_medsam"}
    assert manifest.fallback == "lite_medsam"


@pytest.mark.parametrize(
    "missing", ["3D_mask_decoder.xml", "3D_image_encoder.bin", "prompt_encoder.bin", "positional_encoding.npy"]
)
def test_an_incomplete_set_is_told_by_name(graphs: Path, tmp_path: Path, missing: str) -> None:
    source = publish(graphs, tmp_path / "ir", "3D", "general")
    (source / missing).unlink()
    assert missing in refusal(source, tmp_path / "daft")


@pytest.mark.skipif(not WITHOUT_OPENVINO, reason="OpenVINO is here")
def test_without_openvino_a_sentence_says_what_to_do(graphs: Path, tmp_path: Path) -> None:
    folder = import_daft(publish(graphs, tmp_path / "ir", "3D"), tmp_path / "daft")
    with pytest.raises(ModelError, match=r"image_encoder.xml is a file of OpenVINO.*pip install openvino"):
        open_folder(folder).for_modality("CT")


@needs_openvino
def test_openvino_files_segment_as_the_same_graphs_do_elsewhere(graphs: Path, tmp_path: Path) -> None:
    folder = import_daft(publish(graphs, tmp_path / "ir", "3D", "general"), tmp_path / "daft")
    twin = json.loads((tiny_models.split_model(tmp_path / "onnx") / "model.json").read_text())
    raw = json.loads((folder / "3D" / "model.json").read_text())
    raw |= {"input": twin["input"], "output": {"upsample": "torch_linear"}}
    (folder / "3D" / "model.json").write_text(json.dumps(raw))
    (folder / "general" / "image_encoder.bin").write_bytes(b"changed")
    model = open_folder(folder, threads=1)
    results = []
    for chosen in (model.for_modality("CT"), open_folder(tmp_path / "onnx", threads=1)):
        results.append(chosen.decode(chosen.encode(PICTURE), [Prompt((2, 3, 40, 30)), Prompt((20, 10, 50, 40))]))
    for one, other in zip(*results, strict=True):
        assert one.mask.any() and np.array_equal(one.mask, other.mask)
        assert np.allclose(one.logits, other.logits, atol=1e-3)
    with pytest.raises(ModelError, match=r"image_encoder.bin of the model daft is not the file"):
        model.for_modality("NM")


def _cut(path: Path) -> bytes:
    return path.read_bytes()[: path.stat().st_size // 2]


BOMB = b'<!DOCTYPE n [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(8)
)
DAMAGE = {
    "an empty graph": ("3D_image_encoder.xml", lambda path: b""),
    "half a graph": ("3D_image_encoder.xml", _cut),
    "a page that asks to sign in": ("3D_mask_decoder.xml", lambda path: b"<!DOCTYPE html><html>Sign in</html>"),
    "a graph of another use": ("3D_mask_decoder.xml", lambda path: path.with_name("prompt_encoder.xml").read_bytes()),
    "entities that grow for ever": ("3D_image_encoder.xml", lambda path: BOMB + b']><net name="&i;"/>'),
    "no weights": ("3D_mask_decoder.bin", lambda path: b""),
    "half the weights": ("prompt_encoder.bin", _cut),
    "positions that are no array": ("positional_encoding.npy", lambda path: b"another"),
    "positions of another shape": ("positional_encoding.npy", lambda path: path.read_bytes()[:-4]),
}


@needs_openvino
@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_openvino_files_are_refused_with_a_sentence(graphs: Path, tmp_path: Path, kind: str) -> None:
    source = publish(graphs, tmp_path / "ir", "3D")
    name, damage = DAMAGE[kind]
    (source / name).write_bytes(damage(source / name))
    with pytest.raises(ModelError) as caught:
        open_folder(import_daft(source, tmp_path / "daft"), threads=1).for_modality("CT")
    assert str(caught.value).endswith(".") and name.removeprefix("3D_").split(".")[0] in str(caught.value)
