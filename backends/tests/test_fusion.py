"""A model folder with a fusion network: loaded when needed, asked once an object, refused when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_models
from medsam_backends.boxes import VoxelBox
from medsam_backends.errors import ModelError
from medsam_backends.folder_backend import open_folder
from medsam_backends.manifest import read_manifest
from medsam_backends.runtimes import available_runtimes
from medsam_backends.segmenter import Target, VolumeSegmenter

SIDE = tiny_models.SIDE
INSTALLED = [name for name, reason in available_runtimes().items() if not reason and not name.endswith("-reduced")]
BOX = VoxelBox(8, 8, 8, 23, 23, 23)  # as many voxels as cells, so that each is its own


def volume() -> np.ndarray:
    """Voxels of three kinds at random: dark, bright, brighter than the fusion network's limit."""
    kinds = np.array([20, 150, 250], np.uint8)
    return kinds[np.random.default_rng(0).integers(0, 3, (SIDE, SIDE, SIDE))]


@pytest.mark.parametrize("runtime", INSTALLED)
def test_what_is_found_is_what_the_fusion_network_leaves(tmp_path: Path, runtime: str) -> None:
    folder = tiny_models.window_model(tmp_path / "m")
    array = volume()
    inside = array[8:24, 8:24, 8:24]
    plain = VolumeSegmenter(open_folder(folder, runtime), array, preset="manual", level=127.5, width=255)
    [segment] = plain.segment([Target(BOX)], rule="sweep")
    assert np.count_nonzero(segment.mask) >= np.count_nonzero(inside > 100) * 0.5
    fused = VolumeSegmenter(
        open_folder(tiny_models.add_fusion(folder), runtime), array, preset="manual", level=127.5, width=255
    )
    [segment] = fused.segment([Target(BOX)], rule="views")
    full = np.zeros(array.shape, bool)
    (k, j, i), crop = segment.origin, segment.mask
    full[k : k + crop.shape[0], j : j + crop.shape[1], i : i + crop.shape[2]] = crop
    np.testing.assert_array_equal(full[8:24, 8:24, 8:24], inside > 200)


def test_a_closed_model_loads_its_fusion_network_again_when_asked(tmp_path: Path) -> None:
    model = open_folder(tiny_models.add_fusion(tiny_models.window_model(tmp_path / "m")))
    assert model.fusion is not None
    cube = np.full((tiny_models.GRID,) * 3, 250, np.float32)
    first = model.fusion(cube, cube, cube * 0, (1.0, 1.0, 1.0))
    model.close()
    np.testing.assert_array_equal(model.fusion(cube, cube, cube * 0, (1.0, 1.0, 1.0)), first)
    assert first.min() == first.max() == 50


def test_a_model_without_one_has_none(tmp_path: Path) -> None:
    assert open_folder(tiny_models.window_model(tmp_path / "m")).fusion is None


def test_its_file_counts_for_the_models_identity_and_is_checked(tmp_path: Path) -> None:
    folder = tiny_models.window_model(tmp_path / "m")
    before = read_manifest(folder).spec.identity
    tiny_models.add_fusion(folder)
    assert read_manifest(folder).spec.identity != before
    (folder / "fusion.onnx").write_bytes((folder / "fusion.onnx").read_bytes() + b" ")
    with pytest.raises(ModelError, match="fusion.onnx of the model window is not the file its manifest describes"):
        open_folder(folder)


def test_a_fusion_network_without_a_cube_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.add_fusion(tiny_models.window_model(tmp_path / "m"))
    tiny_models.write_manifest(folder, edit=lambda raw: raw.pop("cube"))
    with pytest.raises(ModelError, match="a fusion network and its cube come together"):
        read_manifest(folder)
