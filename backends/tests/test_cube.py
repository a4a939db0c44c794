"""The cube round a box: what it sees of fields whose values are known, and the way back to slices."""

from __future__ import annotations

import numpy as np
import pytest
from medsam_backends.propagation import Request
from medsam_backends.propagation.cube import Cube
from medsam_backends.propagation.region import LIMIT, Region
from medsam_backends.types import Point, Prompt

SHAPE = (24, 30, 36)
REQUEST = Request((8.0, 6.0, 28.0, 24.0), 5, 16)


def cells(low: float, high: float, grid: int) -> np.ndarray:
    """Centres of cells, in voxel edges."""
    return low + (np.arange(grid) + 0.5) * (high - low) / grid


@pytest.mark.parametrize("grid", [8, 12, 40])
def test_an_even_picture_has_on_every_cell_the_value_of_its_centre(grid: int) -> None:
    k, j, i = np.indices(SHAPE) + 0.5
    field = 3 * k + 2 * j + 1.5 * i
    cube = Cube.of(REQUEST, SHAPE, grid, 1.2)
    got = cube.picture(lambda n: field[n])
    z, y, x = cells(3.8, 18.2, grid), cells(4.2, 25.8, grid), cells(6, 30, grid)
    even = 3 * z[:, None, None] + 2 * y[:, None] + 1.5 * x
    if grid == 40:
        np.testing.assert_allclose(got, even, rtol=1e-5)
    else:  # cells larger than slices see the nearest slice
        np.testing.assert_allclose(got, even, atol=3 * 0.5 + 0.3)
    assert cube.voxels_per_cell == pytest.approx((14.4 / grid, 21.6 / grid, 24 / grid))


def test_beyond_the_volume_there_is_nothing() -> None:
    cube = Cube.of(Request((0.0, 0.0, 36.0, 30.0), 0, 23), SHAPE, 16, 2.0)
    bright = cube.picture(lambda n: np.full(SHAPE[1:], 200, np.uint8))
    valid = cube.valid()
    np.testing.assert_allclose(bright, 200 * valid, atol=1e-3)
    assert valid[:3].max() == valid[:, :3].max() == valid[:, :, -3:].max() == 0
    assert valid[5:11, 5:11, 5:11].min() == pytest.approx(1, abs=1e-6)


def test_every_slice_is_read_once_and_no_more_than_cells() -> None:
    asked: list[int] = []

    def plane(index: int) -> np.ndarray:
        asked.append(index)
        return np.zeros((20, 20), np.uint8)

    Cube.of(Request((2.0, 2.0, 18.0, 18.0), 20, 379), (400, 20, 20), 16, 1.0).picture(plane)
    assert len(asked) == len(set(asked)) == 16
    asked.clear()
    Cube.of(Request((2.0, 2.0, 18.0, 18.0), 2, 5), (400, 20, 20), 16, 1.0).picture(plane)
    assert sorted(asked) == [1, 2, 3, 4, 5, 6]


def test_logits_come_back_to_the_voxels_they_came_from() -> None:
    k, j, i = np.indices(SHAPE) + 0.5
    field = (0.3 * (k - 11) - 0.2 * (j - 15) + 0.25 * (i - 18)).astype(np.float32)
    region = Region.of(REQUEST, SHAPE[1:])
    cube = Cube.of(REQUEST, SHAPE, 40, 1.4)
    logits = cube.logits(lambda n: field[n, region.y0 : region.y1, region.x0 : region.x1], region, range(5, 17))
    assert logits[0].max() == logits[-1].max() == -LIMIT, "nothing is known of slices beyond the box"
    for index in range(7, 15):
        back = cube.plane(logits, region, index)[3:-3, 3:-3]
        inside = field[index, region.y0 + 3 : region.y1 - 3, region.x0 + 3 : region.x1 - 3]
        np.testing.assert_allclose(back, inside, atol=0.02)


def test_clicks_lie_on_the_cells_that_hold_their_voxels() -> None:
    cube = Cube.of(REQUEST, SHAPE, 12, 1.0)  # a cell is 1 slice, 1.5 rows, 5 / 3 columns
    box = REQUEST.box
    said = {
        7: Prompt(box, points=(Point(8 + 3.5 * 5 / 3, 6 + 8.5 * 1.5), Point(27.9, 6.1, positive=False))),
        9: Prompt(box, points=(Point(8.1, 23.9),)),
        10: Prompt(box),
    }
    clicks = cube.clicks(said)
    assert clicks.shape == (2, 12, 12, 12) and clicks.dtype == np.float32
    assert clicks[0, 2, 8, 3] == pytest.approx(1, abs=1e-5)
    assert np.unravel_index(clicks[1].argmax(), (12, 12, 12)) == (2, 0, 11)
    assert np.unravel_index(clicks[0, 4:].argmax(), (8, 12, 12)) == (0, 11, 0)
    assert clicks[0, 2, 8, 4] == pytest.approx(np.exp(-0.5 / 1.5**2), abs=1e-5)
    assert not cube.clicks({}).any()
