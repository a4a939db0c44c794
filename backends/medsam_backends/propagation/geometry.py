"""Boxes along a propagation: the user's box as an ellipsoid's cross-section, and the boxes of masks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..types import Box, Prompt
from .base import Request

__all__ = ["blend", "cross_section", "intersection", "mask_box", "place", "reference_box"]


def place(index: int, first: int, last: int) -> float:
    """Place of a slice's centre between the two ends of a box, in (-1, 1)."""
    return 2 * (index - first + 0.5) / (last - first + 1) - 1


def cross_section(index: int, first: int, last: int, least: float) -> float:
    """Size of an inscribed ellipsoid's section at a slice as a fraction of its largest, at least `least`."""
    return max(least, math.sqrt(1 - place(index, first, last) ** 2))


def reference_box(request: Request, keys: Mapping[int, Prompt], index: int, least: float) -> Box:
    """The box to expect on a slice without having seen its neighbours.

    Between two key slices their boxes are interpolated; beyond the outermost the nearest key's box
    shrinks about its centre like the section of the ellipsoid inscribed in the user's box.
    """
    before = max((key for key in keys if key <= index), default=None)
    after = min((key for key in keys if key >= index), default=None)
    if before is not None and after is not None:
        share = (index - before) / (after - before) if after > before else 0.0
        return blend(keys[after].box, keys[before].box, share)
    nearest = before if before is not None else after
    if nearest is None:
        box, factor = request.box, cross_section(index, request.first, request.last, least)
    else:
        box = keys[nearest].box
        sections = (cross_section(n, request.first, request.last, least) for n in (index, nearest))
        factor = min(1.0, next(sections) / next(sections))
    return _scaled(box, factor)


def _scaled(box: Box, factor: float) -> Box:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half_width, half_height = (box[2] - box[0]) / 2 * factor, (box[3] - box[1]) / 2 * factor
    return x - half_width, y - half_height, x + half_width, y + half_height


def blend(first: Sequence[float], second: Sequence[float], share: float) -> Box:
    """``share * first + (1 - share) * second``, side by side."""
    x0, y0, x1, y1 = (share * a + (1 - share) * b for a, b in zip(first, second, strict=True))
    return x0, y0, x1, y1


def mask_box(mask: NDArray[np.bool_]) -> Box | None:
    """Edges of the smallest box round a mask; None when it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def intersection(first: Box, second: Box) -> Box | None:
    """The part that two boxes share; None when there is none."""
    x0, y0 = max(first[0], second[0]), max(first[1], second[1])
    x1, y1 = min(first[2], second[2]), min(first[3], second[3])
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
