"""Segments a volume from boxes: the one class that ties intensities, slices, cache and propagation together.

::

    image = read_image("ct.nii.gz")
    segmenter = VolumeSegmenter(open_model(), image.array, preset="abdomen")
    [liver] = segmenter.segment([Target(VoxelBox(60, 80, 10, 220, 210, 55), name="liver")])
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .backend import Backend
from .boxes import VoxelBox
from .cache import EmbeddingCache
from .errors import PromptError
from .intensity import IntensityTransform, fit
from .propagation import Request, SliceResult, get_rule
from .slices import SliceStack
from .types import Box, Prediction, Prompt
from .volume_slices import Timings, VolumeSlices

__all__ = ["DEFAULT_CACHE_BYTES", "Progress", "Segment", "SliceReport", "Target", "VolumeSegmenter"]

DEFAULT_CACHE_BYTES = 512 * 2**20
Axis = Literal["i", "j", "k"]


@dataclass(frozen=True)
class Target:
    """One object to segment.

    Attributes
    ----------
    box : first and last voxel of the object along i, j and k
    keys : further prompts on single slices of the propagation axis: a box drawn there, or clicks
    """

    box: VoxelBox
    name: str = ""
    keys: Mapping[int, Prompt] = field(default_factory=dict)


@dataclass(frozen=True)
class SliceReport:
    """What happened on one slice: its index, the confidence in [0, 1], pixels, and why it stands out."""

    index: int
    confidence: float
    pixels: int
    note: str = ""
    key: bool = False


@dataclass(frozen=True, eq=False)
class Segment:
    """A segmented object, as a crop of the volume.

    Attributes
    ----------
    mask : bool, cropped to the object, axes (k, j, i) like the volume's array
    origin : (k, j, i) of the crop's first voxel
    axis : the axis it was propagated along
    slices : a report a slice of that axis
    """

    name: str
    target: Target
    mask: NDArray[np.bool_]
    origin: tuple[int, int, int]
    axis: Axis
    slices: tuple[SliceReport, ...]
    timings: Timings
    elapsed_s: float
    messages: tuple[str, ...] = ()

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return int(np.count_nonzero(self.mask))

    @property
    def confidence(self) -> float:
        """Mean confidence over the slices, weighted by their pixels; 0 when empty."""
        weights = np.array([report.pixels for report in self.slices], np.float64)
        if weights.sum() == 0:
            return 0.0
        return float(np.average([report.confidence for report in self.slices], weights=weights))

    def full(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """The mask at the size of the volume, (K, J, I) bool."""
        out = np.zeros(shape[:3], bool)
        k, j, i = self.origin
        depth, rows, columns = self.mask.shape
        out[k : k + depth, j : j + rows, i : i + columns] = self.mask
        return out


@dataclass(frozen=True)
class Progress:
    """Slices done of all slices to do, and the object at work."""

    done: int
    total: int
    target: int


class VolumeSegmenter:
    """Segments objects of one volume with one model.

    Parameters
    ----------
    backend : any model
    array : (K, J, I) or (K, J, I, 3 or 4) array, any real dtype; never written to, never copied
    axis : slices are perpendicular to it
    preset, level, width, modality : see `intensity.fit`; or give a fitted `transform`
    cache : embeddings shared with other segmenters; its own of 512 MB otherwise
    fingerprint : identifies the voxels in a shared cache; must change when they do

    Raises
    ------
    InputError
        If the array cannot be segmented.
    """

    def __init__(
        self,
        backend: Backend,
        array: NDArray[np.generic],
        *,
        axis: Axis = "k",
        preset: str = "auto",
        level: float | None = None,
        width: float | None = None,
        modality: str | None = None,
        transform: IntensityTransform | None = None,
        cache: EmbeddingCache | None = None,
        fingerprint: str = "",
    ) -> None:
        self.backend = backend
        self.axis: Axis = axis
        self.stack = SliceStack(array, axis, rgb=array.ndim == 4)
        self.transform = transform or fit(array, preset, level=level, width=width, modality=modality)
        self.cache = cache or EmbeddingCache(DEFAULT_CACHE_BYTES)
        self.model = VolumeSlices(backend, self.stack, self.transform, self.cache, fingerprint)

    def preview(self, index: int, prompt: Prompt) -> Prediction:
        """Segment one slice, at once if it was encoded before.

        Raises
        ------
        PromptError
            If the slice or the box lies outside the volume.
        """
        if not 0 <= index < self.stack.shape[0]:
            raise PromptError(f"There is no slice {index}: the volume has slices 0 to {self.stack.shape[0] - 1}.")
        return self.model.predict(index, [prompt])[0]

    def segment(
        self,
        targets: Sequence[Target],
        *,
        rule: str = "",
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Segment]:
        """Segment every target; all share the encoded slices.

        Parameters
        ----------
        rule : name of a propagation rule; the model's own when empty
        progress : called after every slice
        cancelled : asked at every slice; `Cancelled` is raised when it says so

        Raises
        ------
        PromptError
            If a box lies outside the volume or the rule is unknown.
        Cancelled
            If `cancelled` said so; nothing is returned then.
        """
        plans = [self._plan(target) for target in targets]
        total = sum(request.last - request.first + 1 for request, _ in plans)
        self.model.cancelled = cancelled
        segments, before = [], 0
        for number, (target, (request, messages)) in enumerate(zip(targets, plans, strict=True)):
            request = replace(request, label=number + 1)

            def report(done: int, number: int = number, before: int = before) -> None:
                if progress is not None:
                    progress(Progress(before + done, total, number))

            segments.append(self._run(target, request, rule, messages, report))
            before += request.last - request.first + 1
        return segments

    def correct(
        self,
        segment: Segment,
        index: int,
        prompt: Prompt,
        *,
        rule: str = "",
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Segment:
        """Correct a segment on slice `index` and run again what lies between it and the next key slices.

        The segment's own mask of that slice is the prior unless the prompt carries one.
        """
        target = replace(segment.target, keys={**segment.target.keys, index: prompt})
        request, messages = self._plan(target)
        request = replace(request, known=self._known(segment, request, index))
        self.model.cancelled = cancelled
        total = request.last - request.first + 1
        return self._run(
            target, request, rule, messages, lambda done: progress(Progress(done, total, 0)) if progress else None
        )

    def _plan(self, target: Target) -> tuple[Request, tuple[str, ...]]:
        k, j, i = self.stack.array.shape[:3]
        box, was_clipped = target.box.clipped((i, j, k))
        edges, first, last = box.plane(self.axis)
        for index in target.keys:
            if not first <= index <= last:
                raise PromptError(f"The key slice {index} lies outside the box, whose slices are {first} to {last}.")
        messages = ("The box reached beyond the image and was clipped to it.",) if was_clipped else ()
        return Request(edges, first, last, dict(target.keys)), messages

    def _run(
        self, target: Target, request: Request, rule: str, messages: tuple[str, ...], report: Callable[[int], None]
    ) -> Segment:
        start, before = time.perf_counter(), self.model.timings
        results: dict[int, SliceResult] = dict(request.known)
        fresh: set[int] = set()
        for result in get_rule(rule or self.backend.spec.rule)(request, self.model):
            results[result.index] = result
            fresh.add(result.index)
            report(len(fresh))
        mask, origin = self._collect(results, request.box)
        after = self.model.timings
        spent = Timings(
            after.encode_s - before.encode_s,
            after.decode_s - before.decode_s,
            after.encodes - before.encodes,
            after.decodes - before.decodes,
        )
        reports = tuple(
            SliceReport(n, r.confidence, int(np.count_nonzero(r.mask)), r.note, n in target.keys)
            for n, r in sorted(results.items())
        )
        elapsed = time.perf_counter() - start
        return Segment(target.name, target, mask, origin, self.axis, reports, spent, elapsed, messages)

    def _collect(
        self, results: Mapping[int, SliceResult], box: Box
    ) -> tuple[NDArray[np.bool_], tuple[int, int, int]]:
        """Cut the masks to what they hold, in the volume's own axis order."""
        found = {n: r.mask for n, r in sorted(results.items()) if r.mask.any()}
        if not found:
            return np.zeros((0, 0, 0), bool), (0, 0, 0)
        rows = np.flatnonzero(np.any([mask.any(axis=1) for mask in found.values()], axis=0))
        columns = np.flatnonzero(np.any([mask.any(axis=0) for mask in found.values()], axis=0))
        first, last = min(found), max(found)
        crop = np.zeros((last - first + 1, rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1), bool)
        for index, mask in found.items():
            crop[index - first] = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        i, j, k = self.stack.to_volume_index(first, int(rows[0]), int(columns[0]))
        return self.stack.to_volume(crop), (k, j, i)

    def _known(self, segment: Segment, request: Request, index: int) -> dict[int, SliceResult]:
        """Results that a correction of slice `index` leaves alone: those beyond the next key slices."""
        keys = segment.target.keys
        before = max((key for key in keys if key < index), default=request.first - 1)
        after = min((key for key in keys if key > index), default=request.last + 1)
        stack = SliceStack(segment.full(self.stack.array.shape), self.axis)
        return {
            report.index: SliceResult(
                report.index,
                np.array(stack.slice(report.index)),
                report.confidence,
                request.keys.get(report.index, Prompt(request.box)),
                report.note,
            )
            for report in segment.slices
            if not before < report.index < after
        }
