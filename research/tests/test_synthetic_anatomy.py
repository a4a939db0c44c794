"""Synthetic vertebrae, hearts and colons: what touches, what lies inside what, and shapes in their right place."""

from __future__ import annotations

import numpy as np
import pytest
from medsam_research.synthesis.bowel import make_bowel
from medsam_research.synthesis.heart import make_heart
from medsam_research.synthesis.phantom import Phantom, scanned
from medsam_research.synthesis.scanner import Scanner
from medsam_research.synthesis.vertebra import (
    CERVICAL,
    LUMBAR,
    THORACIC,
    Bone,
    Frame,
    Region,
    between,
    lay_vertebra,
)
from scipy import ndimage

_BONE = Bone(shell=1.0, cortex="cortex bone", inside="marrow", wear=0.0, rough=0.1)
by_region = pytest.mark.parametrize("region", [CERVICAL, THORACIC, LUMBAR], ids=["cervical", "thoracic", "lumbar"])


def _column(region: Region, count: int = 3) -> tuple[Phantom, list[np.ndarray]]:
    """A column of vertebrae on fat, bottom first, 1.2 mm voxels, and where each was laid."""
    rng = np.random.default_rng(3)
    tall, deep = region.pitch * (count + 2), region.deep * 1.4
    extent = (tall, deep, region.wing_out * 2.6)
    phantom = Phantom(rng, Scanner(rng, "CT"), extent, (0, deep / 4, 0), np.full(3, 1.2))
    phantom.fill("fat")
    places = [np.array([(i - (count - 1) / 2) * region.pitch, 0, 0]) for i in range(count)]
    return phantom, [lay_vertebra(phantom, region, Frame(place, 0.0), _BONE) for place in places]


@by_region
def test_a_vertebra_is_one_piece_with_its_processes_under_one_label(region: Region) -> None:
    phantom, (inside,) = _column(region, 1)
    assert set(np.unique(phantom.labels)) == {0, 1}
    parts, count = ndimage.label(inside)
    assert np.bincount(parts.ravel())[1:].max() > 0.98 * inside.sum(), count
    back, left = (np.ptp(phantom.at[axis][inside]) for axis in (1, 2))
    assert back > 0.75 * region.deep
    assert left > 1.7 * region.wing_out


@by_region
def test_neighbours_touch_and_their_boxes_overlap(region: Region) -> None:
    phantom, (low, middle, _) = _column(region)
    assert (ndimage.binary_dilation(phantom.labels == 1, iterations=2) & (phantom.labels == 2)).any()
    assert phantom.at[0][low].max() > phantom.at[0][middle].min() + 5
    assert np.count_nonzero(phantom.labels == 1) > 0.9 * low.sum()


def test_bone_is_a_shell_round_its_inside() -> None:
    phantom, (inside,) = _column(LUMBAR, 1)
    core = ndimage.binary_erosion(inside, iterations=4)
    rim = inside & ~ndimage.binary_erosion(inside)
    assert phantom.values[rim].mean() > phantom.values[core].mean() + 100


def test_sizes_between_two_regions_lie_between_theirs() -> None:
    half = between(THORACIC, LUMBAR, 0.5, 2.0)
    assert half.width == pytest.approx(THORACIC.width + LUMBAR.width)
    assert half.ribs == pytest.approx(0.5)


def test_short_axis_stacks_have_few_thick_slices_and_axial_hearts_do_not() -> None:
    made = [scanned(make_heart(np.random.default_rng(seed))) for seed in range(6)]
    stacks = [voxels.shape[0] for voxels, _, spacing, _ in made if spacing[0] > 5.5]
    assert stacks
    assert len(stacks) < len(made)
    assert all(8 <= slices <= 20 for slices in stacks)
    assert all(labels.any() for _, labels, _, _ in made)


def test_a_colon_is_wall_and_content_under_one_label() -> None:
    phantom = next(
        made for made in map(make_bowel, map(np.random.default_rng, range(20))) if made.scanner.modality == "CT"
    )
    sizes = np.bincount(phantom.labels.ravel())[1:]
    spread = [phantom.values[phantom.labels == label].std() for label in np.flatnonzero(sizes > 200) + 1]
    assert max(spread) > 100


@pytest.mark.parametrize("line", [[(0, 0, 0), (40, 10, -20)], [(-90, 0, 0), (-60, 30, 50), (0, 60, 60)]])
def test_a_tube_reaches_exactly_as_far_as_its_radius(line: list[tuple[float, float, float]]) -> None:
    rng = np.random.default_rng(1)
    phantom = Phantom(rng, Scanner(rng, "CT"), (250, 240, 260), voxel=(2.5, 2.5, 2.5))
    places = np.stack(phantom.at, -1)
    nearest = np.full(phantom.shape, np.inf)
    for a, b in zip(np.array(line[:-1], float), np.array(line[1:], float), strict=True):
        share = np.clip((places - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)[..., None]
        nearest = np.minimum(nearest, np.linalg.norm(places - a - share * (b - a), axis=-1))
    drawn = phantom.mould().rod(line, 9.0).mask()
    assert drawn.any()
    assert np.array_equal(drawn[np.abs(nearest - 9) > 0.01], (nearest < 9)[np.abs(nearest - 9) > 0.01])
