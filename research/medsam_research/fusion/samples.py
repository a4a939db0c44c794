"""Batches of prepared samples, varied: mirrored, turned, other brightness, and views that err more than they did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from medsam_backends.propagation.region import LIMIT
from torch import Tensor

__all__ = ["Samples"]

_NAMES = ("picture", "valid", "views", "truth")


class Samples:
    """Samples of every file in `folder` written so far.

    Parameters
    ----------
    folder : of `prepare`
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[Path] = []
        self._arrays: list[dict[str, np.ndarray]] = []
        self.look()

    def look(self) -> None:
        """Read the files that were not read before."""
        for path in sorted(self._folder.glob("samples-*.npz")):
            if path not in self._files:
                self._files.append(path)
                with np.load(path, allow_pickle=False) as file:
                    self._arrays.append({name: file[name] for name in file.files})
        if not self._arrays:
            raise ValueError(f"{self._folder} holds no samples: make them with medsam_research.fusion.prepare")
        self._starts = np.cumsum([0, *(len(part["scale"]) for part in self._arrays)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def batch(self, indices: np.ndarray) -> dict[str, Tensor]:
        """Samples as float32 tensors: picture 0..255, valid 0..1, views in logits, truth 0..1, scale."""
        parts = np.searchsorted(self._starts, indices, side="right") - 1
        rows = [(self._arrays[p], i - self._starts[p]) for p, i in zip(parts, indices, strict=True)]
        stacked = {name: np.stack([part[name][row] for part, row in rows])[:, None] for name in _NAMES}
        tensors = {name: torch.from_numpy(values).float() for name, values in stacked.items()}
        tensors["valid"] /= 255
        tensors["truth"] /= 255
        tensors["views"] *= LIMIT / 127
        tensors["scale"] = torch.from_numpy(np.stack([part["scale"][row] for part, row in rows]))
        return tensors

    def varied(self, rng: np.random.Generator, count: int) -> dict[str, Tensor]:
        """A random batch, varied."""
        batch = self.batch(rng.integers(0, len(self), count))
        axes = [axis for axis in (2, 3, 4) if rng.random() < 0.5]
        turn = rng.random() < 0.5
        for name in _NAMES:
            values = batch[name].flip(axes) if axes else batch[name]
            batch[name] = values.transpose(3, 4).contiguous() if turn else values.contiguous()
        if turn:
            batch["scale"] = batch["scale"][:, [0, 2, 1]]
        there = batch["valid"].clamp(min=1e-3)  # pictures fade with what lies beyond the volume, before and after
        bright = torch.stack([_brightness(rng, one) for one in batch["picture"] / there])
        batch["picture"] = bright * batch["valid"]
        batch["views"] = torch.stack([_erring(rng, one) for one in batch["views"]])
        return batch


def _brightness(rng: np.random.Generator, picture: Tensor) -> Tensor:
    """Gamma, contrast, inversion, noise and a slow field, each at times."""
    values = picture / 255
    if rng.random() < 0.5:
        values = values.clamp(0, 1) ** float(np.exp(rng.normal(0, 0.35)))
    if rng.random() < 0.15:
        values = 1 - values
    if rng.random() < 0.4:
        values = values * float(np.exp(rng.normal(0, 0.2))) + float(rng.normal(0, 0.08))
    if rng.random() < 0.3:
        values = values * (1 + float(rng.uniform(0.05, 0.25)) * _slow(rng, values.shape[-1], 3))
    if rng.random() < 0.35:
        values = values + float(rng.uniform(0.01, 0.08)) * torch.randn_like(values)
    return values.clamp(0, 1) * 255


def _erring(rng: np.random.Generator, views: Tensor) -> Tensor:
    """The views less sure of themselves, or wrong in places, or silent."""
    if rng.random() < 0.02:
        return torch.full_like(views, -1.0)
    if rng.random() < 0.4:
        views = views * float(rng.uniform(0.4, 1.1)) + float(rng.normal(0, 0.3))
    if rng.random() < 0.3:
        views = views + float(rng.uniform(0.3, 2.0)) * _slow(rng, views.shape[-1], int(rng.integers(3, 9)))
    return views.clamp(-LIMIT, LIMIT)


def _slow(rng: np.random.Generator, grid: int, knots: int) -> Tensor:
    """A smooth random field of deviation about 1, (1, G, G, G)."""
    coarse = torch.from_numpy(rng.standard_normal((1, 1, knots, knots, knots)).astype(np.float32))
    return F.interpolate(coarse, size=(grid,) * 3, mode="trilinear", align_corners=True)[0] * 1.5
