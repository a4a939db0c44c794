"""Ranks models as the challenge did: every case and metric first, then means; and how stable that order is.

Models are ranked in DSC, NSD and runtime of each case (equal scores share their mean rank).  The mean of these ranks
over metrics and a modality's cases, then over modalities, orders the models.  Stability: the cases of each modality are
drawn again with replacement, many times, and each draw is compared with the order of all by Kendall's tau (as in
Wiesenfarth et al., Scientific Reports 11:2369, 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .packages import needed
from .scoreboard import METRICS, Scoreboard
from .summary import MEAN

__all__ = ["Ranking", "Standing", "rank_models"]

_INTERVAL = (2.5, 97.5)  # percentiles
_DIGITS = 9  # mean ranks that differ less are equal: they are sums in another order


@dataclass(frozen=True)
class Standing:
    """A model among the others in one modality, or over all of them (`modality` is ``"mean"``).

    Attributes
    ----------
    place : 1 for the best; equal models share the better place
    place_low, place_high : between which 95 % of the samples have it
    rank : mean of the three metrics' mean ranks, which follow
    """

    model: str
    modality: str
    cases: int
    place: int
    place_low: float
    place_high: float
    rank: float
    rank_dsc: float
    rank_nsd: float
    rank_seconds: float


@dataclass(frozen=True, eq=False)
class Ranking:
    """The order of models, and what becomes of it when the cases are drawn again.

    Attributes
    ----------
    models : the best first
    standings : over all modalities, the best first, then modality by modality
    places : (samples, models) int, in the order of `models`
    taus : (samples,) Kendall's tau-b between a sample's places and those of all cases; NaN where all are equal
    left_out : cases that were not ranked since not every model was tried on them
    """

    models: tuple[str, ...]
    standings: tuple[Standing, ...]
    places: NDArray[np.int64]
    taus: NDArray[np.float64]
    left_out: int

    @property
    def shares(self) -> NDArray[np.float64]:
        """(models, models): how often a model (row) had a place (column, from 1), in [0, 1]."""
        wanted = np.arange(1, len(self.models) + 1)
        return np.asarray((self.places[:, :, None] == wanted).mean(axis=0))


def rank_models(board: Scoreboard, samples: int = 1000, seed: int = 0) -> Ranking:
    """Rank the models of a scoreboard.

    Parameters
    ----------
    samples : how often the cases are drawn again
    """
    random = np.random.default_rng(seed)
    ranks = _ranks(board.scores)
    names = sorted(set(board.modalities))
    parts = [ranks[board.of(name)] for name in names]
    drawn = [_resampled(part, samples, random) for part in parts]
    overall = _standings(board.models, MEAN, len(ranks), np.mean([p.mean(0) for p in parts], 0), np.mean(drawn, 0))
    overall.sort(key=lambda standing: standing.place)
    standings = list(overall)
    for name, part, again in zip(names, parts, drawn, strict=True):
        standings += sorted(_standings(board.models, name, len(part), part.mean(0), again), key=lambda s: s.place)
    order = [board.models.index(standing.model) for standing in overall]
    places = _places(np.mean(drawn, 0))[:, order]
    return Ranking(
        tuple(standing.model for standing in overall),
        tuple(standings),
        places,
        _taus(np.array([standing.place for standing in overall]), places),
        board.left_out,
    )


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of the models in every case and metric, 1 for the best; (cases, 3, models) as the scores."""
    costs = -scores
    costs[:, METRICS.index("seconds")] *= -1
    unknown_is_worst = np.where(np.isnan(costs), np.inf, costs)
    return np.asarray(needed("scipy.stats").rankdata(unknown_is_worst, axis=2))


def _resampled(ranks: NDArray[np.float64], samples: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Mean ranks over cases and metrics in every sample of the cases, (samples, models)."""
    cases = len(ranks)
    often = random.multinomial(cases, np.full(cases, 1 / cases), samples)
    return np.asarray(often @ ranks.mean(axis=1) / cases)


def _places(means: NDArray[np.float64]) -> NDArray[np.int64]:
    places = needed("scipy.stats").rankdata(np.round(means, _DIGITS), "min", axis=-1)
    return np.asarray(places, np.int64)


def _standings(
    models: tuple[str, ...], modality: str, cases: int, ranks: NDArray[np.float64], drawn: NDArray[np.float64]
) -> list[Standing]:
    """Of `ranks` (3, models) and of the mean ranks in every sample, `drawn` (samples, models)."""
    means = ranks.mean(axis=0)
    lows, highs = np.percentile(_places(drawn), _INTERVAL, axis=0)
    return [
        Standing(model, modality, cases, int(place), float(low), float(high), float(mean), *map(float, metrics))
        for model, place, low, high, mean, metrics in zip(
            models, _places(means), lows, highs, means, ranks.T, strict=True
        )
    ]


def _taus(places: NDArray[np.int64], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    kendall = needed("scipy.stats").kendalltau
    distinct, which = np.unique(drawn, axis=0, return_inverse=True)  # few orders come up, most of them often
    taus = [np.nan if len(set(sample)) == 1 else kendall(places, sample).statistic for sample in distinct.tolist()]
    return np.asarray(taus, np.float64)[which.ravel()]
