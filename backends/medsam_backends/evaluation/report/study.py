"""Everything that a report is made of, read from one or several evaluation folders.  Draws nothing."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from ...errors import InputError
from ..failures import failures_of_others
from ..records import Row
from ..summary import MEAN, Mean, summarise

__all__ = ["CaseScore", "Folder", "Study", "kind_of", "read_study"]

_READ: dict[str, Callable[[str], object]] = {"str": str, "int": int, "float": float}
_NEEDED = {"case", "modality", "dataset", "label", "model", "dsc", "nsd", "seconds"}


@dataclass(frozen=True)
class CaseScore:
    """One case by one model: means over its labels, NaN where no label has a score; seconds of all together.

    Attributes
    ----------
    hd95 : mean over labels, in mm, or in pixels of a picture; infinite where a label was missed
    peak_mib : the most memory that was held, in MiB
    clicks : DSC with the box alone and after each simulated correction; empty where none was made

    What an older program did not measure is NaN.
    """

    case: str
    modality: str
    model: str
    labels: int
    dsc: float
    nsd: float
    seconds: float
    hd95: float
    peak_mib: float
    clicks: tuple[float, ...] = ()

    @property
    def kind(self) -> str:
        """``"pictures"`` or ``"volumes"``."""
        return kind_of(self.case)


@dataclass(frozen=True)
class Folder:
    """An evaluation's folder, its settings, and why cases failed: ``case, model, reason``."""

    path: Path
    settings: dict[str, Any]
    failures: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Study:
    """Scores of several models.

    Attributes
    ----------
    rows : a label of a case by a model each
    folders : where they come from
    """

    rows: list[Row]
    folders: list[Folder]

    @cached_property
    def cases(self) -> list[CaseScore]:
        """A score for each case and model."""
        found: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.rows:
            found[row.case, row.model].append(row)
        return [_case(rows) for rows in found.values()]

    @cached_property
    def seen(self) -> list[str]:
        """Models in the order of the tables, which keep it when a model is added."""
        return list(dict.fromkeys(row.model for row in self.rows))

    @cached_property
    def models(self) -> list[str]:
        """Models, the best mean DSC first."""
        best = {mean.model: mean.dsc for mean in self.means("") if mean.modality == MEAN}
        return sorted(self.seen, key=lambda model: 1.0 if math.isnan(best[model]) else -best[model])

    @cached_property
    def modalities(self) -> list[str]:
        """Modalities by name."""
        return sorted({row.modality for row in self.rows}, key=str.casefold)

    @cached_property
    def kinds(self) -> list[str]:
        """Which of ``"pictures"`` and ``"volumes"`` there are."""
        return sorted({kind_of(row.case) for row in self.rows})

    @property
    def failures(self) -> list[tuple[str, str, str]]:
        """``case, model, reason`` of what no folder has a score for."""
        done = {(row.case, row.model) for row in self.rows}
        return [failure for folder in self.folders for failure in folder.failures if failure[:2] not in done]

    def means(self, kind: str) -> list[Mean]:
        """Means as in ``summary.csv``, of pictures or volumes alone or, when `kind` is empty, of all."""
        return summarise([row for row in self.rows if not kind or kind_of(row.case) == kind])

    def of(self, model: str, modality: str = "", kind: str = "") -> list[CaseScore]:
        """A model's cases, of one modality or kind where named."""
        return [
            case
            for case in self.cases
            if case.model == model and modality in ("", case.modality) and kind in ("", case.kind)
        ]

    @cached_property
    def uneven(self) -> dict[str, int]:
        """How many of the study's cases a model has no score for, where that is any."""
        every = {case.case for case in self.cases}
        missing = {model: len(every - {case.case for case in self.of(model)}) for model in self.models}
        return {model: count for model, count in missing.items() if count}


def read_study(paths: Sequence[Path]) -> Study:
    """Read evaluation folders.

    Raises
    ------
    InputError
        If a folder holds no scores, or two folders score one case by one model.
    """
    rows: list[Row] = []
    folders: list[Folder] = []
    owner: dict[tuple[str, str], Path] = {}
    for path in paths:
        found = _rows(path / "cases.csv")
        for row in found:
            first = owner.setdefault((row.case, row.model), path)
            if first != path:
                raise InputError(f"{row.case} by {row.model} is in {first} and in {path}: name one of them.")
        rows += found
        folders.append(Folder(path, _settings(path / "settings.json"), _failures(path)))
    return Study(rows, folders)


def _case(rows: Sequence[Row]) -> CaseScore:
    first = rows[0]
    peaks = [row.peak_mib for row in rows if not math.isnan(row.peak_mib)]
    after = [(row.dsc, *row.clicks) for row in rows if row.clicks]
    return CaseScore(
        *(first.case, first.modality, first.model, len(rows)),
        *(_mean(row.dsc for row in rows), _mean(row.nsd for row in rows), sum(row.seconds for row in rows)),
        *(_mean(row.hd95_mm for row in rows), max(peaks, default=math.nan)),
        tuple(_mean(values) for values in zip(*after, strict=True)) if len(after) == len(rows) else (),
    )


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan


def kind_of(case: str) -> str:
    """``"pictures"`` or ``"volumes"``, by the case's name."""
    return "pictures" if case.startswith("2DBox_") else "volumes"


def _table(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _rows(path: Path) -> list[Row]:
    """The table by the names of its columns: those that an older program did not write are NaN."""
    try:
        lines = _table(path)
        rows = [_row(line) for line in lines if None not in line.values()]
    except OSError:
        raise InputError(f"{path.parent} holds no cases.csv: name a folder of 'medsamlite evaluate'.") from None
    except (KeyError, ValueError, csv.Error) as error:
        raise InputError(f"{path} is no table of 'medsamlite evaluate': {error}.") from None
    if not rows:
        raise InputError(f"{path} holds no scores yet.")
    return rows


def _row(line: dict[str, str]) -> Row:
    if missing := sorted(_NEEDED - line.keys()):
        raise KeyError(f"no column {missing[0]}")
    values: dict[str, Any] = {}
    for field in fields(Row):
        read = _READ[str(field.type)]
        text = line.get(field.name, "")
        values[field.name] = math.nan if read is float and not text else read(text or "0" if read is int else text)
    return Row(**values)


def _settings(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _failures(folder: Path) -> list[tuple[str, str, str]]:
    return [(one.case, one.model, one.reason) for one in failures_of_others(folder, ())]
