"""Dot-and-box plots: every case a dot, over all of them and for each modality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .study import CaseScore, Study
from .style import INK, WIDTH, Look, Plot, logarithmic, looks, png, quiet

__all__ = ["DSC", "NSD", "RUNTIME", "Metric", "accuracy", "panels"]

_COLUMNS = 4
_ROW, _FRAME = 0.3, 0.85  # inches of a model's row, and of a panel's title and axis
_SEED = 0


@dataclass(frozen=True)
class Metric:
    """A column of the scores, and how it is named and scaled."""

    column: Literal["dsc", "nsd", "seconds"]
    name: str
    axis: str

    def of(self, cases: Sequence[CaseScore]) -> list[float]:
        """The values that there are."""
        values: list[float] = [getattr(case, self.column) for case in cases]
        return [value for value in values if not math.isnan(value)]


DSC = Metric("dsc", "DSC", "DSC")
NSD = Metric("nsd", "NSD", "NSD")
RUNTIME = Metric("seconds", "Runtime", "seconds per case")


def accuracy(study: Study) -> Plot:
    """DSC and NSD of every case, a row a model, the best mean DSC on top."""
    look = looks(study.seen)
    with quiet():
        figure = Figure(figsize=(WIDTH, _FRAME + (_ROW + 0.12) * len(study.models)))
        for axes, metric in zip(figure.subplots(1, 2, sharey=True), (DSC, NSD), strict=True):
            _dot_and_box(axes, [metric.of(study.of(model)) for model in study.models], _in_order(study, look))
            axes.set_xlabel(f"{metric.axis} of a case")
            _scale(axes, metric, study)
        _name_rows(figure.axes[0], study, counted=bool(study.uneven))
        image = png(figure)
    caption = (
        f"DSC and NSD of {_n([len(study.of(model)) for model in study.models])} cases. Dot: a case (mean over its "
        "labels). Box: quartiles and median; whiskers: the last case within 1.5 interquartile ranges; diamond: mean "
        "over cases."
    )
    alt = f"Box plots. {_medians(study, DSC)} {_medians(study, NSD)}"
    return Plot("accuracy", image, "Accuracy", caption, alt)


def panels(study: Study, metric: Metric) -> Plot:
    """One metric, a panel a modality."""
    look, count = looks(study.seen), len(study.modalities)
    columns = min(_COLUMNS, count)
    lines = math.ceil(count / columns)
    with quiet():
        figure = Figure(figsize=(WIDTH, lines * (_FRAME + _ROW * len(study.models))))
        grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for axes, modality in zip(grid.flat, study.modalities, strict=False):
            cases = [study.of(model, modality) for model in study.models]
            _dot_and_box(axes, [metric.of(some) for some in cases], _in_order(study, look))
            axes.set_title(f"{modality} (n = {_n([len(some) for some in cases])})")
            _scale(axes, metric, study)
        for axes in grid[:, 0]:
            _name_rows(axes, study)
        for axes in grid[:, 1:].flat:
            axes.tick_params(axis="y", length=0)
        for axes in grid.flat[count:]:
            axes.remove()
        _label_lowest(grid, count, metric)
        image = png(figure)
    caption = "Dots, boxes and order as in the plot of accuracy. n: cases."
    if metric is RUNTIME:
        caption += " Wall time of a whole case with all its labels, without loading the model; logarithmic."
    alt = f"Box plots of {metric.name} for {', '.join(study.modalities)}; the tables by modality give the means."
    return Plot(f"modalities-{metric.column}", image, f"{metric.name} by modality", caption, alt)


def _in_order(study: Study, look: dict[str, Look]) -> list[Look]:
    return [look[model] for model in study.models]


def _dot_and_box(axes: Axes, values: Sequence[Sequence[float]], look: Sequence[Look]) -> None:
    rng = np.random.default_rng(_SEED)
    for place, (some, one) in enumerate(zip(values, look, strict=True)):
        if not some:
            continue
        scatter = place + rng.uniform(-0.26, 0.26, len(some))
        size = float(np.clip(1500 / len(some), 5, 18))
        axes.scatter(some, scatter, s=size, color=one.colour, alpha=0.45, linewidths=0)
        thin = {"color": INK, "linewidth": 1.0}
        axes.boxplot(
            [list(some)],
            positions=[place],
            widths=0.6,
            orientation="horizontal",
            showfliers=False,
            showmeans=True,
            manage_ticks=False,
            boxprops=thin,
            whiskerprops=thin,
            capprops=thin,
            medianprops={"color": INK, "linewidth": 2.0},
            meanprops={"marker": "D", "markerfacecolor": "white", "markeredgecolor": INK, "markersize": 5},
        )


def _scale(axes: Axes, metric: Metric, study: Study) -> None:
    if metric is RUNTIME:
        if positive := [case.seconds for case in study.cases if case.seconds > 0]:
            logarithmic(axes, positive)
    else:
        axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(len(study.models) - 0.5, -0.5)


def _name_rows(axes: Axes, study: Study, counted: bool = False) -> None:
    names = [_short(model) + (f" (n = {len(study.of(model))})" if counted else "") for model in study.models]
    axes.set_yticks(range(len(study.models)), names)
    axes.tick_params(axis="y", length=0)


def _label_lowest(grid: np.ndarray, count: int, metric: Metric) -> None:
    """Name the axis below the lowest panel of each column."""
    columns = grid.shape[1]
    for number in range(max(0, count - columns), count):
        axes = grid.flat[number]
        axes.set_xlabel(metric.axis)
        axes.tick_params(axis="x", labelbottom=True)


def _n(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:27]}…"


def _medians(study: Study, metric: Metric) -> str:
    values = {model: metric.of(study.of(model)) for model in study.models}
    named = [f"{model} {median(some):.3g}" for model, some in values.items() if some]
    return f"Median {metric.axis}: {', '.join(named) or 'none'}."
