"""Dice and normalised surface Dice as the challenge computes them, distances and volumes.  Knows no files or models.

What an empty mask means is the same everywhere: a missed object has DSC 0, NSD 0, an infinite distance and a
volume difference of -100 %; where there is neither object nor mask, nothing is measured (NaN).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .packages import needed

__all__ = [
    "TOLERANCE_MM",
    "Score",
    "dice",
    "hausdorff95",
    "label_score",
    "surface_dice",
    "under_challenge_rule",
    "volume_difference",
]

TOLERANCE_MM = 2.0
_LEAST_DSC = 0.2
_UNIT = (1.0, 1.0, 1.0)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """Agreement of one label's mask with its truth.

    Attributes
    ----------
    dsc, nsd : in [0, 1]
    hd95_mm : 95th percentile of the surfaces' distances, in mm; of a picture's contours, in pixels
    volume_difference_ml : signed, positive when the mask is too large; NaN for a picture
    volume_difference_percent : the same relative to the truth, also for a picture's area
    """

    dsc: float
    nsd: float
    hd95_mm: float = math.nan
    volume_difference_ml: float = math.nan
    volume_difference_percent: float = math.nan


def dice(truth: Mask, mask: Mask) -> float:
    """``2|A & B| / (|A| + |B|)``; NaN when both are empty."""
    total = int(np.count_nonzero(truth)) + int(np.count_nonzero(mask))
    return 2 * int(np.count_nonzero(truth & mask)) / total if total else math.nan


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
    if truth.ndim == 2:
        truth, mask, spacing_mm = truth[..., None], mask[..., None], _UNIT
    return _share_within(_distances(truth, mask, spacing_mm), tolerance_mm)


def hausdorff95(truth: Mask, mask: Mask, spacing_mm: Sequence[float] = _UNIT) -> float:
    """The larger of both directions' 95th percentile of surface distances, weighted by surface area, in mm.

    Parameters
    ----------
    truth, mask : (K, J, I) bool, or (H, W), whose contours are compared, in pixels
    spacing_mm : along the axes in the array's order; ignored for a picture

    Returns
    -------
    Infinite when one mask is empty, NaN when both are.

    Raises
    ------
    MedSAMLiteError
        If the package that measures surfaces is not installed.
    """
    if not truth.any() or not mask.any():
        return math.inf if truth.any() or mask.any() else math.nan
    return _percentile95(_distances(truth, mask, _UNIT[:2] if truth.ndim == 2 else spacing_mm))


def volume_difference(truth: Mask, mask: Mask, spacing_mm: Sequence[float] = _UNIT) -> tuple[float, float]:
    """Volume of the mask less that of the truth: in ml (NaN for a picture), and in percent of the truth."""
    expected = int(np.count_nonzero(truth))
    more = int(np.count_nonzero(mask)) - expected
    millilitres = more * math.prod(spacing_mm) / 1000 if truth.ndim == 3 else math.nan
    if not expected:
        return millilitres, math.inf if more else math.nan
    return millilitres, 100 * more / expected


def label_score(truth: Mask, mask: Mask, spacing_mm: Sequence[float] = _UNIT) -> Score:
    """All metrics of one label; a volume's surfaces are measured once for both that need them."""
    if truth.ndim == 3 and truth.any() and mask.any():
        distances = _distances(truth, mask, spacing_mm)
        nsd, hd95 = _share_within(distances, TOLERANCE_MM), _percentile95(distances)
    else:
        nsd, hd95 = surface_dice(truth, mask), hausdorff95(truth, mask)
    return Score(dice(truth, mask), nsd, hd95, *volume_difference(truth, mask, spacing_mm))


def under_challenge_rule(scores: Sequence[Score]) -> list[Score]:
    """The scores of a case's labels as the challenge counts them: no NSD unless their mean DSC exceeds 0.2."""
    if scores and sum(score.dsc for score in scores) / len(scores) > _LEAST_DSC:
        return list(scores)
    return [replace(score, nsd=0.0) for score in scores]


def _distances(truth: Mask, mask: Mask, spacing_mm: Sequence[float]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the library uses older names of SciPy's
        return needed("surface_distance").compute_surface_distances(truth, mask, tuple(spacing_mm))


def _share_within(distances: Any, tolerance_mm: float) -> float:
    return float(needed("surface_distance").compute_surface_dice_at_tolerance(distances, tolerance_mm))


def _percentile95(distances: Any) -> float:
    return float(needed("surface_distance").compute_robust_hausdorff(distances, 95))
