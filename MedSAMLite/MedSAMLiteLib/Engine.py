"""Models, embedding cache and segmenters as the worker thread uses them; touches no MRML, VTK or Qt."""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from medsam_backends.cache import EmbeddingCache
from medsam_backends.propagation.base import Request
from medsam_backends.propagation.geometry import place, reference_box
from medsam_backends.registry import ModelEntry, find_model
from medsam_backends.segmenter import VolumeSegmenter
from medsam_backends.types import Point, Prompt

__all__ = ["Clicks", "Engine", "View"]

_SEGMENTERS_KEPT = 4
_LEAST_SECTION = 0.35
"""A preview's box never shrinks below this part of the user's, as in the default propagation rule."""


@dataclass(frozen=True, eq=False)
class View:
    """A volume as one job sees it: voxels, intensities and model, fixed when the job is made.

    Attributes
    ----------
    array : (K, J, I[, C]); a view of the node's voxels, never written to
    fingerprint : changes when the voxels do
    """

    array: Any = field(repr=False)
    fingerprint: str
    axis: str
    preset: str
    level: float | None
    width: float | None
    modality: str | None
    model: str
    runtime: str
    threads: int

    @property
    def modelKey(self):
        return self.model, self.runtime, self.threads

    @property
    def key(self):
        return (self.fingerprint, self.axis, self.preset, self.level, self.width, self.modality, *self.modelKey)


@dataclass(frozen=True)
class Clicks:
    """A correction of one slice: clicks, and optionally a box, in pixels of the slice (x column, y row)."""

    points: tuple[Point, ...] = ()
    box: tuple[float, float, float, float] | None = None


class _Loaded(NamedTuple):
    """A model, and where and as what it was found."""

    backend: Any
    key: tuple
    entry: ModelEntry
    stamp: tuple

    def isFor(self, view):
        """Whether it is what `view` asks for, and still what is on disk."""
        return self.key == view.modelKey and self.stamp == self.entry.stamp()


class Engine:
    """One loaded model at a time and the last few segmenters, behind one embedding cache."""

    def __init__(self, cacheBytes):
        self.cache = EmbeddingCache(cacheBytes)
        self._loaded = None
        self._segmenters = OrderedDict()

    def setCacheBytes(self, cacheBytes):
        """Change the bound of the cache; what it holds is dropped if the bound changed."""
        if cacheBytes != self.cache.max_bytes:
            self.cache = EmbeddingCache(cacheBytes)
            self._segmenters.clear()

    def isCached(self, view, index):
        """Whether a preview of this slice needs no encoding; answers at once, from any thread."""
        segmenter = self._segmenters.get(view.key)
        return segmenter is not None and segmenter.model.key(index) in self.cache

    def picture(self, view, index):
        """The slice as the model sees it, (H, W) or (H, W, 3) uint8."""
        return self._segmenter(view).model.picture(index)

    def prepare(self, view, indices, isCancelled):
        """Encode slices until something else is to be done or the cache is half full, so that nothing is pushed out."""
        model = self._segmenter(view).model
        for index in indices:
            if isCancelled() or 2 * self.cache.counters.size_bytes >= self.cache.max_bytes:
                return
            model.embedding(index)

    def preview(self, view, index, box):
        """The mask of one slice of `box` from its cross-section there: (H, W) bool and the predicted IoU."""
        segmenter = self._segmenter(view)
        edges, first, last = box.plane(view.axis)
        section = reference_box(Request(edges, first, last), {}, index, _LEAST_SECTION) if last > first else edges
        prediction = segmenter.preview(index, Prompt(section, position=place(index, first, last)))
        return prediction.mask, prediction.iou

    def segment(self, view, targets, rule, progress, cancelled):
        """Identity of the model, and a segment for every target, see `VolumeSegmenter.segment`."""
        segmenter = self._segmenter(view)
        segments = segmenter.segment(targets, rule=rule, progress=progress, cancelled=cancelled)
        return segmenter.backend.spec.identity, segments

    def correct(self, view, segment, index, clicks, rule, progress, cancelled):
        """Identity of the model, and the segment with the neighbourhood of a corrected slice run again.

        A model that takes points is given them beside the user's box; whether with the present mask is
        the rule's to decide; one that takes none is given the box that the clicks make of the present mask,
        and that mask as prior where it takes one.
        """
        segmenter = self._segmenter(view)
        segment = _coveringSlice(segment, index, view.axis)
        mask = segment.plane(index, segmenter.stack.shape[1:])
        edges, first, last = segment.target.box.plane(view.axis)
        before = segment.target.keys.get(index)
        points = (*(before.points if before else ()), *clicks.points)
        box, uses = before.box if before else edges, segmenter.backend.spec.prompts
        position = place(index, first, last)
        if clicks.box is not None or "points" in uses:
            prompt = Prompt(clicks.box or box, points=points if "points" in uses else (), position=position)
        else:
            prior = mask if mask.any() and "prior" in uses else None
            prompt = Prompt(boxFromClicks(mask, box, clicks.points), prior=prior, position=position)
        done = segmenter.correct(segment, index, prompt, rule=rule, progress=progress, cancelled=cancelled)
        return segmenter.backend.spec.identity, [done]

    def forget(self, isKept=lambda fingerprint: False):
        """Let go of the voxels and embeddings of volumes that are not kept."""
        for key in [key for key in list(self._segmenters) if not isKept(key[0])]:
            self._segmenters.pop(key, None)
        self.cache.discard(lambda key: not isKept(key[0]))

    def close(self):
        """Free the model and the cache."""
        self._unload()
        self.cache.clear()

    def _load(self, view):
        if self._loaded is None or not self._loaded.isFor(view):
            self._unload()
            entry = find_model(view.model)
            stamp = entry.stamp()  # first: what is replaced while it is read is read again
            self._loaded = _Loaded(entry.open(view.runtime, view.threads), view.modelKey, entry, stamp)
        return self._loaded.backend

    def _unload(self):
        self._segmenters.clear()
        if self._loaded is not None:
            self._loaded.backend.close()
        self._loaded = None

    def _segmenter(self, view):
        backend = self._load(view)
        segmenter = self._segmenters.pop(view.key, None)  # put back as the one used last
        if segmenter is None:
            segmenter = VolumeSegmenter(
                backend,
                view.array,
                axis=view.axis,
                preset=view.preset,
                level=view.level,
                width=view.width,
                modality=view.modality,
                cache=self.cache,
                fingerprint=view.fingerprint,
            )
        self._segmenters[view.key] = segmenter
        if len(self._segmenters) > _SEGMENTERS_KEPT:
            self._segmenters.popitem(last=False)
        return segmenter


def boxFromClicks(mask, userBox, points):
    """The box of the mask grown to hold the positive clicks and cut, on the nearest side, by the negative ones.

    Parameters
    ----------
    mask : (H, W) bool
    userBox : edges used when the mask is empty
    points : clicks of this correction
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1] if rows.size else list(userBox)
    for point in points:
        x, y = np.floor(point.x), np.floor(point.y)
        if point.positive:
            box = [min(box[0], x), min(box[1], y), max(box[2], x + 1), max(box[3], y + 1)]
            continue
        sides = (x + 1 - box[0], y + 1 - box[1], box[2] - x, box[3] - y)  # pixels lost by cutting there
        inside = min(sides) > 0
        cut = int(np.argmin(sides))
        length = box[2] - box[0] if cut % 2 == 0 else box[3] - box[1]
        if inside and sides[cut] < length:
            box[cut] = (x + 1, y + 1, x, y)[cut]
    return tuple(float(edge) for edge in box)


def _coveringSlice(segment, index, axis):
    """The segment with its box stretched to hold slice `index`, so that a correction may lie beyond it."""
    n = "ijk".index(axis)
    box = segment.target.box
    first, last = min(index, box.first[n]), max(index, box.last[n])
    if (first, last) == (box.first[n], box.last[n]):
        return segment
    names = ("i0", "j0", "k0"), ("i1", "j1", "k1")
    stretched = replace(box, **{names[0][n]: first, names[1][n]: last})
    return replace(segment, target=replace(segment.target, box=stretched))
