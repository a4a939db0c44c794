"""A model whose prompt encoder and mask decoder are graphs of their own gives what it gives in one graph."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from medsam_backends.errors import ModelError
from medsam_backends.folder_backend import open_folder
from medsam_backends.manifest import read_manifest
from medsam_backends.types import Prompt

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


@pytest.fixture
def split(tmp_path: Path) -> Path:
    return tiny_models.split_model(tmp_path / "split")


def refusal(folder: Path, edit: Callable[[dict[str, Any]], object]) -> str:
    tiny_models.write_manifest(folder, edit=edit)
    with pytest.raises(ModelError) as caught:
        open_folder(folder)
    return str(caught.value)


def test_it_gives_what_one_graph_gives(split: Path, tmp_path: Path) -> None:
    prompts = [Prompt((2, 3, 18, 16)), Prompt((10, 1, 29, 19))]
    results = []
    for folder in (split, tiny_models.sam_model(tmp_path / "whole")):
        model = open_folder(folder, threads=1)
        results.append(model.decode(model.encode(PICTURE), prompts))
        model.close()
    for one, other in zip(*results, strict=True):
        assert one.mask.any() and np.array_equal(one.mask, other.mask)
        assert np.allclose(one.logits, other.logits) and one.iou == other.iou == tiny_models.IOU


@pytest.mark.parametrize("part", ["prompt_encoder", "positions"])
def test_a_missing_part_is_told(split: Path, part: str) -> None:
    assert f"needs the object {part}" in refusal(split, lambda raw: raw.pop(part))


@pytest.mark.parametrize("part", ["prompt_encoder.onnx", "positions.npy"])
def test_a_changed_file_is_refused(split: Path, part: str) -> None:
    (split / part).write_bytes(b"changed")
    with pytest.raises(ModelError, match=f"{part} of the model split is not the file"):
        open_folder(split)


@pytest.mark.parametrize("part", ["prompt_encoder", "positions"])
def test_every_file_counts_in_the_digest(split: Path, part: str) -> None:
    before = read_manifest(split).spec.digest
    tiny_models.write_manifest(split, edit=lambda raw: raw[part].update(sha256="0" * 64))
    assert read_manifest(split).spec.digest != before


def test_positions_that_are_a_pickle_are_never_opened(split: Path, tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return open, (str(tmp_path / "canary"), "w")

    np.save(split / "positions.npy", np.array([Attack()], object), allow_pickle=True)
    digest = hashlib.sha256((split / "positions.npy").read_bytes()).hexdigest()
    assert "positions.npy cannot be read" in refusal(split, lambda raw: raw["positions"].update(sha256=digest))
    assert not (tmp_path / "canary").exists()
    np.load(split / "positions.npy", allow_pickle=True)
    assert (tmp_path / "canary").exists(), "the attack is live where pickles are trusted"


def test_names_outside_the_folder_are_refused(split: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.npy").write_bytes(b"")
    assert "outside its folder" in refusal(split, lambda raw: raw["positions"].update(file="../outside.npy"))


def test_an_openvino_graph_must_name_its_data(split: Path) -> None:
    (split / "encoder.xml").write_text("<net/>")
    (split / "encoder.bin").write_bytes(b"")
    (split / "other.bin").write_bytes(b"")
    for data in ({}, {"data": {"file": "other.bin", "sha256": "0" * 64}}):
        said = refusal(split, lambda raw, data=data: raw["encoder"].update(file="encoder.xml", **data))
        assert "must name encoder.bin as the data of encoder.xml" in said
