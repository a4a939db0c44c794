"""Voxel-inclusive boxes as people give them, and the only place that turns them into pixel edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Literal

from .errors import PromptError
from .types import Box

__all__ = ["AXES", "Axis", "VoxelBox", "check_axis"]

Axis = Literal["i", "j", "k"]
AXES: tuple[Axis, ...] = ("i", "j", "k")


def check_axis(axis: str) -> Axis:
    """`axis` if it is ``"i"``, ``"j"`` or ``"k"``, in small letters or capitals; raises `PromptError` otherwise."""
    for known in AXES:
        if axis.lower() == known:
            return known
    raise PromptError(f"There is no axis '{axis}': choose i, j or k (k walks through the stored slices).")


@dataclass(frozen=True)
class VoxelBox:
    """First and last voxel of a box along each axis, both inside it.

    ``i`` runs along columns, ``j`` along rows and ``k`` along slices of the array that SimpleITK
    gives, so ``array[k, j, i]``.

    Raises
    ------
    PromptError
        If a last voxel lies before its first.
    """

    i0: int
    j0: int
    k0: int
    i1: int
    j1: int
    k1: int

    def __post_init__(self) -> None:
        for axis, first, last in zip(AXES, self.first, self.last, strict=True):
            if last < first:
                raise PromptError(
                    f"The box {self.text} is inverted along {axis} ({first} comes after {last}): "
                    "give the first voxel i0 j0 k0, then the last i1 j1 k1."
                )

    @classmethod
    def from_sequence(cls, values: Sequence[float]) -> VoxelBox:
        """A box from six numbers ``i0 j0 k0 i1 j1 k1``, or four, ``i0 j0 i1 j1``, on a 2-D image.

        Raises
        ------
        PromptError
            If there are not four or six, one is not a whole number, or the box is inverted.
        """
        if len(values) not in (4, 6):
            raise PromptError(
                f"A box of {len(values)} numbers is not understood: give i0 j0 k0 i1 j1 k1, or i0 j0 i1 j1 in 2-D."
            )
        for value in values:
            if value != value or value in (float("inf"), float("-inf")) or int(value) != value:
                raise PromptError(f"The box holds {value}: corners are voxel indices, so give whole numbers.")
        whole = [int(value) for value in values]
        if len(whole) == 4:
            whole = [*whole[:2], 0, *whole[2:], 0]
        return cls(*whole)

    @property
    def first(self) -> tuple[int, int, int]:
        """First voxel ``(i, j, k)``."""
        return self.i0, self.j0, self.k0

    @property
    def last(self) -> tuple[int, int, int]:
        """Last voxel ``(i, j, k)``, inside the box."""
        return self.i1, self.j1, self.k1

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along ``(i, j, k)``."""
        return self.i1 - self.i0 + 1, self.j1 - self.j0 + 1, self.k1 - self.k0 + 1

    @property
    def text(self) -> str:
        """The six numbers as a user types them."""
        return " ".join(str(value) for value in astuple(self))

    def clipped(self, size_ijk: tuple[int, int, int]) -> tuple[VoxelBox, bool]:
        """The part of the box inside a volume of `size_ijk` voxels, and whether anything was cut off.

        Raises
        ------
        PromptError
            If no voxel of the box lies inside the volume.
        """
        first = [max(0, value) for value in self.first]
        last = [min(size - 1, value) for size, value in zip(size_ijk, self.last, strict=True)]
        for axis, low, high, size in zip(AXES, first, last, size_ijk, strict=True):
            if high < low:
                raise PromptError(
                    f"The box {self.text} lies outside the volume along {axis}, whose voxels are 0 to {size - 1}: "
                    "draw it on the volume."
                )
        inside = VoxelBox(*first, *last)
        return inside, inside != self

    def plane(self, axis: Axis) -> tuple[Box, int, int]:
        """The box seen slice by slice along `axis`.

        Returns
        -------
        edges : ``(x0, y0, x1, y1)`` at pixel borders of a slice, x along its columns (see `SliceStack`)
        first, last : slices of the box, inclusive
        """
        along = AXES.index(check_axis(axis))
        x, y = (n for n in range(3) if n != along)
        edges = (float(self.first[x]), float(self.first[y]), self.last[x] + 1.0, self.last[y] + 1.0)
        return edges, self.first[along], self.last[along]
