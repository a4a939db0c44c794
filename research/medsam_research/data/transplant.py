"""Copy-and-blend augmentation: a real object moves, deformed, into another picture of its kind.

It makes new combinations of object and surroundings, not new objects; nothing is drawn here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .packed import Item
from .scene import bounds

__all__ = ["TRANSPLANTED", "kind_of", "transplant"]

TRANSPLANTED = ("Endoscopy", "Dermoscopy", "Pathology", "US", "Mammography")
_LARGEST_SHARE, _SMALLEST_SIDE = 0.45, 8  # of a picture's side; pixels
_DARK = 12  # a mean at or below it is the frame of the picture
_ATTEMPTS = 12
_LARGEST_GAIN = 1.9  # of brightness, between the donor's surroundings and the host's
_TURN = {"US": 0.4}  # largest turn in radians where up and down differ
_BANDS = (0.08, 0.3)  # blur between the bands of the blend, in margins
_REACH = (0.35, 0.65, 1.0)  # how far each band of the donor reaches round the object, in margins

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Piece:
    """A deformed object with its surroundings; `usable` is where these may be shown."""

    pixels: Plane
    mask: Mask
    usable: Mask
    margin: float


def kind_of(dataset: str) -> str:
    """Name shared by the data sets whose pictures may exchange objects: parts of one collection."""
    return dataset.split("-")[0]


def transplant(rng: np.random.Generator, donor: Item, host: Item) -> Item | None:
    """`host` with one object of `donor` blended in under a new label; None when none fits.

    The object is scaled, turned, mirrored and warped, tinted towards its new place, and blended in
    three bands of frequency, the coarse ones over a wider edge (Burt and Adelson 1983). Objects of
    the host are never covered.
    """
    label = int(host.labels.max()) + 1
    if donor.pixels.ndim != host.pixels.ndim or label > 255:
        return None
    piece = _piece(rng, donor, max(host.labels.shape))
    lit = _lit(host.pixels)
    place = None if piece is None else _place(rng, piece, host.labels, lit)
    if piece is None or place is None:
        return None
    window = np.s_[place[0] : place[0] + piece.mask.shape[0], place[1] : place[1] + piece.mask.shape[1]]
    free = lit[window] & (host.labels[window] == 0)
    tint = _tint(rng, piece, host.pixels[window], free)
    if tint is None:
        return None
    pixels, labels = host.pixels.copy(), host.labels.copy()
    pixels[window] = _blend(piece, tint, host.pixels[window], free)
    labels[window][piece.mask & piece.usable & free] = label
    return replace(host, name=f"{host.name}+{donor.name}", pixels=pixels, labels=labels)


def _piece(rng: np.random.Generator, donor: Item, host_side: int) -> _Piece | None:
    """A random object of `donor` at a random size and pose."""
    box = _whole_object(rng, donor)
    if box is None:
        return None
    value, (x0, y0, x1, y1) = box
    size = max(x1 - x0, y1 - y0)
    scale = host_side / max(donor.labels.shape) * np.exp(rng.uniform(np.log(0.5), np.log(1.4)))
    scale = min(scale, _LARGEST_SHARE * host_side / size)
    if size * scale < _SMALLEST_SIDE:
        return None
    margin = rng.uniform(0.2, 0.4) * size * scale + 2
    side = int(np.ceil(1.45 * size * scale + 2 * margin))
    turn = float(rng.uniform(-1, 1)) * _TURN.get(donor.modality, np.pi)
    rows, cols = _source_places(rng, side, scale, ((y0 + y1) / 2, (x0 + x1) / 2), turn)

    def sampled(plane: NDArray, order: int) -> NDArray:
        return ndimage.map_coordinates(plane, (rows, cols), order=order, cval=0, prefilter=False)

    planes = np.atleast_3d(donor.pixels)
    pixels = np.stack([sampled(planes[:, :, i].astype(np.float32), 1) for i in range(planes.shape[2])], 2)
    mask = sampled((donor.labels == value).astype(np.float32), 1) > 0.5
    alone = (donor.labels == 0) | (donor.labels == value)
    usable = sampled((alone & _lit(donor.pixels)).astype(np.uint8), 0) > 0
    return _trimmed(_Piece(pixels, mask, usable, margin))


def _whole_object(rng: np.random.Generator, donor: Item) -> tuple[int, tuple[int, int, int, int]] | None:
    """Label and box of an object that the picture's edge doesn't cut; one component only."""
    parts, _ = ndimage.label(donor.labels)
    found = ndimage.find_objects(parts)
    height, width = donor.labels.shape
    for index in rng.permutation(len(found)):
        rows, cols = found[index]
        inside = rows.start > 1 and cols.start > 1 and rows.stop < height - 1 and cols.stop < width - 1
        values = np.unique(donor.labels[rows, cols][parts[rows, cols] == index + 1])
        if inside and len(values) == 1 and min(rows.stop - rows.start, cols.stop - cols.start) >= _SMALLEST_SIDE:
            others = bounds(donor.labels == values[0])
            box = (cols.start, rows.start, cols.stop, rows.stop)
            if others == box:
                return int(values[0]), box
    return None


def _source_places(
    rng: np.random.Generator, side: int, scale: float, centre: tuple[float, float], turn: float
) -> tuple[Plane, Plane]:
    """Row and column in the donor of each pixel of a square of `side` pixels round the object."""
    rows, cols = np.indices((side, side), dtype=np.float32) - np.float32((side - 1) / 2)
    stretch, mirror = np.exp(rng.normal(0, 0.12)), rng.choice([-1, 1])
    y = (np.cos(turn) * rows + np.sin(turn) * cols) / (scale * stretch)
    x = mirror * (np.cos(turn) * cols - np.sin(turn) * rows) / (scale / stretch)
    strength = rng.uniform(0, 0.06) * side / scale
    bend = [ndimage.zoom(rng.normal(0, 1, (4, 4)), side / 4, order=1, grid_mode=True, mode="nearest") for _ in "yx"]
    bend_y, bend_x = (ndimage.uniform_filter(b[:side, :side], max(3, side // 6)).astype(np.float32) for b in bend)
    return y + np.float32(centre[0]) + strength * bend_y, x + np.float32(centre[1]) + strength * bend_x


def _trimmed(piece: _Piece) -> _Piece | None:
    box = bounds(piece.mask)
    if box is None:
        return None
    edge = int(np.ceil(piece.margin))
    window = np.s_[max(0, box[1] - edge) : box[3] + edge, max(0, box[0] - edge) : box[2] + edge]
    return _Piece(piece.pixels[window], piece.mask[window], piece.usable[window], piece.margin)


def _lit(pixels: NDArray[np.uint8]) -> Mask:
    """Where the picture shows something: not the black frame, which touches the picture's edge."""
    grey = pixels if pixels.ndim == 2 else pixels.max(2)
    dark, count = ndimage.label(ndimage.uniform_filter(grey.astype(np.float32), 7, mode="nearest") <= _DARK)
    frame = np.zeros(count + 1, bool)
    frame[np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])] = True
    frame[0] = False
    return ~frame[dark]


def _place(rng: np.random.Generator, piece: _Piece, labels: NDArray[np.uint8], lit: Mask) -> tuple[int, int] | None:
    """Upper left corner of a free place; sometimes the picture's frame cuts the object."""
    free_rows, free_cols = labels.shape[0] - piece.mask.shape[0], labels.shape[1] - piece.mask.shape[1]
    shown_least = 0.7 if rng.random() < 0.25 else 0.99
    if free_rows < 0 or free_cols < 0:
        return None
    core = piece.mask
    for _ in range(_ATTEMPTS):
        top, left = int(rng.integers(free_rows + 1)), int(rng.integers(free_cols + 1))
        window = np.s_[top : top + core.shape[0], left : left + core.shape[1]]
        if not labels[window][core].any() and (lit[window] & piece.usable)[core].mean() >= shown_least:
            return top, left
    return None


def _tint(rng: np.random.Generator, piece: _Piece, under: NDArray[np.uint8], free: Mask) -> Plane | None:
    """Factors by channel that bring the donor's surroundings most of the way to the host's; None if too far off."""
    around = ndimage.binary_dilation(piece.mask, iterations=max(2, int(piece.margin / 2)))
    ring = around & ~piece.mask & piece.usable & free
    if not ring.any():
        return None
    ratio = (np.atleast_3d(under)[ring].mean(0) + 4) / (piece.pixels[ring].mean(0) + 4)
    brightness = float(np.exp(np.log(ratio).mean()))
    if not 1 / _LARGEST_GAIN < brightness < _LARGEST_GAIN:
        return None
    hue = np.clip(ratio / brightness, 0.8, 1.25) ** rng.uniform(0.5, 1)
    return (brightness ** rng.uniform(0.7, 1) * hue).astype(np.float32)


def _blend(piece: _Piece, tint: Plane, under: NDArray[np.uint8], free: Mask) -> NDArray[np.uint8]:
    """The piece over `under`, uint8 of its shape: fine bands meet near the object, coarse ones farther out."""
    away = ndimage.distance_transform_edt(~piece.mask).astype(np.float32) / np.float32(piece.margin)
    allowed = (piece.usable & free).astype(np.float32)
    allowed = np.minimum(allowed, ndimage.gaussian_filter(allowed, 1.0))
    above, below = piece.pixels * tint, np.atleast_3d(under).astype(np.float32)
    total = np.zeros_like(below)
    for i, reach in enumerate(_REACH):
        near = np.clip(1 - away / reach, 0, 1)
        weight = (near * near * (3 - 2 * near) * allowed)[:, :, None]
        if i < len(_BANDS):
            sigma = _BANDS[i] * piece.margin
            smooth_above, smooth_below = (
                ndimage.gaussian_filter(p, (sigma, sigma, 0), truncate=2.5) for p in (above, below)
            )
        else:
            smooth_above, smooth_below = np.zeros_like(above), np.zeros_like(below)
        total += weight * (above - smooth_above) + (1 - weight) * (below - smooth_below)
        above, below = smooth_above, smooth_below
    return np.clip(total + 0.5, 0, 255).astype(np.uint8).reshape(under.shape)
