"""Segments a volume from boxes: the one class that ties intensities, slices, cache and propagation together.

::

    image = read_image("ct.nii.gz")
    segmenter = VolumeSegmenter(open_model(), image.array, preset="abdomen")
    [liver] = segmenter.segment([Target(VoxelBox(60, 80, 10, 220, 210, 55), name="liver")])
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .backend import Backend
from .boxes import Axis
from .cache import EmbeddingCache
from .errors import PromptError
from .intensity import IntensityTransform, fit
from .mask_crops import MaskCrops
from .propagation import Request, SliceResult, get_rule
from .propagation.either_box import ROOM
from .segment import Progress, Segment, SliceReport, Target
from .slices import SliceStack
from .types import Prediction, Prompt
from .volume_slices import VolumeSlices
from .voxel_notes import voxel_notes

if TYPE_CHECKING:
    from .disk_store import DiskStore

__all__ = ["DEFAULT_CACHE_BYTES", "Progress", "Segment", "SliceReport", "Target", "VolumeSegmenter"]

DEFAULT_CACHE_BYTES = 512 * 2**20
_ROOM = "The box seems to leave room round the object, so a tighter box counted more: look whether all of it is there."


def _never() -> bool:
    return False


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
    store : keeps embeddings on disk between runs

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
        store: DiskStore | None = None,
    ) -> None:
        self.backend = backend = backend.for_modality(modality or "")
        self.axis: Axis = axis
        self.stack = SliceStack(array, axis, rgb=array.ndim == 4)
        self.transform = transform or fit(array, preset, level=level, width=width, modality=modality)
        self.cache = cache or EmbeddingCache(DEFAULT_CACHE_BYTES)
        self.model = VolumeSlices(backend, self.stack, self.transform, self.cache, fingerprint)
        self.model.store = store

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
        cancelled: Callable[[], bool] = _never,
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
        total = sum(_todo(request) for request, _ in plans)
        segments, before = [], 0
        for number, (target, (request, messages)) in enumerate(zip(targets, plans, strict=True)):
            request = replace(request, label=number + 1)

            def report(done: int, number: int = number, before: int = before) -> None:
                if progress is not None:
                    progress(Progress(before + done, total, number))

            segments.append(self._run(target, request, rule, messages, report, cancelled))
            before += _todo(request)
        return segments

    def correct(
        self,
        segment: Segment,
        index: int,
        prompt: Prompt,
        *,
        rule: str = "",
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] = _never,
    ) -> Segment:
        """Correct a segment on slice `index` and run again what lies between it and the next key slices."""
        target = replace(segment.target, keys={**segment.target.keys, index: prompt})
        request, messages = self._plan(target)
        request = replace(request, known=self._known(segment, index), label=segment.label)
        total = _todo(request)

        def report(done: int) -> None:
            if progress is not None:
                progress(Progress(done, total, 0))

        return self._run(target, request, rule, messages, report, cancelled)

    def _plan(self, target: Target) -> tuple[Request, tuple[str, ...]]:
        k, j, i = self.stack.array.shape[:3]
        box, was_clipped = target.box.clipped((i, j, k))
        edges, first, last = box.plane(self.axis)
        for index in target.keys:
            if not first <= index <= last:
                raise PromptError(f"The key slice {index} lies outside the box, whose slices are {first} to {last}.")
        clipped = ("The box reached beyond the image and was clipped to it.",) if was_clipped else ()
        notes = voxel_notes(self.stack, box, self.transform)
        return Request(edges, first, last, dict(target.keys)), (*clipped, *notes)

    def _run(
        self,
        target: Target,
        request: Request,
        rule: str,
        messages: tuple[str, ...],
        report: Callable[[int], None],
        cancelled: Callable[[], bool],
    ) -> Segment:
        start, before = time.perf_counter(), self.model.timings
        crops = MaskCrops()
        reports: dict[int, SliceReport] = {}

        def keep(result: SliceResult) -> None:
            crops.put(result.index, result.mask)
            pixels, key = crops.pixels(result.index), result.index in target.keys
            reports[result.index] = SliceReport(result.index, result.confidence, pixels, result.note, key)

        for result in request.known.values():
            keep(result)
        fresh: set[int] = set()
        self.model.cancelled = cancelled
        try:
            for result in get_rule(rule or self.backend.spec.rule)(request, self.model):
                self.model.check_cancelled()
                keep(result)
                if request.first <= result.index <= request.last:  # some published rules go a slice further
                    fresh.add(result.index)
                report(len(fresh))
        finally:
            self.model.forget_expected()
            self.model.cancelled = _never  # a preview that follows is not of this run
        crop, (first, row, column) = crops.together()
        i, j, k = self.stack.to_volume_index(first, row, column)
        if any(report.note == ROOM for report in reports.values()):
            messages = (*messages, _ROOM)
        return Segment(
            target.name,
            target,
            self.stack.to_volume(crop),
            (k, j, i),
            self.axis,
            tuple(reports[n] for n in sorted(reports)),
            self.model.timings - before,
            time.perf_counter() - start,
            messages,
            request.label,
        )

    def _known(self, segment: Segment, index: int) -> Mapping[int, SliceResult]:
        """Results that a correction of slice `index` leaves alone: those beyond the next key slices.

        Where a tighter box counted more, the slice on which the box was drawn is none: the correction may refute it.
        """
        keys = segment.target.keys
        if any(report.note == ROOM for report in segment.slices):
            edges = segment.target.box.plane(self.axis)[0]
            keys = {n: key for n, key in keys.items() if not key.only_says(edges)}
        before = max((key for key in keys if key < index), default=-1)
        after = min((key for key in keys if key > index), default=self.stack.shape[0])
        kept = {report.index: report for report in segment.slices if not before < report.index < after}
        return _Known(segment, kept, self.stack.shape[1:])


def _todo(request: Request) -> int:
    """Slices of the box that are not known yet."""
    return sum(index not in request.known for index in range(request.first, request.last + 1))


@dataclass(frozen=True, eq=False)
class _Known(Mapping[int, SliceResult]):
    """Results of a segment, a full-size mask made only when it is looked at."""

    segment: Segment
    reports: Mapping[int, SliceReport]
    size: tuple[int, int]

    def __getitem__(self, index: int) -> SliceResult:
        report = self.reports[index]
        return SliceResult(index, self.segment.plane(index, self.size), report.confidence, report.note)

    def __contains__(self, index: object) -> bool:
        return index in self.reports

    def __iter__(self) -> Iterator[int]:
        return iter(self.reports)

    def __len__(self) -> int:
        return len(self.reports)
