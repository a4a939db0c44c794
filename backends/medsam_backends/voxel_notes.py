"""Tells of voxels that show a model nothing: those in a box that are no numbers, and slices without contrast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .boxes import VoxelBox
from .intensity import IntensityTransform
from .slices import SliceStack

__all__ = ["voxel_notes"]


def voxel_notes(stack: SliceStack, box: VoxelBox, transform: IntensityTransform) -> Iterator[str]:
    """Sentences that the user should see on a box inside the volume.

    Nothing is said of a flat object: its surroundings on the slice are what shows it.
    """
    missing = _not_finite(stack.array, box)
    if missing:
        yield f"Voxels in this box are not numbers and were taken as the darkest grey: {missing}."
    _, first, last = box.plane(stack.axis)
    pictures = (transform.to_bytes(stack.slice(index)) for index in range(first, last + 1))
    if all(picture.min() == picture.max() for picture in pictures):
        yield "The slices of this box have no contrast with this intensity preset: what was found there means nothing."


def _not_finite(array: NDArray[Any], box: VoxelBox) -> int:
    if array.dtype.kind != "f":
        return 0
    planes = array[box.k0 : box.k1 + 1, box.j0 : box.j1 + 1, box.i0 : box.i1 + 1]
    return sum(plane.size - int(np.count_nonzero(np.isfinite(plane))) for plane in planes)
