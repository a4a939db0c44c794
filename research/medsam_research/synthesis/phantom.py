"""A body in millimetres under construction: shapes as distance fields, tissues laid over each other, labels.

Points are (up, back, left) in mm from the middle of the raster; the raster is posed and bent a little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .pet import hidden_labels
from .scanner import Scanner
from .solid import Field, Mask, Triple, rotation, smooth_field

__all__ = ["Mould", "Phantom", "SyntheticVolume", "scanned"]

SyntheticVolume = tuple[NDArray[np.uint8], NDArray[np.uint8], Triple, str]
"""Voxels (S, R, C) as uint8 grey, labels (S, R, C) as uint8, spacing along the axes in mm, modality."""

Window = tuple[slice, slice, slice]
_FAR, _MARGIN = np.float32(1000), 4.0  # mm
_MOST_VOXELS, _MOST_LABELS = 1_300_000, 250
_SMALL, _THICKEST = 120.0, 8.0  # mm
_TIGHTENED, _FEW_VOXELS = 90.0, 12000  # mm; larger shapes may be asked for far beyond their surface
_HIDDEN_NAMED = 0.05  # the share of objects named although PET does not show them


class Phantom:
    """A raster of `extent` mm round `centre`, sliced along the axis whose voxels are longest.

    Its voxels are drawn to suit the extent, or have about the size `voxel` in mm.

    Attributes
    ----------
    values : float32 (up, back, left), in the units of the scanner
    labels : uint8 of the same shape; later objects cover earlier ones
    """

    def __init__(
        self,
        rng: np.random.Generator,
        scanner: Scanner,
        extent: ArrayLike,
        centre: ArrayLike = (0, 0, 0),
        voxel: ArrayLike | None = None,
    ) -> None:
        self.rng, self.scanner = rng, scanner
        extent = np.asarray(extent, float)
        if voxel is None:
            self.across = int(rng.choice([0, 0, 0, 1, 2]))
            self.shape = _raster(rng, extent, self.across, coarse=scanner.modality == "PET")
        else:
            self.across, self.shape = int(np.argmax(voxel)), _fixed(extent, voxel)
        self.spacing = extent / self.shape
        self._turn = rotation(rng, 0.08)
        self._corner = -extent / 2
        self._centre = np.asarray(centre, float)
        bend = rng.uniform(0.01, 0.03) * extent.mean()
        self._reach = 2.5 * bend
        self.at = self._coordinates(np.float32(bend))
        self._noise = {name: self.smooth(scale) for name, scale in (("coarse", 18.0), ("fine", 6.0), ("grain", 2.5))}
        self.values = np.zeros(self.shape, np.float32)
        self.labels = np.zeros(self.shape, np.uint8)
        self._used = 0

    def _coordinates(self, bend: np.float32) -> list[Field]:
        lines = [
            (c + (np.arange(n) + 0.5) * s).astype(np.float32).reshape([-1 if i == k else 1 for i in range(3)])
            for k, (n, s, c) in enumerate(zip(self.shape, self.spacing, self._corner, strict=True))
        ]
        turned = [
            sum(np.float32(self._turn[k, i]) * lines[i] for i in range(3)) + np.float32(self._centre[k])
            for k in range(3)
        ]
        return [
            at + np.clip(bend * smooth_field(self.rng, self.shape, (2, 2, 2)), -2.5 * bend, 2.5 * bend) for at in turned
        ]

    def smooth(self, scale: float) -> Field:
        """New smooth noise of deviation about 1 with features of `scale` mm."""
        cells = [int(np.clip(n * s / scale, 1, max(n // 2, 1))) for n, s in zip(self.shape, self.spacing, strict=True)]
        return smooth_field(self.rng, self.shape, tuple(cells))  # type: ignore[arg-type]

    def noise(self, kind: str = "coarse") -> Field:
        """Smooth noise of deviation about 1 with features of 18 mm (``coarse``), 6 mm (``fine``) or 2.5 (``grain``)."""
        return self._noise[kind]

    def window(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> Window:
        """The voxels that a shape between `low` and `high` mm may touch."""
        middle, half = (low + high) / 2 - self._centre, (high - low) / 2
        middle, half = self._turn.T @ middle, np.abs(self._turn.T) @ half + self._reach
        first = np.clip(np.floor((middle - half - self._corner) / self.spacing), 0, self.shape).astype(int)
        last = np.clip(np.ceil((middle + half - self._corner) / self.spacing), 0, self.shape).astype(int)
        window: Window = tuple(slice(int(a), int(max(a, b))) for a, b in zip(first, last, strict=True))  # type: ignore[assignment]
        return self._tightened(window, low, high) if (high - low).max() < _TIGHTENED else window

    def _tightened(self, window: Window, low: NDArray[np.float64], high: NDArray[np.float64]) -> Window:
        """The part of `window` that really holds the box from `low` to `high`, found on every second voxel."""
        if np.prod([w.stop - w.start for w in window]) < _FEW_VOXELS:
            return window
        slack = 1.3 * np.abs(self._turn) @ self.spacing
        near = np.ones([(w.stop - w.start + 1) // 2 for w in window], bool)
        for at, a, b in zip(self.at, low - slack, high + slack, strict=True):
            thinned = at[window][::2, ::2, ::2]
            near &= (thinned > np.float32(a)) & (thinned < np.float32(b))
        tight = []
        for axis, whole in enumerate(window):
            hits = np.flatnonzero(near.any(tuple(i for i in range(3) if i != axis)))
            if not hits.size:
                return tuple(slice(w.start, w.start) for w in window)  # type: ignore[return-value]
            start, stop = whole.start + 2 * int(hits[0]) - 1, whole.start + 2 * int(hits[-1]) + 2
            tight.append(slice(max(start, whole.start), min(stop, whole.stop)))
        return tuple(tight)  # type: ignore[return-value]

    def mould(self) -> Mould:
        """An empty shape."""
        return Mould(self)

    def fill(self, tissue: str) -> None:
        """All of the raster is `tissue` to begin with."""
        self.lay(np.ones(self.shape, bool), tissue, named=False)

    def lay(self, mask: Mask, tissue: str, *, named: bool = True, label: int | None = None) -> int:
        """Lay `tissue` over what is there; returns the label it was given, 0 for none."""
        mottle = np.float32(self.scanner.mottle(tissue))
        tone = np.float32(self.scanner.tone(tissue))
        self.values[mask] = tone + mottle * self._noise["grain"][mask] if mottle else tone
        if not named:
            return 0
        return self.name(mask, label)

    def name(self, mask: Mask, label: int | None = None) -> int:
        """Give `mask` a label, the next one if `label` is None or 0; it is not drawn."""
        if not label:
            if self._used >= _MOST_LABELS or np.count_nonzero(mask) < 12:
                return 0
            self._used += 1
            label = self._used
        self.labels[mask] = label
        return label

    def clear(self, mask: Mask) -> None:
        """Nothing in `mask` is an object."""
        self.labels[mask] = 0

    def pick(self, *choices: str) -> str:
        """One of several tissues."""
        return str(self.rng.choice(choices))


class Mould:
    """A shape under construction as a distance in mm, negative inside."""

    def __init__(self, phantom: Phantom) -> None:
        self._phantom = phantom
        self.field: Field = np.full(phantom.shape, _FAR, np.float32)

    def ball(
        self, centre: ArrayLike, radii: ArrayLike, *, power: float = 2.0, turn: NDArray[np.float64] | None = None
    ) -> Mould:
        """Add a (super-)ellipsoid, turned by the rotation `turn`."""
        middle, size = np.asarray(centre, float), np.broadcast_to(np.asarray(radii, float), 3)
        reach = (size if turn is None else np.full(3, float(np.linalg.norm(size)))) * 1.05 + _MARGIN
        window = self._phantom.window(middle - reach, middle + reach)
        off = [at[window] - np.float32(c) for at, c in zip(self._phantom.at, middle, strict=True)]
        if turn is not None:
            off = [sum(np.float32(r) * o for r, o in zip(row, off, strict=True)) for row in turn]
        parts = [np.abs(o) / np.float32(r) for o, r in zip(off, size, strict=True)]
        total = sum(p * p if power == 2 else p ** np.float32(power) for p in parts)
        self._add(window, (total ** np.float32(1 / power) - 1) * np.float32(size.min()))
        return self

    def rod(self, line: ArrayLike, radius: ArrayLike, *, stretch: Triple = (1, 1, 1)) -> Mould:
        """Add a tube along the points `line` (N, 3); `radius` is a number or one for each point."""
        points = np.asarray(line, float)
        radii = np.broadcast_to(np.asarray(radius, float), len(points))
        scale = np.asarray(stretch, float)
        for a, b, start, stop in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
            reach = max(start, stop) * scale + _MARGIN
            window = self._phantom.window(np.minimum(a, b) - reach, np.maximum(a, b) + reach)
            way = ((b - a) / scale).astype(np.float32)
            off = [at[window] - np.float32(c) for at, c in zip(self._phantom.at, a, strict=True)]
            off = off if stretch == (1, 1, 1) else [o / np.float32(s) for o, s in zip(off, scale, strict=True)]
            length = max(float(way @ way), 1e-6)
            along = sum(w * o for w, o in zip(way, off, strict=True))
            share = np.clip(along / np.float32(length), 0, 1)
            squared = sum(o * o for o in off) + share * (share * np.float32(length) - 2 * along)
            squared = np.maximum(squared, 0)
            self._add(window, np.sqrt(squared) - (np.float32(start) + share * np.float32(stop - start)))
        return self

    def _add(self, window: Window, distance: Field) -> None:
        np.minimum(self.field[window], distance, out=self.field[window])

    def roughen(self, depth: float, kind: str = "coarse") -> Mould:
        """Move the surface by noise of deviation `depth` mm."""
        self.field += np.float32(depth) * self._phantom.noise(kind)
        return self

    def mask(self, depth: float = 0.0) -> Mask:
        """What lies inside, `depth` mm below the surface or deeper."""
        return self.field < np.float32(-depth)


def _raster(
    rng: np.random.Generator, extent: NDArray[np.float64], across: int, *, coarse: bool
) -> tuple[int, int, int]:
    """Voxels along each axis: 30 to 160 within the slice, 20 to 96 slices up to six times as thick.

    A `coarse` raster has voxels of 2.5 to 5.5 mm where that leaves enough of them.
    """
    longest = float(np.delete(extent, across).max())
    pixel = rng.uniform(2.5, 5.5) if coarse else longest / rng.uniform(48 if longest < _SMALL else 80, 160)
    thick = pixel if rng.random() < 0.4 else min(pixel * rng.uniform(1, 6), max(_THICKEST, pixel))
    thick = rng.uniform(2, 5) if coarse else thick
    sizes = np.clip(np.round(extent / pixel), 30, 160)
    sizes[across] = np.clip(round(extent[across] / thick), 20, 96)
    sizes *= min(1.0, (_MOST_VOXELS / sizes.prod()) ** (1 / 3))
    low = np.where(np.arange(3) == across, 20, 30)
    return tuple(int(n) for n in np.maximum(sizes, low))  # type: ignore[return-value]


def _fixed(extent: NDArray[np.float64], voxel: ArrayLike) -> tuple[int, int, int]:
    """As many of these voxels as fit, 8 to 160 along each axis; larger ones if they are too many."""
    sizes = np.clip(np.round(extent / np.asarray(voxel, float)), 8, 160)
    sizes *= min(1.0, (_MOST_VOXELS / sizes.prod()) ** (1 / 3))
    return tuple(int(n) for n in np.maximum(sizes, 8))  # type: ignore[return-value]


def scanned(phantom: Phantom) -> SyntheticVolume:
    """Scan the phantom; its slices come first, the other axes in any order and direction."""
    rng, scanner = phantom.rng, phantom.scanner
    spacing = tuple(float(s) for s in phantom.spacing)
    grey = scanner.picture(phantom.values, spacing)  # type: ignore[arg-type]
    if scanner.modality == "PET":
        _unname(phantom, hidden_labels(grey, phantom.labels))
    others = [i for i in range(3) if i != phantom.across]
    order = (phantom.across, *(others if rng.random() < 0.6 else others[::-1]))
    steps = tuple(slice(None, None, int(rng.choice([-1, 1]))) for _ in range(3))
    turned = [np.ascontiguousarray(field.transpose(order)[steps]) for field in (grey, phantom.labels)]
    return turned[0], turned[1], tuple(spacing[i] for i in order), scanner.modality  # type: ignore[return-value]


def _unname(phantom: Phantom, hidden: list[int]) -> None:
    """Take the names of nearly all that cannot be seen."""
    gone = [label for label in hidden if phantom.rng.random() >= _HIDDEN_NAMED]
    phantom.clear(np.isin(phantom.labels, gone))
