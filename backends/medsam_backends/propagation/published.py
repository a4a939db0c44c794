"""The published systems' propagation rules, reproduced voxel for voxel, as data.

All walk from the middle slice of the box to both ends; the box of a slice is that of the neighbour's
mask, in the system's own network frame and with its own rounding.  They differ in what `PublishedRule`
lists, and in nothing else.  Where the authors' program refuses a box of one slice, that slice is
segmented here.  A prompt that the user gave on a slice takes the place of the rule's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..resize import resize
from ..types import Box, Prompt
from .base import Request, SliceModel, SliceResult

__all__ = ["PUBLISHED", "PublishedRule"]

Corners = NDArray[np.float64]
"""First and last pixel, both inside: (x0, y0, x1, y1), in pixels or in the network's frame."""


@dataclass(frozen=True)
class PublishedRule:
    """How one published program goes from slice to slice.

    Attributes
    ----------
    side : size of the network frame that its boxes are in; 1 for fractions of the longest side
    scaling : of corners into that frame: ``truncate`` to whole numbers, ``single`` precision, or
        ``square``, each axis by its own factor (meant for models whose input does not keep the aspect)
    mask_box : the mask's box is measured at the ``original`` size, or after resizing the mask to the
        network frame by ``area`` or by the ``nearest`` pixel
    margin : the mask's box is grown by this in the network frame, and cut to the frame
    includes_last : whether the last slice of the box is segmented
    one_slice : whether a box of a single slice is segmented although its last slice is left out
    below : slices beneath the first that are segmented too
    reaches_zero : whether the walk downwards reaches slice 0
    floors_user_box : the user's box is rounded down, the masks' boxes are not
    recovers : after an empty mask the user's box is taken; otherwise the frame's first corner
    uses_label : the mask is resized holding the object's number, so that a pixel survives when number
        times coverage rounds to 1 or more
    """

    side: int
    scaling: Literal["truncate", "single", "square"] = "truncate"
    mask_box: Literal["area", "nearest", "original"] = "area"
    margin: int = 3
    includes_last: bool = True
    one_slice: bool = True
    below: int = 0
    reaches_zero: bool = True
    floors_user_box: bool = False
    recovers: bool = True
    uses_label: bool = True

    def __call__(self, request: Request, model: SliceModel) -> Iterator[SliceResult]:
        """Segment the object of `request` slice by slice: the middle, upwards, then downwards."""
        first = max(request.first - self.below, 0)
        middle = (request.first - self.below + request.last) // 2
        stop = request.last + 1 if self.includes_last else request.last
        if self.one_slice:
            stop = max(stop, middle + 1)
        if middle >= stop:
            return
        lowest = first if self.reaches_zero else max(first, 1)
        start = yield from self._walk(request, model, [middle], None)
        yield from self._walk(request, model, range(middle + 1, stop), start)
        yield from self._walk(request, model, range(middle - 1, lowest - 1, -1), start)

    def _walk(
        self, request: Request, model: SliceModel, indices: range | list[int], mask: NDArray[np.bool_] | None
    ) -> Iterator[SliceResult]:
        raise NotImplementedError
