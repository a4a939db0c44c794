"""The plain SAM-like decoder, for comparison: it sees the encoder's map of the whole picture and never the picture.

Its mask covers the whole picture at a quarter of the encoder's resolution, whatever the size of the box.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import ConvNorm, Residual
from .planes import BOX_HALF, features_on_window, prompt_scalars

__all__ = ["PlainDecoder"]

_PROMPT_PLANES = 5
_WIDTHS = (88, 48, 16)


def _block(channels: int) -> Residual:
    return Residual(nn.Sequential(ConvNorm(channels, channels), ConvNorm(channels, channels, act="none")))


class PlainDecoder(nn.Module):
    """Same calls as `Decoder`; window, valid, prior and points are ignored.

    Parameters
    ----------
    feature_channels : channels of the encoder's map
    """

    def __init__(self, feature_channels: int) -> None:
        super().__init__()
        w0, w1, w2 = _WIDTHS
        self.enter = ConvNorm(feature_channels + _PROMPT_PLANES, w0, 3)
        self.at_cells = nn.Sequential(_block(w0), _block(w0))
        self.context = nn.Linear(w0 + 7, w0)
        self.up1 = nn.Sequential(ConvNorm(w0, w1, 1), nn.Upsample(scale_factor=2.0), _block(w1))
        self.up2 = nn.Sequential(ConvNorm(w1, w2, 1), nn.Upsample(scale_factor=2.0), ConvNorm(w2, w2))
        self.mask = nn.Conv2d(w2, 1, 1)
        self.quality = nn.Sequential(nn.Linear(w0 + 1, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(
        self,
        features: Tensor,
        window: Tensor,
        valid: Tensor,
        rect: Tensor,
        scale: Tensor,
        position: Tensor,
        prior: Tensor,
        has_prior: Tensor,
        points: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, 1, G, G) under the window, cut from those of the picture, and expected IoU (N, 1)."""
        seen = torch.cat([features, self._prompt(rect, position, features.shape[-1])], 1)
        cells = self.at_cells(self.enter(seen))
        pooled = cells.mean((2, 3))
        told = prompt_scalars(scale, position, torch.zeros_like(has_prior))
        cells = F.relu(cells + self.context(torch.cat([pooled, told], 1))[:, :, None, None])
        picture = self.mask(self.up2(self.up1(cells)))
        logits = features_on_window(picture, rect, window.shape[-1])
        area = torch.sigmoid(logits.detach()).mean((2, 3))
        return logits, torch.sigmoid(self.quality(torch.cat([pooled, area], 1)))

    @staticmethod
    def _prompt(rect: Tensor, position: Tensor, cells: int) -> Tensor:
        """Where each cell lies relative to the box, (N, 5, cells, cells): x, y, inside, inscribed ellipsoid, place."""
        line = (torch.arange(cells, device=rect.device) + 0.5) / cells
        low, high = rect[:, :2], rect[:, 2:]
        middle, half = (low + high) / 2, (high - low) / 2 / BOX_HALF
        x = ((line[None] - middle[:, :1]) / half[:, :1])[:, None, None, :].expand(-1, 1, cells, -1)
        y = ((line[None] - middle[:, 1:]) / half[:, 1:])[:, None, :, None].expand(-1, 1, -1, cells)
        t = (position[:, :1] * position[:, 1:])[:, :, None, None].expand(-1, 1, cells, cells)
        inside = 1 - torch.maximum(x.abs(), y.abs())
        ellipsoid = 1 - x * x - y * y - t * t
        return torch.cat([plane.clamp(-4, 4) for plane in (x, y, inside, ellipsoid, t)], 1)
