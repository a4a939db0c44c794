"""The tables of the page: results of each model, and a matrix of modalities and models for each metric."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from ..summary import MEAN
from .study import Study, kind_of
from .tradeoff import overall, peak_mib

__all__ = ["Line", "Matrix", "MatrixLine", "Results", "matrices", "results"]

Cell = float | None
_SCORE, _THREE, _WHOLE = ".4f", "#.3g", ".0f"
_METRICS = (("dsc", "DSC", _SCORE), ("nsd", "NSD", _SCORE), ("seconds", "Seconds per case", _THREE))


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
    formats : of each column's numbers
    best : the value of each column that is printed bold
    """

    caption: str
    columns: tuple[str, ...]
    formats: tuple[str, ...]
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
    format: str
    rows: tuple[MatrixLine, ...]


def results(study: Study) -> list[Results]:
    """A table of all images and, where there are both, one of pictures and one of volumes."""
    kinds = ["", *study.kinds] if len(study.kinds) > 1 else study.kinds
    return [_results(study, kind) for kind in kinds]


def _results(study: Study, kind: str) -> Results:
    means = overall(study, kind)
    models = [model for model in study.models if model in means]
    failed = Counter(model for case, model, _ in study.failures if kind in ("", kind_of(case)))
    columns = [
        _Column("Cases", _WHOLE, [float(means[m].cases) for m in models]),
        _Column("DSC", _SCORE, [means[m].dsc for m in models], max),
        _Column("NSD", _SCORE, [means[m].nsd for m in models], max),
        _Column("Seconds per case", _THREE, [means[m].seconds for m in models], min),
        _Column("Peak memory, MiB", _WHOLE, [peak_mib(study, m, kind) for m in models], min),
        _Column("Failed", _WHOLE, [float(failed[m]) for m in models]),
    ]
    if kind:
        unit = "pixels" if kind == "pictures" else "mm"
        distances = [_median([case.hd95 for case in study.of(m, kind=kind)]) for m in models]
        columns.insert(3, _Column(f"Median HD95, {unit}", _THREE, distances, min))
    columns = [column for column in columns if not all(map(math.isnan, column.values))]
    modalities = len({case.modality for case in study.cases if kind in ("", case.kind)})
    return Results(
        f"{kind.capitalize() or 'All images'}: means over data sets, then over {_modalities(modalities)}.",
        tuple(column.name for column in columns),
        tuple(column.format for column in columns),
        tuple(column.best() for column in columns),
        tuple(Line(m, tuple(_cell(column.values[n]) for column in columns)) for n, m in enumerate(models)),
    )


@dataclass(frozen=True)
class _Column:
    """A column of `Results`; `choose` picks the value that is best, where any is."""

    name: str
    format: str
    values: list[float]
    choose: Callable[[list[float]], float] | None = None

    def best(self) -> Cell:
        known = [value for value in self.values if not math.isnan(value)]
        return self.choose(known) if self.choose and len(known) > 1 else None


def matrices(study: Study) -> list[Matrix]:
    """DSC, NSD and seconds by modality."""
    means = {(mean.modality, mean.model): mean for mean in study.means("") if mean.dataset == MEAN}
    found = []
    for column, name, form in _METRICS:
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
        found.append(Matrix(f"{name}: means over the data sets of a modality.", form, tuple(rows)))
    return found


def _cell(value: float) -> Cell:
    return None if math.isnan(value) else value


def _median(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan


def _modalities(count: int) -> str:
    return f"{count} modalities" if count != 1 else "1 modality"
