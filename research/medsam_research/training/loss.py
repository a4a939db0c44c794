"""The training loss: cross-entropy and soft Dice on the window, and the error of the expected IoU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["dice_scores", "segmentation_loss"]


def _edges(target: Tensor) -> Tensor:
    """1 on cells whose 3x3 neighbourhood holds both object and background."""
    high = F.max_pool2d(target, 3, 1, 1)
    low = -F.max_pool2d(-target, 3, 1, 1)
    return high - low


def _overlaps(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sizes of intersection, prediction and truth after thresholding, each (N,)."""
    predicted, truth = logits > 0, target > 0.5
    return (predicted & truth).sum((1, 2, 3)), predicted.sum((1, 2, 3)), truth.sum((1, 2, 3))


def dice_scores(logits: Tensor, target: Tensor) -> Tensor:
    """Dice coefficient of each thresholded window, (N,); 1 where both are empty."""
    both, predicted, truth = _overlaps(logits, target)
    return (2 * both + 1e-6) / (predicted + truth + 1e-6)


def segmentation_loss(
    logits: Tensor, expected: Tensor, target: Tensor, inside: Tensor, edge: float
) -> tuple[Tensor, dict[str, float]]:
    """The loss and its parts.

    Parameters
    ----------
    logits, target : (N, 1, G, G)
    expected, inside : (N, 1); predicted IoU, and 1 where the window holds the object (Dice counts only there)
    edge : extra weight of edge cells in the cross-entropy
    """
    weight = 1 + edge * _edges(target)
    cross = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight).mean()
    soft = torch.sigmoid(logits)
    overlap, sizes = (soft * target).sum((1, 2, 3)), (soft + target).sum((1, 2, 3))
    dice = ((1 - (2 * overlap + 1) / (sizes + 1)) * inside[:, 0]).sum() / inside.sum().clamp(min=1)
    both, predicted, truth = _overlaps(logits, target)
    actual = both / (predicted + truth - both).clamp(min=1)
    quality = F.mse_loss(expected[:, 0], actual)
    parts = {"cross": cross.item(), "dice": dice.item(), "quality": quality.item()}
    return cross + dice + 0.5 * quality, parts
