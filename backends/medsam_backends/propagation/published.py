"""The published systems' propagation rules, reproduced voxel for voxel, as data.

All walk from the middle slice of the box to both ends; the box of a slice is that of the neighbour's
mask, in the system's own network frame and with its own rounding.  They differ in what `PublishedRule`
lists, and in nothing else.  Where the authors' program refuses a box of one slice, that slice is
segmented here.  A prompt that the user gave on a slice takes the place of the rule's own, and a slice
known from an earlier run is passed over with its mask as it is.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..preprocess import Frame
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
        """Segment the object of `request`: the middle slice, then upwards, then downwards from the middle."""
        first = max(request.first - self.below, 0)
        middle = (request.first + request.last) // 2
        stop = request.last + self.includes_last
        if self.one_slice:
            stop = max(stop, middle + 1)
        if middle >= stop:
            return
        lowest = first if self.reaches_zero else max(first, 1)
        start = yield from self._walk(request, model, range(middle, middle + 1), None)
        yield from self._walk(request, model, range(middle + 1, stop), start)
        yield from self._walk(request, model, range(middle - 1, lowest - 1, -1), start)

    def _walk(
        self, request: Request, model: SliceModel, indices: range, mask: NDArray[np.bool_] | None
    ) -> Generator[SliceResult, None, NDArray[np.bool_] | None]:
        """Segment slice after slice, each from the mask before; returns the last mask."""
        for index in indices:
            if index in request.known:
                mask = request.known[index].mask
                continue
            prompt = request.keys.get(index) or self._prompt(request, model, mask)
            prediction = model.predict(index, [prompt])[0]
            mask = prediction.mask
            yield SliceResult(index, mask, prediction.iou, "" if mask.any() else "empty mask")
        return mask

    def _prompt(self, request: Request, model: SliceModel, mask: NDArray[np.bool_] | None) -> Prompt:
        size = model.shape[1:]
        box = None if mask is None else self._box_of_mask(mask, request.label if self.uses_label else 1)
        if box is None:
            box = self._box_of_user(request.box, size)
        if model.box_side == self.side:
            return Prompt(_as_box(box), frame="network")
        edges = box * (max(size) / self.side)  # a model with another frame maps pixels of the image itself
        edges[2:] += 1
        return Prompt(_as_box(edges))

    def _box_of_user(self, box: Box, size: tuple[int, int]) -> Corners:
        corners = self._scaled(np.array([box[0], box[1], box[2] - 1, box[3] - 1]), size)
        return np.floor(corners) if self.floors_user_box else corners

    def _box_of_mask(self, mask: NDArray[np.bool_], label: int) -> Corners | None:
        """The box for the next slice in the network frame; None when the user's box is to be taken."""
        size = (mask.shape[0], mask.shape[1])
        corners = _corners(mask if self.mask_box == "original" else self._resized(mask, label))
        if corners is None:
            return None if self.recovers else self._grown(np.zeros(4))
        return self._grown(self._scaled(corners, size) if self.mask_box == "original" else corners)

    def _resized(self, mask: NDArray[np.bool_], label: int) -> NDArray[np.generic]:
        size = (mask.shape[0], mask.shape[1])
        if self.mask_box == "nearest":
            rows, columns = ((2 * np.arange(self.side) + 1) * n // (2 * self.side) for n in size)
            return np.asarray(mask[rows[:, None], columns])
        return resize(mask * np.uint8(min(label, 255)), Frame.of(size, self.side, "longest_side").resized, "area")

    def _grown(self, corners: Corners) -> Corners:
        if self.margin == 0:
            return corners
        grown = corners.astype(np.float32) + np.float32(self.margin) * np.array([-1, -1, 1, 1], np.float32)
        return np.clip(grown, 0, self.side).astype(np.float64)

    def _scaled(self, corners: Corners, size: tuple[int, int]) -> Corners:
        longest = max(size)
        if self.scaling == "single":
            return (corners.astype(np.float32) / np.float32(longest) * np.float32(self.side)).astype(np.float64)
        if self.scaling == "square":
            return corners * self.side / np.array([size[1], size[0]] * 2, np.float64)
        return np.asarray(np.trunc(corners * (self.side / longest)))


def _corners(mask: NDArray[np.generic]) -> Corners | None:
    """First and last column and row that are not zero; None when all are."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float64)


def _as_box(corners: Corners) -> Box:
    x0, y0, x1, y1 = corners.tolist()
    return x0, y0, x1, y1


_MEDFICIENTSAM = PublishedRule(512, mask_box="original", margin=0, includes_last=False, one_slice=False)
_FRACTIONS = replace(_MEDFICIENTSAM, side=1, scaling="single")
_CPP_256 = PublishedRule(256, scaling="single", mask_box="original", includes_last=False, floors_user_box=True)

PUBLISHED: Mapping[str, PublishedRule] = MappingProxyType(
    {
        "litemedsam": PublishedRule(256),
        "rep-medsam": PublishedRule(256),
        "rep-cpp": _CPP_256,  # by a third party
        "medficientsam": _MEDFICIENTSAM,
        "medficientsam-onnx": _FRACTIONS,
        "medficientsam-cpp": replace(_FRACTIONS, one_slice=True),
        "daft": PublishedRule(256, includes_last=False),
        "daft-cpp": _CPP_256,
        "slicer-classic": PublishedRule(256, scaling="square", mask_box="nearest", reaches_zero=False, recovers=False),
        "slicer-daft": PublishedRule(256, below=1, uses_label=False),
        "slicer-medficient": replace(_MEDFICIENTSAM, includes_last=True, below=1),
    }
)
"""Rules by name: the authors' Python programs, ``-onnx`` and ``-cpp`` their other programs where these
differ, and the engines of the Slicer module MedSAMLite 0.13."""
