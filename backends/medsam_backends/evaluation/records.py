"""The rows of ``cases.csv``: written whole, case by case, and read again when a run is taken up."""

from __future__ import annotations

import csv
import io
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from ..csv_table import write_csv
from ..errors import OutputError

__all__ = ["Journal", "Row"]


@dataclass(frozen=True)
class Row:
    """One label of one case by one model.

    Attributes
    ----------
    labels : how many labels of the case were segmented; a case is complete with as many rows
    dsc, nsd, hd95_mm, volume_difference_ml, volume_difference_percent : see `metrics.Score`
    iou : the model's own estimate of its overlap with the truth
    seconds : wall time of the label, encoding included; the case's first label bears what all share
    encode_s, decode_s : parts of it
    peak_mib : the most memory that the process held while the case was segmented, in MiB
    dsc_after_clicks : DSC after each simulated correction, separated by blanks; empty without
    """

    case: str
    modality: str
    dataset: str
    label: int
    labels: int
    model: str
    dsc: float
    nsd: float
    iou: float
    seconds: float
    encode_s: float
    decode_s: float
    hd95_mm: float = math.nan
    volume_difference_ml: float = math.nan
    volume_difference_percent: float = math.nan
    peak_mib: float = math.nan
    dsc_after_clicks: str = ""

    @property
    def clicks(self) -> tuple[float, ...]:
        """`dsc_after_clicks` as numbers."""
        return tuple(float(value) for value in self.dsc_after_clicks.split())


HEADER = tuple(field.name for field in fields(Row))
_READ = {"str": str, "int": int, "float": float}


class Journal:
    """A ``cases.csv`` that grows; what a killed run left half written is dropped on opening.

    Raises
    ------
    OutputError
        If the file is not such a table, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = _complete(_read(path)) if path.exists() else []
        write_csv(path, HEADER, (astuple(row) for row in self.rows))

    @property
    def done(self) -> set[tuple[str, str]]:
        """(case, model) of what is there."""
        return {(row.case, row.model) for row in self.rows}

    def add(self, rows: Sequence[Row]) -> None:
        """Append a case's rows in one piece and make sure that they reach the disk."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(astuple(row) for row in rows)
        try:
            with open(self.path, "a", encoding="utf-8", newline="") as stream:
                stream.write(text.getvalue())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise OutputError(f"{self.path} could not be written ({error.strerror}).") from None
        self.rows.extend(rows)


def _read(path: Path) -> list[Row]:
    text = path.read_text("utf-8")
    whole = text[: text.rfind("\n") + 1]  # a killed run may leave part of a line
    lines = list(csv.reader(io.StringIO(whole)))
    if lines and tuple(lines[0]) != HEADER:
        raise OutputError(f"{path} is not a table of this program: choose another folder.")
    return [_row(line) for line in lines[1:] if len(line) == len(HEADER)]


def _row(line: Sequence[str]) -> Row:
    values: list[Any] = [_READ[str(field.type)](text) for field, text in zip(fields(Row), line, strict=True)]
    return Row(*values)


def _complete(rows: Sequence[Row]) -> list[Row]:
    there = Counter((row.case, row.model) for row in rows)
    return [row for row in rows if there[row.case, row.model] == row.labels]
