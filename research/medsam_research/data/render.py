"""From a scene to arrays: the encoder's picture and, for each target, the decoder's window with its prompts."""

from __future__ import annotations

import numpy as np
from medsam_backends.window import Rect, covered, sample, window_rect
from numpy.typing import NDArray

from .boxes import draw, scaled_like_ellipsoid
from .clicks import corrective, paint
from .config import ENCODER_SIDE, MODALITIES, StreamConfig
from .priors import damaged
from .scene import Scene, Target, bounds

__all__ = ["Arrays", "render"]

Arrays = dict[str, NDArray[np.generic]]
_SMALLEST_SIDE = 2.0  # pixels of a box
_LEAST_LEAD = 0.5  # a smaller neighbour would lead to a box that cuts the object
_SLICE_BOX_SHARES = (0.65, 0.12)  # the 3-D box itself, its ellipsoid's section; the rest is led by the neighbour


def render(rng: np.random.Generator, scene: Scene, config: StreamConfig) -> tuple[NDArray[np.uint8], list[Arrays]]:
    """The picture (3, 256, 256) and one dictionary of arrays for each target; see `stream.batches`."""
    side = float(max(scene.pixels.shape[:2]))
    picture = np.broadcast_to(_as_bytes(sample(scene.pixels, (0.0, 0.0, side, side), ENCODER_SIDE)), (3, 256, 256))
    return picture, [_window(rng, scene, target, config) for target in scene.targets]


def _as_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def _window(rng: np.random.Generator, scene: Scene, target: Target, config: StreamConfig) -> Arrays:
    shape, grid = target.mask.shape, config.grid
    rect = window_rect(_box(rng, target), config.window_scale)
    truth = sample(target.mask, rect, grid)
    prior, clicks = _prompts(rng, target, truth, rect, config)
    pixels_per_cell = np.array([rect[2] - rect[0], rect[3] - rect[1]]) / grid
    told = target.position is not None and rng.random() < config.position
    return {
        "window": np.broadcast_to(_as_bytes(sample(scene.pixels, rect, grid)), (3, grid, grid)),
        "valid": covered(rect, shape, grid)[None],
        "rect": np.asarray(rect, np.float32) / max(shape),
        "scale": _scale(rng, pixels_per_cell),
        "position": np.array([1.0, target.position] if told else [0.0, 0.0], np.float32),
        "prior": np.zeros((1, grid, grid), np.float16) if prior is None else prior[None].astype(np.float16),
        "has_prior": np.array([prior is not None], np.float32),
        "points": paint(clicks, grid).astype(np.float16),
        "target": truth[None].astype(np.float16),
        "inside": np.array([target.mask.any()], np.float32),
        "modality": np.array(MODALITIES.index(scene.modality), np.int64),
    }


def _scale(rng: np.random.Generator, pixels_per_cell: NDArray[np.float64]) -> NDArray[np.float32]:
    """Log2 of pixels a cell; sometimes as if the picture came on a finer raster, as larger pictures do."""
    finer = rng.uniform(0, 1.2) if rng.random() < 0.35 else 0.0
    return (np.log2(pixels_per_cell) + finer).astype(np.float32)


def _box(rng: np.random.Generator, target: Target) -> Rect:
    shape = target.mask.shape
    tight = bounds(target.extent)
    if tight is None:
        raise ValueError("a target without extent has no box")
    box = draw(rng, tight, shape)
    if target.position is not None:
        box = _slice_box(rng, box, target)
    x0, y0, x1, y1 = box
    grow_x, grow_y = max(0.0, _SMALLEST_SIDE - (x1 - x0)) / 2, max(0.0, _SMALLEST_SIDE - (y1 - y0)) / 2
    return x0 - grow_x, y0 - grow_y, x1 + grow_x, y1 + grow_y


def _slice_box(rng: np.random.Generator, box: Rect, target: Target) -> Rect:
    """The box a propagation rule shows to this slice, given the 3-D box's in-plane `box`."""
    kind = rng.random()
    if kind < _SLICE_BOX_SHARES[0] or target.position is None:
        return box
    section = scaled_like_ellipsoid(box, float(np.clip(target.position, -1, 1)))
    last = bounds(target.neighbour)
    if kind < sum(_SLICE_BOX_SHARES) or last is None:
        return section
    if np.count_nonzero(target.neighbour) < _LEAST_LEAD * np.count_nonzero(target.mask):
        return box
    led = draw(rng, last, target.mask.shape)
    weight = rng.choice([0.0, 0.5, rng.random()])
    mixed = weight * np.asarray(section) + (1 - weight) * np.asarray(led)
    return (
        float(max(mixed[0], box[0])),
        float(max(mixed[1], box[1])),
        float(min(mixed[2], box[2])),
        float(min(mixed[3], box[3])),
    )


def _prompts(
    rng: np.random.Generator, target: Target, truth: NDArray[np.float32], rect: Rect, config: StreamConfig
) -> tuple[NDArray[np.float32] | None, list[tuple[float, float, bool]]]:
    """Prior mask or None, and clicks: clicks mostly correct a shown mask, which then is badly wrong."""
    clicked = rng.random() < config.points
    if clicked and truth.max() > 0.5:
        count = int(rng.integers(1, 4))
        if rng.random() < 0.25:
            return None, corrective(rng, truth, None, count)
        shown = damaged(rng, target.mask, rect, config.grid, strength=1.6)
        return shown, corrective(rng, truth, shown, count)
    share = config.prior if target.position is None else config.slice_prior
    if rng.random() < share:
        return damaged(rng, target.neighbour, rect, config.grid, strength=float(rng.uniform(0, 1))), []
    return None, []
