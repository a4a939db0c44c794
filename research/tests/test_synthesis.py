"""Synthetic pictures and volumes: shapes, labels, reproducibility, and shards that can be resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from medsam_research.data.config import MODALITIES
from medsam_research.data.packed import Pack
from medsam_research.synthesis import prepare
from medsam_research.synthesis.anatomy import make_volume
from medsam_research.synthesis.bodies import BODIES
from medsam_research.synthesis.canvas import Canvas, blob, fill, noise, ribbon, spline
from medsam_research.synthesis.phantom import Phantom, scanned
from medsam_research.synthesis.registry import FAMILIES, Family, make_picture
from medsam_research.synthesis.scanner import TISSUES, Scanner

by_body = pytest.mark.parametrize("make", BODIES, ids=lambda make: make.__name__)
by_name = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@by_name
def test_every_family_draws_a_picture_with_objects(family: Family) -> None:
    made = [family.make(np.random.default_rng(seed)) for seed in range(4)]
    for image, labels in made:
        assert image.dtype == labels.dtype == np.uint8
        assert image.shape[:2] == labels.shape
        assert max(labels.shape) <= 420
        assert int(image.max()) - int(image.min()) > 40
    assert sum(labels.any() for _, labels in made) >= 3


@by_name
def test_a_seed_draws_the_same_picture_again(family: Family) -> None:
    first, second = (family.make(np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_every_modality_is_drawn() -> None:
    assert {family.modality for family in FAMILIES} == set(MODALITIES)


def test_pictures_of_the_registry_are_never_empty() -> None:
    rng = np.random.default_rng(1)
    assert all(make_picture(rng)[2].any() for _ in range(10))


def test_volumes_have_objects_in_several_slices() -> None:
    for seed in range(6):
        voxels, labels, spacing, modality = make_volume(np.random.default_rng(seed))
        assert voxels.dtype == labels.dtype == np.uint8
        assert voxels.shape == labels.shape
        assert labels.any((1, 2)).sum() >= 3
        assert min(spacing) > 0
        assert modality in ("CT", "MR", "PET")


@by_body
def test_every_body_holds_objects_and_shows_them(make: Callable[[np.random.Generator], Phantom]) -> None:
    for seed in range(2):
        voxels, labels, spacing, modality = scanned(make(np.random.default_rng(seed)))
        assert voxels.dtype == labels.dtype == np.uint8
        assert voxels.shape == labels.shape
        assert voxels.shape[0] >= 8
        assert max(voxels.shape) <= 160
        assert labels.any((1, 2)).sum() >= 3
        assert int(np.percentile(voxels, 99)) - int(np.percentile(voxels, 1)) > 40
        assert max(spacing) / min(spacing) < 7
        assert modality in ("CT", "MR", "PET")


@by_body
def test_a_seed_builds_the_same_body_again(make: Callable[[np.random.Generator], Phantom]) -> None:
    first, second = (scanned(make(np.random.default_rng(7))) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert first[2:] == second[2:]


def test_a_ball_has_its_volume_and_its_label() -> None:
    rng = np.random.default_rng(0)
    phantom = Phantom(rng, Scanner(rng, "CT"), (80, 80, 80))
    phantom.fill("fat")
    label = phantom.lay(phantom.mould().ball((0, 0, 0), 20).mask(), "muscle")
    volume = np.count_nonzero(phantom.labels == label) * float(np.prod(phantom.spacing))
    assert volume == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.25)
    assert phantom.values[phantom.labels == label].mean() > phantom.values[phantom.labels == 0].mean()


def test_ct_keeps_the_order_of_the_tissues() -> None:
    scanner = Scanner(np.random.default_rng(2), "CT")
    tones = [scanner.tone(tissue) for tissue in ("air", "lung", "fat", "water", "muscle", "cortex bone")]
    assert tones == sorted(tones)
    assert {"air", "fat", "muscle"} <= set(TISSUES)


def test_shards_follow_from_their_number_and_are_not_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "PICTURES_A_SHARD", 2)
    prepare.prepare_pictures(tmp_path / "a", 4, seed=3)
    prepare.prepare_pictures(tmp_path / "b", 2, seed=3)
    written = (tmp_path / "b" / "pictures-0000.json").stat().st_mtime_ns
    prepare.prepare_pictures(tmp_path / "b", 4, seed=3)
    assert (tmp_path / "b" / "pictures-0000.json").stat().st_mtime_ns == written
    for shard in ("pictures-0000", "pictures-0001"):
        one, other = Pack(tmp_path / "a" / shard), Pack(tmp_path / "b" / shard)
        assert all(np.array_equal(one[i].pixels, other[i].pixels) for i in range(2))


def test_a_later_label_covers_an_earlier_one() -> None:
    canvas = Canvas(np.zeros((40, 40), np.float32))
    canvas.label(np.ones((40, 40), bool))
    canvas.label(fill((40, 40), blob(np.random.default_rng(0), (20, 20), (8, 8), roughness=0.0)))
    assert canvas.labels[20, 20] == 2
    assert canvas.labels[0, 0] == 1


def test_a_ribbon_is_as_wide_as_asked() -> None:
    line = spline(np.array([[5.0, 20.0], [20.0, 20.0], [35.0, 20.0]]))
    mask = fill((40, 40), ribbon(line, 8.0))
    assert 7 <= mask[:, 20].sum() <= 9


def test_noise_has_unit_deviation_roughly() -> None:
    deviation = noise(np.random.default_rng(0), (256, 256), 6).std()
    assert 0.6 < deviation < 1.4
