"""The tables of the page: results of each model, and a matrix of modalities and models for each metric."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ..summary import MEAN
from .study import Study, kind_of
from .tradeoff import overall, peak_mib

__all__ = ["Line", "Matrix", "MatrixLine", "Results", "matrices", "results"]

Cell = float | None
_SCORE, _SECONDS, _WHOLE = 4, 3, 0


@dataclass(frozen=True)
class Line:
    """A model's row."""

    model: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Results:
    """Numbers of every model.

    Attributes
    ----------
    digits : decimal places of each column
    best : the value of each column that is printed bold
    """

    caption: str
    columns: tuple[str, ...]
    digits: tuple[int, ...]
    best: tuple[Cell, ...]
    rows: tuple[Line, ...]


@dataclass(frozen=True)
class MatrixLine:
    """A modality's row, a cell a model in the study's order."""

    modality: str
    cases: int
    cells: tuple[Cell, ...]
    best: Cell


@dataclass(frozen=True)
class Matrix:
    """A metric by modality and model."""

    caption: str
    digits: int
    rows: tuple[MatrixLine, ...]


def results(study: Study) -> list[Results]:
    """A table of all images and, where there are both, one of pictures and one of volumes."""
    kinds = ["", *study.kinds] if len(study.kinds) > 1 else study.kinds
    return [_results(study, kind) for kind in kinds]


def _results(study: Study, kind: str) -> Results:
    means = overall(study, kind)
    failed = Counter(model for case, model, _ in study.failures if kind in ("", kind_of(case)))
    rows = []
    for model, mean in means.items():
        scores = (_cell(mean.dsc), _cell(mean.nsd), _cell(mean.seconds), _cell(peak_mib(study, model, kind)))
        rows.append(Line(model, (float(mean.cases), *scores, float(failed[model]))))
    rows.sort(key=lambda row: study.models.index(row.model))
    names = ("Cases", "DSC", "NSD", "Seconds per case", "Peak memory, MiB", "Failed")
    digits = (_WHOLE, _SCORE, _SCORE, _SECONDS, _WHOLE, _WHOLE)
    best = (None, _best(rows, 1, max), _best(rows, 2, max), _best(rows, 3, min), _best(rows, 4, min), None)
    modalities = len({case.modality for case in study.cases if kind in ("", case.kind)})
    caption = f"{kind.capitalize() or 'All images'}: means over data sets, then over {modalities} modalities."
    return Results(caption, names, digits, best, tuple(rows))


def matrices(study: Study) -> list[Matrix]:
    """DSC, NSD and seconds by modality."""
    means = {(mean.modality, mean.model): mean for mean in study.means("") if mean.dataset == MEAN}
    found = []
    for column, name, digits in (("dsc", "DSC", _SCORE), ("nsd", "NSD", _SCORE), ("seconds", "Seconds per case", 3)):
        rows = []
        for modality in study.modalities:
            cells = tuple(
                _cell(getattr(means[modality, model], column)) if (modality, model) in means else None
                for model in study.models
            )
            known = [cell for cell in cells if cell is not None]
            best = (min if column == "seconds" else max)(known) if len(known) > 1 else None
            cases = len({case.case for case in study.cases if case.modality == modality})
            rows.append(MatrixLine(modality, cases, cells, best))
        found.append(Matrix(f"{name}: means over the data sets of a modality.", digits, tuple(rows)))
    return found


def _cell(value: float) -> Cell:
    return None if math.isnan(value) else value


def _best(rows: list[Line], column: int, choose: Callable[[list[float]], float]) -> Cell:
    known = [cell for row in rows if (cell := row.cells[column]) is not None]
    return choose(known) if len(known) > 1 else None
