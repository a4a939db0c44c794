"""A segment as files and pictures need it: a name, a colour, and a mask that is a crop of the volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import OutputError

__all__ = ["COLORS", "NamedMask", "label_type", "layers", "overlapping"]

Color = tuple[float, float, float]

COLORS: tuple[Color, ...] = (
    (0.90, 0.62, 0.00),
    (0.34, 0.71, 0.91),
    (0.00, 0.62, 0.45),
    (0.94, 0.89, 0.26),
    (0.84, 0.37, 0.00),
    (0.80, 0.47, 0.65),
    (0.00, 0.45, 0.70),
)
"""Colours that people with any colour vision tell apart (Okabe and Ito 2008), without black."""


@dataclass(frozen=True, eq=False)
class NamedMask:
    """A segment.

    Attributes
    ----------
    name : shown to the user
    mask : bool, axes (k, j, i), a crop of the volume; may have no voxel at all
    origin : ``(k, j, i)`` of the crop's first voxel in the volume
    color : red, green and blue in [0, 1]
    found_by : name and version of the model
    """

    name: str
    mask: NDArray[np.bool_]
    origin: tuple[int, int, int] = (0, 0, 0)
    color: Color = COLORS[0]
    found_by: tuple[str, str] = ("", "")

    @property
    def last(self) -> tuple[int, int, int]:
        """``(k, j, i)`` of the crop's last voxel, inside it."""
        k, j, i = (start + length - 1 for start, length in zip(self.origin, self.mask.shape, strict=True))
        return k, j, i

    def paint(self, plane: NDArray[np.unsignedinteger], k: int, label: int) -> None:
        """Write `label` into slice `k` of the volume, (J, I), where the segment is."""
        if self.mask.size and self.origin[0] <= k <= self.last[0]:
            (_, j0, i0), (_, j1, i1) = self.origin, self.last
            plane[j0 : j1 + 1, i0 : i1 + 1][self.mask[k - self.origin[0]]] = label

    def overlaps(self, other: NamedMask) -> bool:
        """Whether a voxel belongs to both."""
        first = [max(a, b) for a, b in zip(self.origin, other.origin, strict=True)]
        stop = [min(a, b) + 1 for a, b in zip(self.last, other.last, strict=True)]
        if any(b <= a for a, b in zip(first, stop, strict=True)):
            return False
        parts = (
            s.mask[tuple(slice(a - o, b - o) for a, b, o in zip(first, stop, s.origin, strict=True))]
            for s in (self, other)
        )
        return bool(np.logical_and(*parts).any())


def layers(segments: Sequence[NamedMask]) -> list[int]:
    """A layer for each segment, as few as first fit finds, so that no two of a layer overlap."""
    layer_of: list[int] = []
    for number, segment in enumerate(segments):
        taken = {layer_of[n] for n in range(number) if segment.overlaps(segments[n])}
        layer_of.append(next(layer for layer in range(number + 1) if layer not in taken))
    return layer_of


def overlapping(segments: Sequence[NamedMask]) -> list[tuple[str, str]]:
    """Names of the segments that share a voxel, earlier one first."""
    return [(a.name, b.name) for n, b in enumerate(segments) for a in segments[:n] if a.overlaps(b)]


def label_type(segments: Sequence[NamedMask]) -> np.dtype[np.unsignedinteger]:
    """The smallest type that holds a label for each segment."""
    if len(segments) > 65535:
        raise OutputError(f"{len(segments)} segments do not fit one file: write them in parts.")
    return np.dtype(np.uint8 if len(segments) <= 255 else np.uint16)
