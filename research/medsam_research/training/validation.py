"""Accuracy on a fixed set of validation windows, by kind of prompt and by modality, beside the inscribed ellipse."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medsam_research.data.config import MODALITIES
from medsam_research.data.stream import StreamConfig, batches
from medsam_research.models.planes import BOX_HALF

from .feed import to_tensors
from .loss import dice_scores

__all__ = ["Row", "fixed_batches", "group_means", "validate"]

Row = dict[str, Any]
SEED = 20_000


def fixed_batches(stream: StreamConfig, count: int) -> list[dict[str, np.ndarray[Any, Any]]]:
    """The same `count` batches at every call."""
    return list(islice(batches(stream, SEED), count))


def _ellipse(position: Tensor, grid: int) -> Tensor:
    """Logit-like planes of the ellipsoid inscribed in each box, (N, 1, G, G); positive inside."""
    line = ((torch.arange(grid) + 0.5) * (2 / grid) - 1) * BOX_HALF
    radius = line[None, :] ** 2 + line[:, None] ** 2
    t = position[:, 0] * position[:, 1]
    return 1 - radius[None, None] - (t * t)[:, None, None, None]


def _kinds(batch: dict[str, Tensor]) -> list[str]:
    told, prior = batch["position"][:, 0] > 0, batch["has_prior"][:, 0] > 0
    clicked = batch["points"].sum((1, 2, 3)) > 0
    names = []
    for in_volume, with_prior, with_click in zip(told.tolist(), prior.tolist(), clicked.tolist(), strict=True):
        first = "slice" if in_volume else "box"
        names.append(first + ("+prior" if with_prior else "") + ("+click" if with_click else ""))
    return names


@torch.no_grad()
def validate(model: nn.Module, fixed: Sequence[dict[str, np.ndarray[Any, Any]]]) -> list[Row]:
    """One row a window that holds its object: kind, modality, DSC, the ellipse's DSC, error of the expected IoU."""
    training = model.training
    model.eval()
    rows: list[Row] = []
    for arrays in fixed:
        batch = to_tensors(arrays)
        logits, expected = model(batch)
        dsc = dice_scores(logits, batch["target"])
        ellipse = dice_scores(_ellipse(batch["position"], logits.shape[-1]), batch["target"])
        error = (expected[:, 0] - dsc / (2 - dsc)).abs()
        for n, kind in enumerate(_kinds(batch)):
            if batch["inside"][n, 0] > 0:
                modality = MODALITIES[int(arrays["modality"][n])]
                values = {"dsc": dsc[n].item(), "ellipse": ellipse[n].item(), "iou_error": error[n].item()}
                rows.append({"kind": kind, "modality": modality, **values})
    model.train(training)
    return rows


def group_means(rows: list[Row]) -> list[Row]:
    """Means over all rows, over each kind and over each modality, with their counts."""
    groups: dict[str, list[Row]] = {"all": rows}
    for row in rows:
        groups.setdefault(row["kind"], []).append(row)
        groups.setdefault(row["modality"], []).append(row)
    columns = ("dsc", "ellipse", "iou_error")
    return [
        {"group": name, "count": len(part), **{c: float(np.mean([r[c] for r in part])) for c in columns}}
        for name, part in sorted(groups.items())
    ]
