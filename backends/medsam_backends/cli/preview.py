"""Draws what was segmented: the picture that the model sees, boxes and contours in the segments' colours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..boxes import AXES, Axis, VoxelBox
from ..io import NamedMask
from ..segmentation_run import Outcome
from ..slices import SliceStack

__all__ = ["draw"]

_SIDE, _GAP, _TITLE, _ROWS = 400, 8, 22, 8
_INK, _PAPER = (235, 235, 235), (24, 24, 24)
_AXES_OF_A_VOLUME: tuple[Axis, ...] = ("k", "j", "i")


@dataclass(frozen=True)
class _Plane:
    """Slice `index` along `axis`; rows run upwards in the picture when `flipped`."""

    axis: Axis
    index: int
    flipped: bool


def draw(outcome: Outcome) -> bytes:
    """A PNG: a row a segment with three planes through its centre, or the one slice of a 2-D image.

    Pixels are drawn in their true proportions.  Of more than eight segments the first eight get a row;
    the others are drawn where they meet these planes.
    """
    flat = outcome.image.size_ijk[2] == 1
    shown = range(1) if flat else range(min(len(outcome.segments), _ROWS))
    rows = [[_panel(outcome, plane, _title(outcome, n, plane, flat)) for plane in _planes(outcome, n)] for n in shown]
    heights = [max(panel.height for panel in row) for row in rows]
    widths = [sum(panel.width + _GAP for panel in row) + _GAP for row in rows]
    sheet = Image.new("RGB", (max(widths), sum(heights) + _GAP * (len(rows) + 1)), _PAPER)
    top = _GAP
    for row, height in zip(rows, heights, strict=True):
        left = _GAP
        for panel in row:
            sheet.paste(panel, (left, top))
            left += panel.width + _GAP
        top += height + _GAP
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()


def _planes(outcome: Outcome, number: int) -> list[_Plane]:
    if outcome.image.size_ijk[2] == 1:
        return [_Plane("k", 0, flipped=False)]
    centre = _centre(outcome, number)
    # Head up in sagittal and coronal planes, as people expect, whichever way the slices were stored.
    head_up = bool(outcome.image.direction[2, 2] > 0)
    return [_Plane(axis, centre[AXES.index(axis)], flipped=axis != "k" and head_up) for axis in _AXES_OF_A_VOLUME]


def _centre(outcome: Outcome, number: int) -> tuple[int, int, int]:
    """The voxel (i, j, k) in the middle of a segment, or of its box when nothing was found."""
    segment = outcome.segments[number]
    if segment.voxels:
        k, j, i = (
            int(np.median(where)) + start for where, start in zip(segment.mask.nonzero(), segment.origin, strict=True)
        )
        return i, j, k
    box, _ = segment.target.box.clipped(outcome.image.size_ijk)
    i, j, k = ((first + last) // 2 for first, last in zip(box.first, box.last, strict=True))
    return i, j, k


def _title(outcome: Outcome, number: int, plane: _Plane, flat: bool) -> str:
    if flat:
        return ", ".join(segment.name for segment in outcome.segments)
    return f"{outcome.segments[number].name}, {plane.axis} = {plane.index}"


def _panel(outcome: Outcome, plane: _Plane, title: str) -> Image.Image:
    array = outcome.image.array
    stack = SliceStack(array, plane.axis, rgb=outcome.image.rgb)
    picture = np.clip(outcome.segmenter.transform.apply(stack.slice(plane.index)), 0, 255).astype(np.uint8)
    size = _drawn_size(outcome, plane)
    panel = Image.fromarray(_oriented(picture, plane)).convert("RGB").resize(size, Image.Resampling.BILINEAR)
    for segment, mask in zip(outcome.segments, outcome.masks(), strict=True):
        color = tuple(round(255 * channel) for channel in mask.color)
        _draw_box(panel, plane, segment.target.box.clipped(outcome.image.size_ijk)[0], stack.shape[1:], color)
        _draw_contour(panel, plane, _cut(mask, plane, array.shape), color)
    framed = Image.new("RGB", (size[0], size[1] + _TITLE), _PAPER)
    framed.paste(panel, (0, _TITLE))
    ImageDraw.Draw(framed).text((2, 3), title, _INK, ImageFont.load_default(14))
    return framed


def _drawn_size(outcome: Outcome, plane: _Plane) -> tuple[int, int]:
    """Width and height of a plane, its longer side `_SIDE`."""
    across, down = (n for n in range(3) if n != AXES.index(plane.axis))
    spacing, size = outcome.image.spacing_mm, outcome.image.size_ijk
    width, height = size[across] * spacing[across], size[down] * spacing[down]
    scale = _SIDE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _oriented(pixels: NDArray[np.uint8], plane: _Plane) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels[::-1] if plane.flipped else pixels)


def _cut(mask: NamedMask, plane: _Plane, shape: Sequence[int]) -> NDArray[np.bool_]:
    """The segment on a plane, at the plane's full size."""
    along = 2 - AXES.index(plane.axis)
    cut = np.zeros([length for n, length in enumerate(shape[:3]) if n != along], bool)
    index = plane.index - mask.origin[along]
    if 0 <= index < mask.mask.shape[along]:
        crop = np.take(mask.mask, index, axis=along)
        row, column = (start for n, start in enumerate(mask.origin) if n != along)
        cut[row : row + crop.shape[0], column : column + crop.shape[1]] = crop
    return cut


def _draw_box(panel: Image.Image, plane: _Plane, box: VoxelBox, shape: tuple[int, int], color: tuple[int, ...]) -> None:
    (x0, y0, x1, y1), first, last = box.plane(plane.axis)
    if not first <= plane.index <= last:
        return
    rows, columns = shape
    if plane.flipped:
        y0, y1 = rows - y1, rows - y0
    to_x, to_y = panel.width / columns, panel.height / rows
    corners = (x0 * to_x, y0 * to_y, x1 * to_x - 1, y1 * to_y - 1)
    right_and_below = max(corners[2], corners[0]), max(corners[3], corners[1])
    ImageDraw.Draw(panel).rectangle((*corners[:2], *right_and_below), outline=color)


def _draw_contour(panel: Image.Image, plane: _Plane, mask: NDArray[np.bool_], color: tuple[int, ...]) -> None:
    """Colour the mask's outermost two drawn pixels."""
    if not mask.any():
        return
    large = Image.fromarray(_oriented(mask.astype(np.uint8), plane) * 255).resize(panel.size, Image.Resampling.NEAREST)
    inside = np.pad(np.asarray(large) > 0, 1)
    core = inside[1:-1, 1:-1].copy()
    for _ in range(2):
        around = np.pad(core, 1)
        core &= around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    edge = Image.fromarray((inside[1:-1, 1:-1] & ~core).astype(np.uint8) * 255)
    panel.paste(Image.new("RGB", panel.size, color), mask=edge)
