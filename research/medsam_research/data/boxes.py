"""How people draw boxes: the tight box moved out a little, sometimes loose, sometimes cutting the object.

Boxes are pixel edges ``(x0, y0, x1, y1)``; the basic jitter does not depend on the object's size, so
that small objects get relatively loose boxes.
"""

from __future__ import annotations

import numpy as np
from medsam_backends.window import Rect

__all__ = ["draw", "scaled_like_ellipsoid"]

_TIGHT, _LOOSE, _CUTTING = 0.12, 0.18, 0.06
_LARGEST_JITTER = 5.0  # pixels of a picture whose longest side is 256
_SMALLEST_SCALE = 0.35


def draw(rng: np.random.Generator, tight: Rect, shape: tuple[int, int]) -> Rect:
    """A box as a person might draw it round the `tight` box in a picture of `shape` (H, W)."""
    height, width = shape
    pixel = max(height, width) / 256
    x0, y0, x1, y1 = tight
    size = np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
    kind = rng.random()
    if kind < _TIGHT:
        out = np.zeros(4)
    elif kind < _TIGHT + _LOOSE:
        out = rng.uniform(0, 0.2, 4) * size + rng.uniform(0, 2, 4) * pixel
    elif kind < _TIGHT + _LOOSE + _CUTTING:
        out = rng.uniform(-0.05, 0.03, 4) * size
    else:
        out = rng.uniform(0, _LARGEST_JITTER, 4) * pixel
    return (
        float(max(0.0, x0 - out[0])),
        float(max(0.0, y0 - out[1])),
        float(min(width, x1 + out[2])),
        float(min(height, y1 + out[3])),
    )


def scaled_like_ellipsoid(box: Rect, position: float) -> Rect:
    """The cross-section at `position` (-1..1) of the box of an ellipsoid's slices, at least 0.35 of it."""
    factor = max(_SMALLEST_SCALE, float(np.sqrt(max(0.0, 1 - position**2))))
    x0, y0, x1, y1 = box
    grow_x, grow_y = (x1 - x0) * (1 - factor) / 2, (y1 - y0) * (1 - factor) / 2
    return x0 + grow_x, y0 + grow_y, x1 - grow_x, y1 - grow_y
