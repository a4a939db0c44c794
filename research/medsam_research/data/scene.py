"""What every source hands to the renderer: a picture and the objects asked for in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Plane", "Scene", "Target", "bounds"]

Plane = NDArray[np.bool_]


@dataclass(frozen=True)
class Target:
    """One object to be found; masks are boolean (H, W).

    Parameters
    ----------
    mask : the object in this picture; empty where the box holds nothing
    extent : what the box is drawn round: the object itself, or its shadow over all slices
    neighbour : mask that may serve as prior (the neighbour slice's, or the object itself)
    position : place between the ends of the 3-D box, -1..1; None for a plain picture
    """

    mask: Plane
    extent: Plane
    neighbour: Plane
    position: float | None = None


@dataclass(frozen=True)
class Scene:
    """A picture, uint8 (H, W) or (H, W, 3), and its targets; the channels of a slice are its neighbours."""

    pixels: NDArray[np.uint8]
    modality: str
    targets: list[Target] = field(default_factory=list)


def bounds(mask: Plane) -> tuple[int, int, int, int] | None:
    """Edges ``(x0, y0, x1, y1)`` of the tight box of `mask`; None when it is empty."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return None
    return int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1
