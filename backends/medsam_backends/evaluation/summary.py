"""Means as the field reports them: labels of a case, cases of a data set, data sets of a modality, modalities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import fmean

from .records import Row, write_csv

__all__ = ["MEAN", "Mean", "summarise", "table", "write_summary"]

MEAN = "mean"
"""Stands where a mean runs over all data sets of a modality, or over all modalities."""


@dataclass(frozen=True)
class Mean:
    """Means of one model over `cases` cases; seconds are those of a whole case."""

    model: str
    modality: str
    dataset: str
    cases: int
    dsc: float
    nsd: float
    seconds: float


def summarise(rows: Sequence[Row]) -> list[Mean]:
    """A mean for every data set, then for every modality, then over modalities, for each model in turn."""
    by_model: dict[str, dict[tuple[str, str], dict[str, list[Row]]]] = {}
    for row in rows:
        sets = by_model.setdefault(row.model, defaultdict(lambda: defaultdict(list)))
        sets[row.modality, row.dataset][row.case].append(row)
    return [mean for model, sets in by_model.items() for mean in _of_model(model, sets)]


def _of_model(model: str, sets: dict[tuple[str, str], dict[str, list[Row]]]) -> Iterator[Mean]:
    datasets = [_of_dataset(model, *key, cases) for key, cases in sorted(sets.items())]
    yield from datasets
    names = sorted({mean.modality for mean in datasets})
    modalities = [_over([mean for mean in datasets if mean.modality == name], name) for name in names]
    yield from modalities
    yield _over(modalities, MEAN)


def _of_dataset(model: str, modality: str, dataset: str, cases: dict[str, list[Row]]) -> Mean:
    dsc = fmean(fmean(row.dsc for row in labels) for labels in cases.values())
    nsd = fmean(fmean(row.nsd for row in labels) for labels in cases.values())
    seconds = fmean(sum(row.seconds for row in labels) for labels in cases.values())
    return Mean(model, modality, dataset, len(cases), dsc, nsd, seconds)


def _over(means: Sequence[Mean], modality: str) -> Mean:
    dsc, nsd, seconds = (fmean(values) for values in zip(*((m.dsc, m.nsd, m.seconds) for m in means), strict=True))
    return Mean(means[0].model, modality, MEAN, sum(mean.cases for mean in means), dsc, nsd, seconds)


def write_summary(path: Path, means: Sequence[Mean]) -> None:
    """Write ``summary.csv``."""
    write_csv(path, [field.name for field in fields(Mean)], map(astuple, means))


def table(means: Sequence[Mean]) -> list[str]:
    """The means as lines of text."""
    lines = [f"{'model':<24} {'modality':<14} {'data set':<24} {'cases':>5}  {'DSC':>6}  {'NSD':>6}  {'s/case':>7}"]
    for mean in means:
        place = f"{mean.model:<24} {mean.modality:<14} {mean.dataset:<24} {mean.cases:>5}"
        lines.append(f"{place}  {mean.dsc:6.4f}  {mean.nsd:6.4f}  {mean.seconds:7.3f}")
    return lines
