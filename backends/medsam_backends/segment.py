"""What a volume segmenter is asked for and gives: targets, segments as crops of the volume, reports of slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .boxes import AXES, Axis, VoxelBox
from .timings import Timings
from .types import Prompt

__all__ = ["Progress", "Segment", "SliceReport", "Target"]


@dataclass(frozen=True)
class Target:
    """One object to segment.

    Attributes
    ----------
    box : first and last voxel of the object along i, j and k
    keys : further prompts on single slices of the propagation axis: a box drawn there, or clicks
    """

    box: VoxelBox
    name: str = ""
    keys: Mapping[int, Prompt] = field(default_factory=dict)


@dataclass(frozen=True)
class SliceReport:
    """What happened on one slice: its index, the confidence in [0, 1], pixels, and why it stands out."""

    index: int
    confidence: float
    pixels: int
    note: str = ""
    key: bool = False


@dataclass(frozen=True, eq=False)
class Segment:
    """A segmented object, as a crop of the volume.

    Attributes
    ----------
    mask : bool, cropped to the object, axes (k, j, i) like the volume's array
    origin : (k, j, i) of the crop's first voxel
    axis : the axis it was propagated along
    slices : a report a slice of that axis
    label : number of the object among those segmented together, see `Request`
    """

    name: str
    target: Target
    mask: NDArray[np.bool_]
    origin: tuple[int, int, int]
    axis: Axis
    slices: tuple[SliceReport, ...]
    timings: Timings
    elapsed_s: float
    messages: tuple[str, ...] = ()
    label: int = 1

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return int(np.count_nonzero(self.mask))

    @property
    def confidence(self) -> float:
        """Mean confidence over the slices, weighted by their pixels; 0 when empty."""
        weights = np.array([report.pixels for report in self.slices], np.float64)
        if weights.sum() == 0:
            return 0.0
        return float(np.average([report.confidence for report in self.slices], weights=weights))

    def full(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """The mask at the size of the volume, (K, J, I) bool."""
        out = np.zeros(shape[:3], bool)
        k, j, i = self.origin
        depth, rows, columns = self.mask.shape
        out[k : k + depth, j : j + rows, i : i + columns] = self.mask
        return out

    def plane(self, index: int, size: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask on slice `index` along its axis, at the slice's `size`: (H, W) bool."""
        along = 2 - AXES.index(self.axis)
        out, at = np.zeros(size, bool), index - self.origin[along]
        if 0 <= at < self.mask.shape[along]:
            part: NDArray[np.bool_] = np.take(self.mask, at, axis=along)
            row, column = (start for n, start in enumerate(self.origin) if n != along)
            rows, columns = part.shape[:2]
            out[row : row + rows, column : column + columns] = part
        return out


@dataclass(frozen=True)
class Progress:
    """Slices done of all slices to do, and the object at work."""

    done: int
    total: int
    target: int
