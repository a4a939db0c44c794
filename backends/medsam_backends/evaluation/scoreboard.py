"""The cases that every model was tried on, as arrays to rank and to test.  Reads and writes nothing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .records import Row

__all__ = ["METRICS", "Scoreboard", "scoreboard"]

METRICS = ("dsc", "nsd", "seconds")
_FAILED = (0.0, 0.0, math.inf)


@dataclass(frozen=True, eq=False)
class Scoreboard:
    """Scores of models on the same cases.

    Attributes
    ----------
    modalities : of each case
    scores : (cases, 3, models) float64, the metrics in the order of `METRICS`: means over a case's labels, and the
        seconds of all of them; infinite where a model failed
    left_out : cases that not every model was tried on
    """

    models: tuple[str, ...]
    modalities: tuple[str, ...]
    scores: NDArray[np.float64]
    left_out: int

    def of(self, modality: str) -> NDArray[np.intp]:
        """Indices of a modality's cases."""
        return np.flatnonzero([name == modality for name in self.modalities])


def scoreboard(rows: Sequence[Row], failed: Collection[tuple[str, str]] = ()) -> Scoreboard:
    """Bring the rows of several models together.

    Parameters
    ----------
    failed : (case, model) that a model did not come through: nothing found, slower than any other

    Raises
    ------
    InputError
        If there are fewer than two models, or no case that all were tried on.
    """
    labels: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        labels[row.case, row.model].append(row)
    models = tuple(dict.fromkeys(row.model for row in rows))
    if len(models) < 2:
        raise InputError("A ranking needs two models or more: evaluate another one.")
    tried: dict[tuple[str, str], tuple[float, float, float]] = dict.fromkeys(failed, _FAILED)
    tried |= {key: _score(found) for key, found in labels.items()}
    modality = {row.case: row.modality for row in rows}
    common = [case for case in modality if all((case, model) in tried for model in models)]
    if not common:
        raise InputError("There is no case that every model was tried on: nothing can be ranked.")
    scores = np.array([[tried[case, model] for model in models] for case in common], np.float64)
    return Scoreboard(
        models, tuple(modality[case] for case in common), scores.transpose(0, 2, 1), len(modality) - len(common)
    )


def _score(labels: Sequence[Row]) -> tuple[float, float, float]:
    return fmean(row.dsc for row in labels), fmean(row.nsd for row in labels), sum(row.seconds for row in labels)
