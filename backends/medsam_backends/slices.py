"""A volume as a stack of slices along any of its three axes: views only, never a copy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .boxes import AXES, Axis, check_axis
from .errors import InputError, PromptError

__all__ = ["SliceStack"]


@dataclass(frozen=True, eq=False)
class SliceStack:
    """The slices of `array` along `axis`.

    ======  =======  =========
    axis    rows     columns
    ======  =======  =========
    ``k``   j        i
    ``j``   k        i
    ``i``   k        j
    ======  =======  =========

    Attributes
    ----------
    array : (K, J, I), or (K, J, I, C) when `rgb`, as SimpleITK gives it
    axis : the axis that the slices are stacked along
    rgb : whether the last axis of `array` holds colours

    Raises
    ------
    InputError
        If the array has another number of axes or no voxel.
    PromptError
        If there is no such axis.
    """

    array: NDArray[Any]
    axis: Axis = "k"
    rgb: bool = False
    _stack: NDArray[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        wanted = 4 if self.rgb else 3
        if self.array.ndim != wanted or 0 in self.array.shape:
            raise InputError(
                f"A {'colour' if self.rgb else 'grey'} volume has {wanted} axes with voxels along each, "
                f"this one has the shape {self.array.shape}."
            )
        view = np.moveaxis(self.array, self._axis_index, 0)
        view.flags.writeable = False
        object.__setattr__(self, "_stack", view)

    @property
    def _axis_index(self) -> int:
        return 2 - AXES.index(check_axis(self.axis))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns)."""
        slices, rows, columns = self._stack.shape[:3]
        return slices, rows, columns

    def slice(self, index: int) -> NDArray[Any]:
        """Slice `index` as a read-only view, (H, W) or (H, W, C).

        Raises
        ------
        PromptError
            If there is no such slice.
        """
        if not 0 <= index < len(self._stack):
            raise PromptError(f"There is no slice {index}: slices along {self.axis} are 0 to {len(self._stack) - 1}.")
        view: NDArray[Any] = self._stack[index]
        return view

    def neighbours(self, index: int) -> tuple[int, int, int]:
        """Indices of the slice before, itself and after; at an end the slice itself stands in."""
        return max(index - 1, 0), index, min(index + 1, len(self._stack) - 1)

    def to_volume(self, stack: NDArray[Any]) -> NDArray[Any]:
        """A (slices, rows, columns) array, whole or a crop, as a (k, j, i) view."""
        return np.moveaxis(stack, 0, self._axis_index)

    def to_volume_index(self, index: int, row: int, column: int) -> tuple[int, int, int]:
        """The voxel ``(i, j, k)`` of pixel (row, column) on slice `index`."""
        ijk = [column, row]
        ijk.insert(AXES.index(self.axis), index)
        return ijk[0], ijk[1], ijk[2]
