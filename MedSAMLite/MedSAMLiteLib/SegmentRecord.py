"""What is remembered of how a segment was made, kept as a tag of the segment: it is saved and undone with it."""

import json
from dataclasses import dataclass, field

import vtk
from medsam_backends.boxes import VoxelBox, check_axis
from medsam_backends.errors import PromptError
from medsam_backends.segmenter import SliceReport
from medsam_backends.types import Point, Prompt

__all__ = ["SegmentRecord"]

_TAG = "MedSAMLite.Record"
_VERSION = 1


@dataclass(frozen=True)
class SegmentRecord:
    """Model, intensities, box and per-slice confidence behind one segment.

    Attributes
    ----------
    model : ``"id@digest"``
    intensity : text of the preset, with the window when it has one
    box, drawn : six voxel-inclusive numbers as text: the box that was segmented, and as the user had drawn it
    reports : a `SliceReport` for every slice
    keys : prompts of the slice where the user drew and of corrected ones, by slice; without prior masks
    label, messages : see `Segment`
    """

    model: str
    intensity: str
    rule: str
    axis: str
    box: str
    drawn: str
    confidence: float
    reports: tuple = ()
    keys: dict = field(default_factory=dict)
    label: int = 1
    messages: tuple = ()

    @classmethod
    def of(cls, segment):
        """The record of a vtkSegment; None if it is damaged, or MedSAMLite did not make it, or with a newer version."""
        text = vtk.reference("")
        if segment is None or not segment.GetTag(_TAG, text):
            return None
        try:
            raw = json.loads(text.get())
            return cls(**_read(raw)) if raw.pop("version", None) == _VERSION else None
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError, PromptError):
            return None  # whatever another program made of the tag: the panel shows the scene's other boxes

    def attach(self, segment):
        """Keep this record with a vtkSegment."""
        raw = {
            **self.__dict__,
            "version": _VERSION,
            "reports": [[r.index, round(r.confidence, 4), r.pixels, r.note, r.key] for r in self.reports],
            "keys": {str(index): _promptTo(key) for index, key in self.keys.items()},
        }
        segment.SetTag(_TAG, json.dumps(raw))

    def leastCertain(self, count):
        """The `count` reports with the least confidence among the slices that hold something, worst first."""
        held = [report for report in self.reports if report.pixels]
        return sorted(held, key=lambda report: (report.confidence, report.index))[:count]


def _read(raw):
    """The fields of a record from its tag; one that does not fit raises."""
    check_axis(raw["axis"])
    VoxelBox.from_sequence([int(number) for number in raw["box"].split()])
    reports = tuple(SliceReport(int(i), float(sure), int(pixels), *more) for i, sure, pixels, *more in raw["reports"])
    keys = {int(index): _promptFrom(key) for index, key in raw["keys"].items()}
    label, messages = int(raw.get("label", 1)), tuple(str(text) for text in raw.get("messages", ()))
    found = {"confidence": float(raw["confidence"]), "reports": reports, "keys": keys}
    return {**raw, **found, "label": label, "messages": messages}


def _promptTo(prompt):
    return {
        "box": list(prompt.box),
        "position": prompt.position,
        "points": [[p.x, p.y, p.positive] for p in prompt.points],
    }


def _promptFrom(raw):
    points = tuple(Point(*point) for point in raw["points"])
    return Prompt(tuple(raw["box"]), points=points, position=raw["position"])
