"""Synthetic objects look as their kind does: what is labelled is what is seen, in light, stain and echo."""

from __future__ import annotations

import numpy as np
import pytest
from medsam_research.synthesis import endoscopy
from medsam_research.synthesis.breast import _mass_shape, _spikes
from medsam_research.synthesis.canvas import Canvas
from medsam_research.synthesis.glands import make_glands
from medsam_research.synthesis.polyp import Surface, add_polyp
from medsam_research.synthesis.registry import FAMILIES
from medsam_research.synthesis.slide import Slide, scattered
from medsam_research.synthesis.soft_tissue import draw_breast_lesion, draw_nerve
from scipy import ndimage

SHAPE = (160, 180)


def _wall() -> Surface:
    hue = np.broadcast_to(np.float32([0.85, 0.5, 0.4]), (*SHAPE, 3)).copy()
    return Surface(np.full(SHAPE, 0.7, np.float32), hue, np.zeros(SHAPE, np.float32))


@pytest.mark.parametrize("seed", range(6))
def test_a_polyp_changes_the_wall_where_its_mask_lies_and_not_far_from_it(seed: int) -> None:
    surface, plain = _wall(), _wall().picture()
    mask = add_polyp(np.random.default_rng(seed), surface)
    changed = np.abs(surface.picture() - plain).max(2)
    radius = np.sqrt(np.count_nonzero(mask) / np.pi)
    far = ndimage.distance_transform_edt(~mask) > 2 * radius + 12
    assert np.count_nonzero(mask) > 30
    assert np.median(changed[mask]) > 0.01
    assert not far.any() or changed[far].max() < 0.02


def test_a_camera_never_returns_more_than_white() -> None:
    surface = _wall()
    surface.light[:] = 4
    surface.shine[:20] = 2
    assert surface.picture().max() <= 1.0 + 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_labelled_in_the_black_frame_of_an_endoscope(seed: int) -> None:
    image, labels = endoscopy.make(np.random.default_rng(seed))
    grey = image.max(2)
    frame = ndimage.uniform_filter(grey.astype(float), 9) < 2
    assert np.count_nonzero(labels[frame]) <= 0.01 * max(np.count_nonzero(labels), 1)


def test_more_stain_lets_less_light_through() -> None:
    slides = [Slide(np.random.default_rng(3), SHAPE) for _ in range(2)]
    slides[1].purple += 0.5
    thin, thick = (slide.picture().astype(int) for slide in slides)
    assert (thick <= thin + 2).mean() > 0.97
    assert thick.mean() < thin.mean() - 10


def test_bare_glass_is_brighter_than_tissue() -> None:
    slide = Slide(np.random.default_rng(0), SHAPE)
    slide.glass[:, :60] = 1
    slide.glass[:, 60:] = 0
    picture = slide.picture()
    assert picture[:, :55].mean() > picture[:, 65:].mean() + 20


def test_nuclei_scatter_inside_their_mask() -> None:
    where = np.zeros(SHAPE, bool)
    where[40:80, 50:100] = True
    outlines = scattered(np.random.default_rng(1), SHAPE, 40, 2.0, where)
    middles = np.array([outline.mean(0) for outline in outlines])
    assert len(outlines) == 40
    assert (middles.min(0) > [47, 37]).all() and (middles.max(0) < [103, 83]).all()


def test_a_glands_label_holds_its_dark_wall_and_its_pale_lumen() -> None:
    walls, stromas, lumens = [], [], []
    for seed in range(5):
        image, labels = make_glands(np.random.default_rng(seed))
        depth = ndimage.distance_transform_edt(labels > 0)
        for value in range(1, int(labels.max()) + 1):
            inside = np.where(labels == value, depth, 0)
            if inside.max() > 14:
                rim = (inside > 1) & (inside < 0.35 * inside.max())
                walls.append(np.percentile(image[rim][:, 0], 25))
                lumens.append(np.percentile(image[labels == value][:, 1], 95))
                stromas.append(np.median(image[labels == 0][:, 0]))
    assert len(walls) > 5
    assert np.mean(np.array(walls) < np.array(stromas)) > 0.8
    assert np.median(np.array(lumens) - np.array(walls)) > 30


def _contrast(draw: object, seed: int) -> float:
    """Mean of the object over that of a ring round it, before speckle."""
    canvas = Canvas(np.full(SHAPE, 0.4, np.float32))
    draw(np.random.default_rng(seed), canvas)  # type: ignore[operator]
    mask = canvas.labels > 0
    ring = (ndimage.distance_transform_edt(~mask) < 12) & ~mask
    return float(canvas.image[mask].mean() / canvas.image[ring].mean())


def test_breast_lesions_are_darker_than_their_surroundings() -> None:
    assert np.median([_contrast(draw_breast_lesion, seed) for seed in range(12)]) < 0.7


def test_nerves_stand_out_little() -> None:
    ratios = [_contrast(draw_nerve, seed) for seed in range(12)]
    assert 0.5 < np.median(ratios) < 1.6
    assert np.ptp(ratios) > 0.1


def test_spikes_reach_beyond_the_mass_they_belong_to() -> None:
    rng = np.random.default_rng(2)
    mass = _mass_shape(rng, SHAPE, (90.0, 80.0), 20.0)
    spikes = _spikes(rng, SHAPE, (90.0, 80.0), 20.0) > 0.02
    assert mass[80, 90]
    assert np.count_nonzero(spikes & ~mass) / np.count_nonzero(spikes) > 0.2


def test_modalities_without_real_pictures_get_the_largest_shares() -> None:
    shares: dict[str, float] = {}
    for family in FAMILIES:
        shares[family.modality] = shares.get(family.modality, 0) + family.share
    assert set(sorted(shares, key=shares.__getitem__)[-3:]) == {"XRay", "OCT", "Dental"}
    assert min(shares[m] for m in ("Endoscopy", "Pathology", "US", "Mammography")) > max(
        shares[m] for m in ("CT", "MR", "PET", "Microscopy", "Fundus")
    )
