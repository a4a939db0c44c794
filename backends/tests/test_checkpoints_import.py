"""A published checkpoint becomes a model folder, whole or not at all, and what does not fit is told by name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import handmade_checkpoint as hand
import numpy as np
import pytest
from medsam_backends.checkpoints import import_checkpoint, importable, published_model
from medsam_backends.checkpoints.fill import graph_template
from medsam_backends.checkpoints.merge import is_merged, merged_from
from medsam_backends.checkpoints.state_dict import expected_tensors
from medsam_backends.errors import Cancelled, ModelError, OutputError
from medsam_backends.folder_backend import open_folder
from medsam_backends.manifest import read_manifest
from medsam_backends.onnx_file import external_tensors
from medsam_backends.types import Prompt
from numpy.typing import NDArray

State = dict[str, NDArray[np.generic]]
FIRST = "image_encoder.patch_embed.seq.0.c.weight"


@pytest.fixture(scope="module")
def state() -> State:
    return hand.standin_state(expected_tensors("litemedsam"))


@pytest.fixture(scope="module")
def published(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hand.checkpoint(tmp_path_factory.mktemp("published") / "lite_medsam.pth", state)


def refusal(path: Path, folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        import_checkpoint("litemedsam", path, folder)
    assert not folder.exists() and not any(name.startswith(".") for name in os.listdir(folder.parent))
    return str(caught.value)


@pytest.mark.parametrize("system", importable())
def test_the_shipped_graphs_need_only_tensors_of_the_published_state_dict(system: str) -> None:
    expected = expected_tensors(published_model(system).keys)
    for part in ("encoder", "decoder"):
        needed = external_tensors(graph_template(f"{system}.{part}"))
        assert needed
        own = [tensor for tensor in needed if not is_merged(tensor.name)]
        assert all(expected[tensor.name] == ("float32", tensor.shape) for tensor in own)
        assert all(set(merged_from(tensor.name)) <= set(expected) for tensor in needed if tensor not in own)


@pytest.mark.parametrize("system", importable())
def test_the_imported_model_segments(system: str, tmp_path: Path) -> None:
    standin = hand.standin_state(expected_tensors(published_model(system).keys))
    folder = import_checkpoint(system, hand.PUBLISHED[system](tmp_path / "a.ckpt", standin), tmp_path / system)
    assert sorted(os.listdir(folder)) == ["decoder.onnx", "encoder.onnx", "model.json", "weights.npz"]
    manifest = read_manifest(folder)
    manifest.check_digests()
    assert (manifest.spec.id, manifest.spec.licence) == (system, published_model(system).licence)
    model = open_folder(folder, threads=1)
    picture = np.add.outer(np.arange(90), np.arange(70)).astype(np.uint8)
    embedding = model.encode(picture)
    first, second = model.decode(embedding, [Prompt((5, 6, 40, 50)), Prompt((5, 6, 40, 50))])
    assert embedding.arrays["features"].shape == (1, 256, 64, 64)
    assert first.mask.shape == (90, 70)
    assert np.isfinite(first.logits).all() and np.array_equal(first.logits, second.logits)


def test_half_the_size_holds_the_same_weights(published: Path, state: State, tmp_path: Path) -> None:
    whole = import_checkpoint("litemedsam", published, tmp_path / "whole") / "weights.npz"
    half = import_checkpoint("litemedsam", published, tmp_path / "half", half=True) / "weights.npz"
    assert half.stat().st_size < 0.52 * whole.stat().st_size
    with np.load(whole) as wide, np.load(half) as narrow:
        assert set(wide.files) == set(narrow.files)
        for name in wide.files:
            assert np.array_equal(wide[name], state[name])
            assert np.allclose(narrow[name], wide[name], atol=1e-3)
            assert narrow[name].dtype == (np.float16 if narrow[name].ndim > 1 else np.float32)


@pytest.mark.parametrize("write", [hand.lightning, hand.data_parallel, partial(hand.data_parallel, prefix="")])
def test_wrappers_and_prefixes_of_training_programs_are_taken_off(
    state: State, tmp_path: Path, write: Callable[[Path, State], Path]
) -> None:
    path = write(tmp_path / "a.ckpt", state)
    with np.load(import_checkpoint("litemedsam", path, tmp_path / "m") / "weights.npz") as weights:
        assert np.array_equal(weights[FIRST], state[FIRST])


def test_missing_extra_and_misshaped_tensors_are_named(state: State, tmp_path: Path) -> None:
    names = list(state)
    changed = {name: array for name, array in state.items() if name not in names[1:6]}
    changed["head.weight"] = np.zeros(3, np.float32)
    changed[names[0]] = np.zeros((32, 1, 1, 1), np.float32)
    changed[names[7]] = np.zeros(state[names[7]].shape, np.int64)
    message = refusal(hand.checkpoint(tmp_path / "a.pth", changed), tmp_path / "m")
    assert f"lacks {names[1]}, {names[2]}, {names[3]} and 2 more" in message
    assert "has also head.weight" in message
    assert f"{names[0]} (f4 [32, 1, 1, 1] instead of float32 [32, 3, 1, 1])" in message
    assert f"{names[7]} (i8" in message


def test_a_distilled_encoder_is_refused_with_what_to_choose_instead(state: State, tmp_path: Path) -> None:
    path = hand.lightning(tmp_path / "step_400000.ckpt", state, prefix="student_encoder.")
    assert "finetuned" in refusal(path, tmp_path / "m")


def test_the_system_that_a_checkpoint_belongs_to_is_named(tmp_path: Path) -> None:
    other = hand.standin_state(expected_tensors("efficientvit-sam-l0"))
    message = refusal(hand.lightning(tmp_path / "best.ckpt", other), tmp_path / "m")
    assert "no checkpoint of LiteMedSAM" in message
    assert "It fits MedficientSAM-L0 and DAFT." in message


def test_values_that_are_no_numbers_are_refused(state: State, tmp_path: Path) -> None:
    broken = np.array(state[FIRST])
    broken.flat[3] = np.nan
    path = hand.checkpoint(tmp_path / "a.pth", {**state, FIRST: broken})
    assert FIRST in refusal(path, tmp_path / "m")


def test_a_checkpoint_without_named_tensors_is_refused(tmp_path: Path) -> None:
    assert "no trained model" in refusal(hand.write(tmp_path / "a.pth", b"]"), tmp_path / "m")


def test_a_hostile_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    path = hand.write(tmp_path / "a.pth", hand.call("os.system", hand.text("true")))
    assert "os.system" in refusal(path, tmp_path / "m")


def test_an_unknown_system_is_told_with_the_known_ones(published: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="litemedsam"):
        import_checkpoint("sam3", published, tmp_path / "m")


def test_an_existing_folder_is_kept_unless_it_is_a_model_to_be_replaced(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    for replace in (False, True):
        with pytest.raises(ModelError, match="exists already"):
            import_checkpoint("litemedsam", published, folder, replace=replace)
    assert os.listdir(folder) == ["notes.txt"]
    (folder / "model.json").write_text("{}")
    import_checkpoint("litemedsam", published, folder, replace=True)
    assert json.loads((folder / "model.json").read_text("utf-8"))["id"] == "litemedsam"
    assert os.listdir(tmp_path) == ["m"]


def test_a_checkpoint_in_the_folder_to_be_replaced_is_kept(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    inside = folder / "lite_medsam.pth"
    inside.write_bytes(published.read_bytes())
    with pytest.raises(ModelError, match="would be replaced"):
        import_checkpoint("litemedsam", inside, folder, replace=True)
    assert inside.exists()


def test_a_full_disk_leaves_the_former_model(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "model.json").write_text("{}")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np, "savez", full)
        with pytest.raises(OutputError, match="No space left"):
            import_checkpoint("litemedsam", published, folder, replace=True)
    rename = Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda self, to: full() if (self / "weights.npz").exists() else rename(self, to)
    )
    with pytest.raises(OutputError, match="No space left"):
        import_checkpoint("litemedsam", published, folder, replace=True)
    assert os.listdir(tmp_path) == ["m"] and os.listdir(folder) == ["model.json"]


def test_a_cancelled_import_leaves_the_former_model(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    with pytest.raises(Cancelled, match="nothing was installed"):
        import_checkpoint("litemedsam", published, folder, replace=True, cancelled=lambda: any(tmp_path.glob(".m.*")))
    assert os.listdir(tmp_path) == ["m"] and os.listdir(folder) == ["model.json"]


def test_a_parent_that_is_a_file_is_told(published: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        import_checkpoint("litemedsam", published, tmp_path / "file" / "m")
