"""The same object seen along another axis: a few slices segmented there, read back as planes of the main stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..boxes import AXES, Axis
from .base import Request, SliceModel
from .maps import SliceMaps, spread
from .region import Region

__all__ = ["SideView", "side_views"]

Range = tuple[int, int]


@dataclass(frozen=True, eq=False)
class SideView:
    """A stack across the main one.

    Attributes
    ----------
    maps : what is asked along this view's axis, on the main region's voxels
    weights : (V, S) linear interpolation from the S slices to the V voxels of the main region along this axis
    from_rows : whether the main axis runs along this view's rows, not its columns
    to_rows : whether this view's axis runs along the main view's rows, not its columns
    start : voxel of the main axis where the maps begin
    """

    maps: SliceMaps
    weights: NDArray[np.float32]
    from_rows: bool
    to_rows: bool
    start: int

    def plane(self, index: int) -> NDArray[np.float32]:
        """Logits on the main region of main slice `index`, (h, w) float32; all of `maps.asked` are asked for."""
        at = index - self.start
        planes = [self.maps.logits(n) for n in self.maps.asked]
        lines = [plane[at] if self.from_rows else plane[:, at] for plane in planes]
        values: NDArray[np.float32] = self.weights @ np.stack(lines)
        return values if self.to_rows else values.T


def side_views(main: SliceMaps, slices: int, among: Sequence[Sequence[int]] = ((), ())) -> list[SideView]:
    """The two views across `main`, of at most `slices` slices each, of those `among` if given, still to be asked."""
    request, region = main.request, main.region
    axis, (rows, columns) = main.model.axis, _plane_axes(main.model.axis)
    x0, y0, x1, y1 = (round(edge) for edge in request.box)
    box: dict[Axis, Range] = {axis: (request.first, request.last + 1), rows: (y0, y1), columns: (x0, x1)}
    voxels: dict[Axis, Range] = {**box, rows: (region.y0, region.y1), columns: (region.x0, region.x1)}
    views = []
    for across, known in zip((rows, columns), among, strict=True):
        model = main.model.view(across)
        asked = spread(*box[across], slices, known)
        maps = SliceMaps(_request(box, across), model, _region(voxels, across, model), asked)
        weights, from_rows = _interpolation(asked, voxels[across]), _plane_axes(across)[0] == axis
        views.append(SideView(maps, weights, from_rows=from_rows, to_rows=across == rows, start=request.first))
    return views


def _plane_axes(axis: Axis) -> tuple[Axis, Axis]:
    """Axes along the rows' index and the columns' index of a slice across `axis`, see `SliceStack`."""
    columns, rows = (other for other in AXES if other != axis)
    return rows, columns


def _request(box: dict[Axis, Range], axis: Axis) -> Request:
    rows, columns = _plane_axes(axis)
    (y0, y1), (x0, x1), (first, end) = box[rows], box[columns], box[axis]
    return Request((float(x0), float(y0), float(x1), float(y1)), first, end - 1)


def _region(voxels: dict[Axis, Range], axis: Axis, model: SliceModel) -> Region:
    rows, columns = _plane_axes(axis)
    return Region(voxels[columns][0], voxels[rows][0], voxels[columns][1], voxels[rows][1], model.shape[1:])


def _interpolation(indices: tuple[int, ...], span: Range) -> NDArray[np.float32]:
    """Rows that interpolate linearly between `indices` at every voxel of `span`; the outermost hold beyond."""
    at = np.arange(*span)
    return np.stack([np.interp(at, indices, row) for row in np.eye(len(indices))], axis=1).astype(np.float32)
