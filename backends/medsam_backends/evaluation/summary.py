"""Means as the field reports them: labels of a case, cases of a data set, data sets of a modality, modalities."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import fmean

from ..csv_table import write_csv
from .records import Row

__all__ = ["MEAN", "Mean", "summarise", "table", "write_summary"]

MEAN = "mean"
"""Stands where a mean runs over all data sets of a modality, or over all modalities."""


@dataclass(frozen=True)
class Mean:
    """Means of one model over `cases` cases.

    Attributes
    ----------
    dsc, nsd : over the cases that have a truth; NaN where none has
    seconds : of a whole case
    hd95_mm : over the labels whose distance is finite; NaN where there is none
    missed : labels of which nothing was found, whose distance is infinite
    volume_error_percent : mean size of the volume's difference
    peak_mib : the largest
    dsc_after_clicks : mean DSC after each simulated correction, separated by blanks; empty where a case has none
    """

    model: str
    modality: str
    dataset: str
    cases: int
    dsc: float
    nsd: float
    seconds: float
    hd95_mm: float = math.nan
    missed: int = 0
    volume_error_percent: float = math.nan
    peak_mib: float = math.nan
    dsc_after_clicks: str = ""


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
    every = list(cases.values())
    return Mean(
        model,
        modality,
        dataset,
        len(cases),
        _finite_mean(fmean(row.dsc for row in labels) for labels in every),
        _finite_mean(fmean(row.nsd for row in labels) for labels in every),
        fmean(sum(row.seconds for row in labels) for labels in every),
        _finite_mean(_finite_mean(row.hd95_mm for row in labels) for labels in every),
        sum(math.isinf(row.hd95_mm) for labels in every for row in labels),
        _finite_mean(_finite_mean(abs(row.volume_difference_percent) for row in labels) for labels in every),
        max(row.peak_mib for labels in every for row in labels),
        _clicks([_clicks([row.dsc_after_clicks for row in labels]) for labels in every]),
    )


def _over(means: Sequence[Mean], modality: str) -> Mean:
    return Mean(
        means[0].model,
        modality,
        MEAN,
        sum(mean.cases for mean in means),
        _finite_mean(mean.dsc for mean in means),
        _finite_mean(mean.nsd for mean in means),
        fmean(mean.seconds for mean in means),
        _finite_mean(mean.hd95_mm for mean in means),
        sum(mean.missed for mean in means),
        _finite_mean(mean.volume_error_percent for mean in means),
        max(mean.peak_mib for mean in means),
        _clicks([mean.dsc_after_clicks for mean in means]),
    )


def _finite_mean(values: Iterable[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return fmean(known) if known else math.nan


def _clicks(texts: Sequence[str]) -> str:
    """Mean of columns of numbers that are separated by blanks; empty where one of them is empty."""
    columns = zip(*(text.split() for text in texts), strict=False)
    return " ".join(f"{fmean(map(float, values)):.4f}" for values in columns)


def write_summary(path: Path, means: Sequence[Mean]) -> None:
    """Write ``summary.csv``."""
    write_csv(path, [field.name for field in fields(Mean)], map(astuple, means))


def table(means: Sequence[Mean]) -> list[str]:
    """The means as lines of text."""
    scores = f"{'DSC':>6}  {'NSD':>6}  {'HD95':>6}  {'s/case':>7}"
    lines = [f"{'model':<24} {'modality':<14} {'data set':<24} {'cases':>5}  {scores}"]
    for mean in means:
        place = f"{mean.model:<24} {mean.modality:<14} {mean.dataset:<24} {mean.cases:>5}"
        clicks = f"  clicks {mean.dsc_after_clicks}" if mean.dsc_after_clicks else ""
        lines.append(f"{place}  {mean.dsc:6.4f}  {mean.nsd:6.4f}  {mean.hd95_mm:6.2f}  {mean.seconds:7.3f}{clicks}")
    return lines
