"""The tables that a cohort leaves: ``batch.csv`` a case, ``segments.csv`` a segment, ``failed.csv`` a failure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..csv_table import CsvForm, write_csv
from ..source_files import SourceFiles
from .run import Outcome
from .table import Problem

__all__ = ["check_tables", "write_tables"]

_TIMES = ("load", "encode", "decode", "other", "total")
_CASES = ("line", "image", "output", "state", "attempts", "segments", "model", *(f"{time}_s" for time in _TIMES))
_SEGMENTS = ("line", "image", "output", "segment", "name", "voxels", "volume_ml", "area_mm2", "confidence", "messages")


def check_tables(folder: Path, cases: Path) -> None:
    """Raise `OutputError` if one of the three would replace the table of `cases`."""
    for name in ("failed.csv", "batch.csv", "segments.csv"):
        SourceFiles([cases]).check(folder / name)


def write_tables(folder: Path, outcomes: Sequence[Outcome], problems: Sequence[Problem], form: CsvForm) -> None:
    """Replace the three tables of the folder, in the form of the cohort's; raises `OutputError` if that fails."""
    outcomes = sorted(outcomes, key=lambda outcome: outcome.case.line)
    write_csv(folder / "failed.csv", ("line", "image", "output", "reason"), map(_failure, problems), form)
    write_csv(folder / "batch.csv", (*_CASES, "worker", "worker_peak_mib", "messages"), map(_case, outcomes), form)
    write_csv(folder / "segments.csv", _SEGMENTS, (row for outcome in outcomes for row in _segments(outcome)), form)


def _failure(problem: Problem) -> list[object]:
    return [problem.line, problem.image, problem.output, problem.reason]


def _case(outcome: Outcome) -> list[object]:
    report = outcome.report
    return [
        *_place(outcome),
        *(outcome.state, outcome.attempts, len(report["segments"]), report["model"]["id"]),
        *(report["time_s"][time] for time in _TIMES),
        *(outcome.worker or "", report["peak_memory_mib"], " ".join(report["messages"])),
    ]


def _segments(outcome: Outcome) -> list[list[object]]:
    return [
        [
            *(*_place(outcome), number, segment["name"], segment["voxels"]),
            *(_rounded(segment["volume_ml"]), _rounded(segment.get("area_mm2"))),
            *(segment["confidence"], " ".join(segment["messages"])),
        ]
        for number, segment in enumerate(outcome.report["segments"], start=1)
    ]


def _rounded(size: float | None) -> float | str:
    return "" if size is None else round(size, 4)


def _place(outcome: Outcome) -> tuple[int, str, str]:
    return outcome.case.line, outcome.case.named, outcome.case.output
