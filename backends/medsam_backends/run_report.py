"""What a run tells of itself: the JSON of ``--report`` and the lines on the terminal."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from . import __version__
from .image_reader import Volume
from .memory import peak_mib
from .segmentation_run import Outcome
from .segmenter import Segment

__all__ = ["as_json", "describe", "lines"]


def describe(
    outcome: Outcome, total_s: float, messages: tuple[str, ...] = (), dice: Sequence[float] | None = None
) -> dict[str, Any]:
    """The report as plain values.

    Parameters
    ----------
    total_s : seconds since the command began
    messages : sentences about the whole run, beside the image's own
    dice : of each segment with a known truth
    """
    segments = [_segment(segment, outcome.image) for segment in outcome.segments]
    for segment, score in zip(segments, dice or (), strict=dice is not None):
        segment["dice"] = round(score, 4)
    peak = peak_mib()
    image, transform, spec = outcome.image, outcome.segmenter.transform, outcome.backend.spec
    return {
        "program": {"name": "medsamlite", "version": __version__},
        "image": {
            "name": image.path.name if image.path else "",  # a path may hold a patient's name
            "size": image.size_ijk,
            "spacing_mm": image.spacing_mm,
            "modality": image.modality,
        },
        "model": {
            "id": spec.id,
            "name": spec.name,
            "version": spec.version,
            "licence": spec.licence,
            "digest": spec.digest,
        },
        "rule": outcome.rule,
        "axis": outcome.segmenter.axis,
        "preset": transform.name,
        "window": [transform.low, transform.high],
        "segments": segments,
        "messages": [*image.notes, *messages, *_namesakes(outcome.segments)],
        "time_s": _times(outcome, total_s),
        "cache": asdict(outcome.segmenter.cache.counters),
        "peak_memory_mib": None if math.isnan(peak) else round(peak, 1),
    }


def as_json(report: Any) -> bytes:
    """UTF-8 JSON, indented."""
    return (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode()


def lines(report: dict[str, Any]) -> Iterator[str]:
    """A line a segment, for people."""
    width = max(len(segment["name"]) for segment in report["segments"])
    for segment in report["segments"]:
        dice = f"  Dice {segment['dice']:.3f}" if "dice" in segment else ""
        yield (
            f"{segment['name']:<{width}}  {segment['voxels']:>9} {_size(segment)}  "
            f"confidence {segment['confidence']:.2f}{dice}"
        )


def _size(segment: dict[str, Any]) -> str:
    """What is counted, and as much of its physical size as is known."""
    if segment["volume_ml"] is not None:
        return f"voxels  {segment['volume_ml']:>9.2f} ml"
    return "pixels" if segment["area_mm2"] is None else f"pixels  {segment['area_mm2']:>9.2f} mm2"


def _namesakes(segments: Sequence[Segment]) -> Iterator[str]:
    for name, count in Counter(segment.name for segment in segments).items():
        if count > 1:
            yield f"{count} segments have the name '{name}': only their order tells them apart."


def _segment(segment: Segment, image: Volume) -> dict[str, Any]:
    box, area = segment.target.box, image.pixel_mm2
    return {
        "name": segment.name,
        "box": [*box.first, *box.last],
        "voxels": segment.voxels,
        "volume_ml": None if image.size_ijk[2] == 1 else segment.voxels * image.voxel_ml,
        "area_mm2": None if area is None else segment.voxels * area,
        "confidence": round(segment.confidence, 4),
        "slices": [{**asdict(report), "confidence": round(report.confidence, 4)} for report in segment.slices],
        "messages": [*segment.messages, *([] if segment.voxels else ["Nothing was found in this box."])],
    }


def _times(outcome: Outcome, total_s: float) -> dict[str, float]:
    """Seconds of the whole run; what threads did at the same time counts once, so that the stages add up to it."""
    spent = outcome.segmenter.model.timings
    share = spent.busy_s / max(spent.encode_s + spent.decode_s, 1e-9)
    named = {"load": outcome.load_s, "encode": share * spent.encode_s, "decode": share * spent.decode_s}
    times = {**named, "other": max(0.0, total_s - sum(named.values())), "total": total_s}
    return {name: round(seconds, 4) for name, seconds in times.items()}
