"""The table ``failures.csv``: which case which model did not come through, and why."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ..csv_table import write_csv

__all__ = ["Failure", "failures_of_others", "write_failures"]

_NAME = "failures.csv"


@dataclass(frozen=True)
class Failure:
    """A case that a model did not come through, and why."""

    case: str
    model: str
    reason: str


def failures_of_others(folder: Path, models: Collection[str]) -> list[Failure]:
    """What a former run noted there of models other than these, which are tried again; nothing if there is no table."""
    try:
        with open(folder / _NAME, newline="", encoding="utf-8") as stream:
            noted = [Failure(row["case"], row["model"], row["reason"]) for row in csv.DictReader(stream)]
    except (OSError, KeyError, csv.Error):
        return []
    return [failure for failure in noted if failure.model not in models]


def write_failures(folder: Path, failures: Iterable[Failure]) -> None:
    """Replace the table; raises `OutputError` if it cannot be written."""
    write_csv(folder / _NAME, [field.name for field in fields(Failure)], map(astuple, failures))
