"""Accuracy against runtime: a bubble a model, as large as the memory that it took."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..summary import MEAN, Mean
from .study import Study
from .style import INK, WIDTH, Look, Plot, logarithmic, looks, png, quiet

__all__ = ["bubbles", "overall", "peak_mib"]

_LARGEST, _PLAIN = 1100.0, 220.0  # areas in square points


def overall(study: Study, kind: str = "") -> dict[str, Mean]:
    """Each model's mean over modalities."""
    return {mean.model: mean for mean in study.means(kind) if mean.modality == MEAN}


def peak_mib(study: Study, model: str, kind: str = "") -> float:
    """The most memory that a model took in any case; NaN when it was not measured in all."""
    peaks = [case.peak_mib for case in study.of(model, kind=kind)]
    return math.nan if any(map(math.isnan, peaks)) else max(peaks, default=math.nan)


def bubbles(study: Study) -> Plot:
    """DSC and NSD against seconds per case, pictures and volumes apart."""
    look = looks(study.seen)
    with quiet():
        figure = Figure(figsize=(WIDTH, 0.6 + 3.3 * len(study.kinds)))
        grid = figure.subplots(len(study.kinds), 2, squeeze=False)
        for line, kind in zip(grid, study.kinds, strict=True):
            means = overall(study, kind)
            for axes, column in zip(line, ("dsc", "nsd"), strict=True):
                _draw(axes, study, kind, column, look, means)
        handles = [
            grid[0, 0].scatter([], [], s=60, color=look[m].colour, marker=look[m].marker, label=m) for m in study.models
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False)
        image = png(figure)
    return Plot("tradeoff", image, "Accuracy and runtime", _caption(study), _alt(study))


def _draw(axes: Axes, study: Study, kind: str, column: str, look: dict[str, Look], means: dict[str, Mean]) -> None:
    areas = _areas(study, kind, list(means))
    for model in sorted(means, key=lambda model: -areas[model]):
        mean, one = means[model], look[model]
        score = float(getattr(mean, column))
        if not math.isnan(score):
            axes.scatter(
                [mean.seconds],
                [score],
                s=areas[model],
                color=one.colour,
                marker=one.marker,
                alpha=0.75,
                edgecolors=INK,
                linewidths=0.8,
            )
    axes.set_title(f"{kind.capitalize()} (n = {len({case.case for case in study.cases if case.kind == kind})})")
    axes.set_ylabel(f"mean {column.upper()}")
    axes.set_xlabel("mean seconds per case")
    axes.grid(True, axis="both")
    axes.margins(0.16)
    if all(mean.seconds > 0 for mean in means.values()):
        logarithmic(axes, [mean.seconds for mean in means.values()], 2.0)


def _areas(study: Study, kind: str, models: Sequence[str]) -> dict[str, float]:
    """In square points: by memory where it was measured for every model, else one for all."""
    peaks = {model: peak_mib(study, model, kind) for model in models}
    if not _sized(study):
        return dict.fromkeys(models, _PLAIN)
    most = max(peaks.values())
    return {model: _LARGEST * peak / most for model, peak in peaks.items()}


def _sized(study: Study) -> bool:
    """Whether sizes can say anything: the memory of every case is known."""
    return not any(math.isnan(case.peak_mib) for case in study.cases)


def _caption(study: Study) -> str:
    most = max((case.peak_mib for case in study.cases), default=math.nan)
    size = f"Area: peak memory, up to {most:.0f} MiB." if _sized(study) else "Memory is not known of every model."
    return (
        f"Mean accuracy against mean wall time of a case, means over data sets and modalities; the time axis is "
        f"logarithmic, and the axes of accuracy do not begin at 0. Best: above left. {size}"
    )


def _alt(study: Study) -> str:
    parts = []
    for kind in study.kinds:
        named = [
            f"{model} DSC {mean.dsc:.3f}, NSD {mean.nsd:.3f}, {mean.seconds:.3g} s"
            for model, mean in overall(study, kind).items()
        ]
        parts.append(f"{kind.capitalize()}: {'; '.join(named)}.")
    return f"Bubble plots. {' '.join(parts)}"
