"""A window's cells are what their definition says, however the work is banded; a mask is made when looked at."""

from pathlib import Path

import numpy as np
import pytest
import tiny_models
from hypothesis import given, settings
from hypothesis import strategies as st
from medsam_backends.folder_backend import open_folder
from medsam_backends.types import Point, Prompt
from medsam_backends.window import Rect, covered, paste, sample
from medsam_backends.windowed import OUTSIDE

places = st.floats(-40, 90)
sides = st.floats(0.5, 150)
rects = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), places, places, sides, sides)


def triangles(low: float, high: float, cells: int, length: int) -> np.ndarray:
    """Weights (cells, length) by the definition: a triangle round each cell's centre, its sum over an endless line."""
    size = (high - low) / cells
    reach = max(1.0, size)
    centres = low + (np.arange(cells) + 0.5) * size
    pixels = np.arange(-400, 400) + 0.5
    weights = np.maximum(0, 1 - abs(centres[:, None] - pixels) / reach)
    return (weights / weights.sum(1, keepdims=True))[:, 400 : 400 + length]


@settings(deadline=None, max_examples=80)
@given(rects, st.integers(1, 60), st.integers(1, 60), st.integers(1, 20), st.booleans())
def test_cells_are_triangular_means(rect: Rect, height: int, width: int, grid: int, colour: bool) -> None:
    shape = (height, width, 3) if colour else (height, width)
    picture = np.random.default_rng(height * width).integers(0, 256, shape).astype(np.uint8)
    picture.flags.writeable = False
    rows, cols = triangles(rect[1], rect[3], grid, height), triangles(rect[0], rect[2], grid, width)
    expected = rows @ (np.moveaxis(picture, 2, 0) if colour else picture) @ cols.T
    np.testing.assert_allclose(sample(picture, rect, grid), expected, atol=1e-3)
    np.testing.assert_allclose(covered(rect, (height, width), grid), rows.sum(1)[:, None] * cols.sum(1), atol=1e-6)


@settings(deadline=None, max_examples=80)
@given(rects, st.integers(1, 60), st.integers(1, 60), st.integers(1, 40))
def test_values_come_back_to_the_pixels_under_the_window(rect: Rect, height: int, width: int, grid: int) -> None:
    values = np.random.default_rng(grid).normal(size=(grid, grid)).astype(np.float32)
    got = paste(values, rect, (height, width), OUTSIDE)
    under = []
    for low, high, length in ((rect[1], rect[3], height), (rect[0], rect[2], width)):
        centres = np.arange(length) + 0.5
        inside = np.flatnonzero((centres >= low) & (centres <= high))
        cells = (centres[inside, None] - low) * grid / (high - low) - (np.arange(grid) + 0.5)
        weights = np.maximum(0, 1 - abs(cells) / max(1, grid / (high - low)))
        under.append((inside, weights / weights.sum(1, keepdims=True)))
    expected = np.full((height, width), OUTSIDE)
    (y, rows), (x, cols) = under
    expected[np.ix_(y, x)] = rows @ values @ cols.T
    np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("used", [["box", "points", "prior", "position"], ["box"]])
def test_the_decoder_is_shown_what_it_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: list[str]
) -> None:
    folder = tiny_models.window_model(tmp_path / "m")
    tiny_models.write_manifest(folder, edit=lambda raw: raw.update(prompts=used, window={"grid": 16, "scale": 2.0}))
    backend, shown = open_folder(folder), {}
    run = backend._decoder.run
    monkeypatch.setattr(backend._decoder, "run", lambda feeds: shown.update(feeds) or run(feeds))
    picture = np.random.default_rng(0).integers(0, 256, (50, 70), np.uint8)
    prior, rect = picture > 99, (2.0, 16.0, 34.0, 32.0)  # cells of 2 columns and 1 row
    clicks = (Point(18.5, 24.25), Point(4.0, 17.0, positive=False))
    backend.decode(backend.encode(picture), [Prompt((10, 20, 26, 28), clicks, prior, -0.25)])
    expected = {
        "window": np.stack([sample(picture, rect, 16)] * 3),
        "valid": covered(rect, (50, 70), 16)[None],
        "rect": np.array(rect) / 70,
        "scale": [1, 0],
        "position": [1, -0.25],
        "prior": sample(prior, rect, 16)[None],
        "has_prior": [1],
        "points": np.stack([_bump(8.25, 8.25), _bump(1, 1)]),
    }
    if used == ["box"]:
        expected |= {name: np.zeros_like(expected[name]) for name in ("position", "prior", "has_prior", "points")}
    for name, value in expected.items():
        np.testing.assert_allclose(shown[name][0], value, atol=1e-6, err_msg=name)


def _bump(row: float, column: float) -> np.ndarray:
    centres = np.arange(16) + 0.5
    return np.exp(-((centres[:, None] - row) ** 2 + (centres - column) ** 2) / (2 * 1.5**2))


def test_a_mask_is_the_logits_brought_back(tmp_path: Path) -> None:
    backend = open_folder(tiny_models.window_model(tmp_path / "m"))
    embedding = backend.encode(np.random.default_rng(0).integers(0, 256, (50, 70), np.uint8))
    [found] = backend.decode(embedding, [Prompt((10, 5, 60, 40))])
    assert found.logits is not None and found.extent is not None and found.mask.any()
    assert np.array_equal(found.mask, paste(found.logits, found.extent, (50, 70), OUTSIDE) > 0)
    assert found.mask is found.mask
