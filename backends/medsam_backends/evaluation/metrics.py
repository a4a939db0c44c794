"""Dice and normalised surface Dice as the challenge computes them.  Knows nothing of files or models."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MedSAMLiteError

__all__ = ["TOLERANCE_MM", "Score", "dice", "label_score", "surface_dice", "surface_library", "under_challenge_rule"]

TOLERANCE_MM = 2.0
_LEAST_DSC = 0.2
_UNIT = (1.0, 1.0, 1.0)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """Agreement of one label's mask with its truth: DSC and NSD in [0, 1], NaN when both masks are empty."""

    dsc: float
    nsd: float


def dice(truth: Mask, mask: Mask) -> float:
    """``2|A & B| / (|A| + |B|)``; NaN when both are empty."""
    total = np.count_nonzero(truth) + np.count_nonzero(mask)
    return 2 * np.count_nonzero(truth & mask) / total if total else math.nan


def surface_dice(
    truth: Mask, mask: Mask, spacing_mm: Sequence[float] = _UNIT, tolerance_mm: float = TOLERANCE_MM
) -> float:
    """Share of both surfaces that lies within a tolerance of the other one (Nikolov et al. 2018).

    Parameters
    ----------
    truth, mask : (K, J, I) bool, or (H, W), which counts as the challenge counts a picture: a slab
        of one voxel whose two faces are surface, with a spacing of 1
    spacing_mm : along the axes in the array's order; ignored for a picture

    Returns
    -------
    In [0, 1]; 0 when one mask is empty, NaN when both are.

    Raises
    ------
    MedSAMLiteError
        If the package that measures surfaces is not installed.
    """
    if not truth.any() or not mask.any():
        return 0.0 if truth.any() or mask.any() else math.nan
    library = surface_library()
    if truth.ndim == 2:
        truth, mask, spacing_mm = truth[..., None], mask[..., None], _UNIT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the library uses older names of SciPy's
        distances = library.compute_surface_distances(truth, mask, tuple(spacing_mm))
    return float(library.compute_surface_dice_at_tolerance(distances, tolerance_mm))


def label_score(truth: Mask, mask: Mask, spacing_mm: Sequence[float] = _UNIT) -> Score:
    """Both metrics of one label; see `dice` and `surface_dice`."""
    return Score(dice(truth, mask), surface_dice(truth, mask, spacing_mm))


def under_challenge_rule(scores: Sequence[Score]) -> list[Score]:
    """The scores of a case's labels as the challenge counts them: no NSD unless their mean DSC exceeds 0.2."""
    if scores and sum(score.dsc for score in scores) / len(scores) > _LEAST_DSC:
        return list(scores)
    return [replace(score, nsd=0.0) for score in scores]


def surface_library() -> Any:
    """The package that measures surfaces; raises `MedSAMLiteError` if it is not installed."""
    try:
        import surface_distance
    except ImportError:
        raise MedSAMLiteError(
            "Surface distances need further packages: pip install 'medsam-backends[cohort]'."
        ) from None
    return surface_distance
