"""Scenes from 2-D pictures with label maps: choose a picture, place it, choose objects in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .intensity import vary
from .packed import Item, Pack
from .placement import random_placement
from .scene import Plane, Scene, Target, bounds
from .transplant import TRANSPLANTED, kind_of, transplant

__all__ = ["PictureSource", "balanced_weights", "choose_objects"]

_PART_SHARE = 0.35
_SMALLEST_AREA = 25  # pixels of a picture whose longest side is 256
_SMALL_KEPT = 0.1
_UPRIGHT = {"XRay", "Dental", "OCT", "US", "Mammography", "MR"}
_ATTEMPTS = 20
_DONORS_TRIED = 3


class PictureSource:
    """Endless scenes from the pictures `indices` of several packs.

    Parameters
    ----------
    items : (pack, index) of each picture
    weights : sampling weight of each
    transplant : probability that a picture receives an object of another one of its kind
    """

    def __init__(
        self, items: Sequence[tuple[Pack, int]], weights: NDArray[np.float64], transplant: float = 0.0
    ) -> None:
        self._items = list(items)
        self._edges = np.cumsum(weights) / np.sum(weights)
        self._transplant = transplant
        self._donors: dict[str, list[int]] = {}
        for place, (pack, index) in enumerate(self._items):
            facts = pack.items[index]
            if facts["modality"] in TRANSPLANTED:
                self._donors.setdefault(kind_of(str(facts["dataset"])), []).append(place)

    def scene(self, rng: np.random.Generator, boxes: int) -> Scene:
        """A picture with `boxes` targets."""
        for _ in range(_ATTEMPTS):
            pack, index = self._items[int(np.searchsorted(self._edges, rng.random(), side="right"))]
            item = pack[index]
            if self._transplant and item.modality in TRANSPLANTED and rng.random() < self._transplant:
                item = self._with_guest(rng, item)
            scene = _scene(rng, item, boxes)
            if scene is not None:
                return scene
        raise ValueError(f"no picture with an object in {_ATTEMPTS} attempts")

    def _with_guest(self, rng: np.random.Generator, host: Item) -> Item:
        """`host` with an object of another picture, or as it is when none fits."""
        donors = self._donors[kind_of(host.dataset)]
        for _ in range(_DONORS_TRIED):
            pack, index = self._items[donors[int(rng.integers(len(donors)))]]
            made = transplant(rng, pack[index], host)
            if made is not None:
                return made
        return host


def balanced_weights(pack_items: Sequence[dict[str, object]], balance: float) -> NDArray[np.float64]:
    """Weights that give a data set ``count ** balance``, then a modality the sum of those to `balance` again."""
    weights = np.ones(len(pack_items))
    for key in ("dataset", "modality"):
        names = np.array(
            [str(item["modality"]) + (str(item["dataset"]) if key == "dataset" else "") for item in pack_items]
        )
        _, inverse = np.unique(names, return_inverse=True)
        totals = np.bincount(inverse, weights)
        weights = weights * (totals ** (balance - 1))[inverse]
    return weights


def _scene(rng: np.random.Generator, item: Item, boxes: int) -> Scene | None:
    found = ndimage.find_objects(item.labels)
    present = [place for place in found if place is not None]
    if not present:
        return None
    rows, cols = present[int(rng.integers(len(present)))]
    keep = (cols.start, rows.start, cols.stop, rows.stop)
    placement = random_placement(rng, item.labels.shape, keep, upright=item.modality in _UPRIGHT)
    masks = choose_objects(rng, placement.labels(item.labels), boxes)
    if not masks:
        return None
    pixels = vary(rng, placement.pixels(item.pixels), grey=item.pixels.ndim == 2)
    return Scene(pixels, item.modality, [Target(mask, mask, mask) for mask in masks])


def choose_objects(rng: np.random.Generator, labels: NDArray[np.uint8], count: int) -> list[Plane]:
    """`count` masks from a label map: whole labels, and connected parts of those; [] when none is usable."""
    pixel_area = (max(labels.shape) / 256) ** 2
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    usable = [int(v) for v in np.flatnonzero(sizes >= min(_SMALLEST_AREA * pixel_area, 12))]
    large = [v for v in usable if sizes[v] >= _SMALLEST_AREA * pixel_area or rng.random() < _SMALL_KEPT]
    if not large:
        return []
    order = rng.permutation(large)
    chosen = [int(order[i % len(order)]) for i in range(count)]
    return [_object(rng, labels, value, _SMALLEST_AREA * pixel_area) for value in chosen]


def _object(rng: np.random.Generator, labels: NDArray[np.uint8], value: int, smallest_area: float) -> Plane:
    mask = labels == value
    if rng.random() >= _PART_SHARE:
        return mask
    box = bounds(mask)
    if box is None:
        return mask
    window = np.s_[box[1] : box[3], box[0] : box[2]]
    parts, found = ndimage.label(mask[window])
    if found < 2:
        return mask
    sizes = np.bincount(parts.ravel())[1:]
    large = np.flatnonzero(sizes >= smallest_area) + 1
    if large.size == 0:
        return mask
    part = np.zeros_like(mask)
    part[window] = parts == int(rng.choice(large))
    return part
