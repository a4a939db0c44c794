"""Segments the labels of one case with one model, timed, and lets it be corrected.  Writes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..backend import Backend
from ..boxes import VoxelBox
from ..cache import EmbeddingCache
from ..intensity import fit
from ..segmenter import Segment, Target, VolumeSegmenter
from ..types import Prompt
from .cases import Case, CaseData
from .clicks import correct_picture, correct_volume

__all__ = ["Found", "segment_case"]


@dataclass(frozen=True, eq=False)
class Found:
    """What a model found in one box.

    Attributes
    ----------
    mask : bool, (H, W), or a crop of the volume beginning at `origin` (k, j, i)
    iou : the model's own estimate, in [0, 1]
    seconds, encode_s, decode_s : the first label bears what the labels of a case share; without corrections
    clicks : DSC after each simulated correction; empty when there is none
    """

    label: int
    mask: NDArray[np.bool_]
    origin: tuple[int, ...]
    iou: float
    seconds: float
    encode_s: float
    decode_s: float
    clicks: tuple[float, ...] = ()

    def full(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """The mask at the case's size."""
        out = np.zeros(shape, bool)
        places = (slice(o, o + length) for o, length in zip(self.origin, self.mask.shape, strict=True))
        out[tuple(places)] = self.mask
        return out


def segment_case(
    backend: Backend,
    case: Case,
    data: CaseData,
    boxes: Mapping[int, tuple[float, ...]],
    rule: str,
    cache: EmbeddingCache,
    clicks: int = 0,
) -> list[Found]:
    """Segment every box of a case; pictures are encoded whole, volumes go through the propagation `rule`.

    Parameters
    ----------
    clicks : simulated corrections of every label

    Raises
    ------
    PromptError
        If a box does not fit the image.
    """
    if data.is_picture:
        return _picture(backend, case, data, boxes, clicks)
    start = time.perf_counter()
    segmenter = VolumeSegmenter(backend, data.image, preset=case.preset(data.image), cache=cache)
    prepare_s = time.perf_counter() - start
    targets = [Target(VoxelBox.from_sequence(box), str(label)) for label, box in boxes.items()]
    segments = segmenter.segment(targets, rule=rule)
    found = [
        _of_segment(label, segment, 0.0 if number else prepare_s)
        for number, (label, segment) in enumerate(zip(boxes, segments, strict=True))
    ]
    if not clicks:
        return found
    corrected = (
        correct_volume(segmenter, segment, data.truth == one.label, clicks, rule)
        for one, segment in zip(found, segments, strict=True)
    )
    return [replace(one, clicks=scores) for one, scores in zip(found, corrected, strict=True)]


def _of_segment(label: int, segment: Segment, extra_s: float) -> Found:
    spent = segment.timings
    seconds = segment.elapsed_s + extra_s
    return Found(label, segment.mask, segment.origin, segment.confidence, seconds, spent.encode_s, spent.decode_s)


def _picture(
    backend: Backend, case: Case, data: CaseData, boxes: Mapping[int, tuple[float, ...]], clicks: int
) -> list[Found]:
    start = time.perf_counter()
    picture = fit(data.image[None], case.preset(data.image)).apply(data.image)
    before = time.perf_counter()
    embedding = backend.encode(picture)
    encode_s, found = time.perf_counter() - before, []
    for label, (x0, y0, x1, y1) in boxes.items():
        asked, prompt = time.perf_counter(), Prompt((x0, y0, x1, y1))
        [prediction] = backend.decode(embedding, [prompt])
        now = time.perf_counter()
        scores = correct_picture(backend, embedding, prompt, prediction, data.truth == label, clicks)
        times = (now - start, encode_s, now - asked)
        found.append(Found(label, prediction.mask, (0, 0), prediction.iou, *times, scores))
        start, encode_s = time.perf_counter(), 0.0
    return found
