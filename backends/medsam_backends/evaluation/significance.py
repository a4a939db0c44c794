"""Which of two models is better beyond chance: Wilcoxon's signed-rank test, with Holm's correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from .packages import needed
from .scoreboard import METRICS, Scoreboard

__all__ = ["ALL", "Comparison", "compare", "holm"]

ALL = "all"
"""Stands where the cases of all modalities are tested together."""

_FAR = 1e9  # stands for an infinite difference, which is larger than any other


@dataclass(frozen=True)
class Comparison:
    """Two models in one metric.

    Attributes
    ----------
    better, other : by the sum of signed ranks, whether significant or not
    median_difference : of `better` less `other`; seconds are better when fewer
    p, p_holm : of the two-sided test, alone and corrected for all pairs of models in this metric and modality
    """

    metric: str
    modality: str
    better: str
    other: str
    cases: int
    median_difference: float
    p: float
    p_holm: float


def compare(board: Scoreboard) -> list[Comparison]:
    """Every pair of models in every metric, over all cases and in every modality."""
    every = np.arange(len(board.modalities))
    groups = {ALL: every, **{name: board.of(name) for name in sorted(set(board.modalities))}}
    return [
        comparison
        for number, metric in enumerate(METRICS)
        for modality, cases in groups.items()
        for comparison in _family(board.models, metric, modality, board.scores[cases, number])
    ]


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm, Scandinavian Journal of Statistics 6:65, 1979), in their order."""
    order = np.argsort(values, kind="stable")
    raised = np.asarray(values, np.float64)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return [float(value) for value in corrected]


def _family(models: Sequence[str], metric: str, modality: str, scores: NDArray[np.float64]) -> Iterator[Comparison]:
    """Of the (cases, models) scores in one metric."""
    pairs = list(combinations(range(len(models)), 2))
    with np.errstate(invalid="ignore"):  # both failed: infinity less infinity
        apart = [np.nan_to_num(scores[:, a] - scores[:, b], posinf=_FAR, neginf=-_FAR) for a, b in pairs]
    values = [_wilcoxon(differences) for differences in apart]
    for (a, b), differences, p, p_holm in zip(pairs, apart, values, holm(values), strict=True):
        swap = (_signed_ranks(differences) < 0) != (metric == "seconds")
        better, other, sign = (b, a, -1) if swap else (a, b, 1)
        median = sign * float(np.median(differences))
        yield Comparison(metric, modality, models[better], models[other], len(scores), median, p, p_holm)


def _wilcoxon(differences: NDArray[np.float64]) -> float:
    return float(needed("scipy.stats").wilcoxon(differences).pvalue) if differences.any() else 1.0


def _signed_ranks(differences: NDArray[np.float64]) -> float:
    ranks = needed("scipy.stats").rankdata(np.abs(differences))
    return float(np.sign(differences) @ ranks)
