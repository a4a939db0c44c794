"""A model folder with a fusion network: loaded when needed, asked once an object, refused when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_models
from medsam_backends.boxes import VoxelBox
from medsam_backends.errors import Cancelled, ModelError
from medsam_backends.folder_backend import open_folder
from medsam_backends.manifest import read_manifest
from medsam_backends.named_session import NamedSession
from medsam_backends.propagation import CubeView
from medsam_backends.runtimes import available_runtimes
from medsam_backends.segmenter import Target, VolumeSegmenter
from medsam_backends.types import Point, Prompt

SIDE = tiny_models.SIDE
INSTALLED = [name for name, reason in available_runtimes().items() if not reason and not name.endswith("-reduced")]
BOX = VoxelBox(8, 8, 8, 23, 23, 23)  # as many voxels as cells, so that each is its own


def shown(picture: np.ndarray) -> CubeView:
    """`picture` in a cube of its size, nothing known of it."""
    nothing = np.zeros_like(picture)
    return CubeView(picture, picture, nothing, (1.0, 1.0, 1.0), np.stack([nothing, nothing]))


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


def test_clicks_reach_the_network_on_their_own_side(tmp_path: Path) -> None:
    """The toy network finds what is brighter than 200, or clicked as object, and not clicked as background."""
    array = volume()
    array[15, 15, 15], array[15, 18, 19] = 20, 250
    model = open_folder(tiny_models.add_fusion(tiny_models.window_model(tmp_path / "m")))
    segmenter = VolumeSegmenter(model, array, preset="manual", level=127.5, width=255)
    [segment] = segmenter.segment([Target(BOX)], rule="views")
    before = segment.full(array.shape)
    assert not before[15, 15, 15] and before[15, 18, 19]
    clicks = (Point(15.5, 15.5), Point(19.5, 18.5, positive=False))
    after = segmenter.correct(segment, 15, Prompt(BOX.plane("k")[0], clicks), rule="views").full(array.shape)
    assert after[15, 15, 15] and not after[15, 18, 19]
    np.testing.assert_array_equal(after[8], before[8])


def test_the_network_is_shown_what_it_was_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = open_folder(tiny_models.add_fusion(tiny_models.window_model(tmp_path / "m"))).fusion
    fed: dict[str, np.ndarray] = {}
    answer = {"change": np.zeros((1, 1, *[tiny_models.GRID] * 3), np.float32)}
    monkeypatch.setattr(NamedSession, "run", lambda self, feeds: fed.update(feeds) or answer)
    cubes = np.random.default_rng(0).random((5, *[tiny_models.GRID] * 3), np.float32)
    assert network is not None
    network(CubeView(cubes[0], cubes[1], cubes[2], (2.0, 0.5, 1.0), cubes[3:]))
    np.testing.assert_array_equal(fed["scale"], [[1, -1, 0]])
    np.testing.assert_array_equal(np.stack([fed[name] for name in ("picture", "valid", "logits")])[:, 0, 0], cubes[:3])
    np.testing.assert_array_equal(fed["clicks"], cubes[None, 3:])


def test_a_closed_model_cannot_be_used(tmp_path: Path) -> None:
    model = open_folder(tiny_models.add_fusion(tiny_models.window_model(tmp_path / "m")))
    assert model.fusion is not None
    cube = np.full((tiny_models.GRID,) * 3, 250, np.float32)
    change = model.fusion(shown(cube))
    assert change.min() == change.max() == 50
    model.close()
    with pytest.raises(ModelError, match="was closed: load it again"):
        model.fusion(shown(cube))


def test_cancelling_is_heard_before_the_fusion_network_runs(tmp_path: Path) -> None:
    model = open_folder(tiny_models.add_fusion(tiny_models.window_model(tmp_path / "m")))
    segmenter = VolumeSegmenter(model, volume(), preset="manual", level=127.5, width=255)
    done: list[int] = []
    slices = BOX.k1 + 1 - BOX.k0
    with pytest.raises(Cancelled):
        segmenter.segment(
            [Target(BOX)], rule="views", progress=lambda p: done.append(p.done), cancelled=lambda: slices in done
        )
    assert segmenter.segment([Target(BOX)], rule="views")[0].timings.decode_s > 0
    with pytest.raises(Cancelled):  # also where nothing is left to be asked
        segmenter.segment([Target(BOX)], rule="views", cancelled=lambda: True)


def test_a_colour_volume_is_seen_as_its_mean(tmp_path: Path) -> None:
    grey = volume()
    colours = np.stack([grey, grey // 2, grey // 2], -1)
    segmenter = VolumeSegmenter(open_folder(tiny_models.window_model(tmp_path / "m")), colours)
    plane = segmenter.model.plane(3)
    assert plane.shape == (SIDE, SIDE) and plane.dtype == np.uint8
    np.testing.assert_allclose(plane, colours[3].mean(axis=2), atol=1)


def test_other_cells_than_the_graph_takes_are_one_sentence(tmp_path: Path) -> None:
    folder = tiny_models.add_fusion(tiny_models.window_model(tmp_path / "m"))
    tiny_models.write_manifest(folder, edit=lambda raw: raw["cube"].update(grid=24))
    network = open_folder(folder).fusion
    cube = np.zeros((24, 24, 24), np.float32)
    with pytest.raises(ModelError, match=r"takes 16 cells a side, its cube in model.json has 24: correct cube.grid"):
        assert network is not None and network(shown(cube))


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
