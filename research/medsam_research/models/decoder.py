"""The window decoder: a small U-Net over the window round the box that also reads the encoder's features there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import ConvNorm, Residual
from .planes import PLANES, SCALARS, features_on_window, prompt_scalars, window_planes

__all__ = ["WIDTHS", "Decoder"]

WIDTHS = (24, 48, 96, 128)


def _block(channels: int) -> Residual:
    return Residual(nn.Sequential(ConvNorm(channels, channels), ConvNorm(channels, channels, act="none")))


def _further(channels: int, deep: bool) -> nn.Module:
    """A second block that at first changes nothing, so that a trained decoder can go on with it; none unless `deep`."""
    if not deep:
        return nn.Identity()
    last = ConvNorm(channels, channels, act="none")
    nn.init.zeros_(last.norm.weight)
    return Residual(nn.Sequential(ConvNorm(channels, channels), last))


class _Up(nn.Module):
    """Narrow, double the resolution, add the skip, refine."""

    def __init__(self, inputs: int, outputs: int, refine: nn.Module) -> None:
        super().__init__()
        self.narrow = ConvNorm(inputs, outputs, 1, act="none")
        self.refine = refine

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        up = F.interpolate(self.narrow(x), scale_factor=2.0, mode="nearest")
        return self.refine(torch.relu(up + skip))


class Decoder(nn.Module):
    """Window, prompts and picture features to a mask of the window and its expected IoU.

    Parameters
    ----------
    feature_channels : channels of the encoder's map; 0 for a decoder that sees the window alone
    widths : channels at full, half, quarter and eighth resolution of the window
    deep : a second block at quarter and eighth resolution on the way down, and at quarter and half on the way up
    """

    def __init__(self, feature_channels: int, widths: Sequence[int] = WIDTHS, *, deep: bool = False) -> None:
        super().__init__()
        w0, w1, w2, w3 = widths
        self.feature_channels = feature_channels
        self.prompt = nn.Sequential(nn.Linear(SCALARS, 32), nn.ReLU(), nn.Linear(32, w0 + w2))
        self.split = (w0, w2)
        self.stem = nn.Conv2d(PLANES, w0, 3, padding=1)
        self.stem_norm = ConvNorm(w0, w0, 1)
        self.down1 = ConvNorm(w0, w1, 3, 2)
        self.at_half = _block(w1)
        self.down2 = ConvNorm(w1, w2, 3, 2, act="none")
        self.look = ConvNorm(feature_channels, w2, 1, act="none") if feature_channels else None
        self.at_quarter = _block(w2)
        self.at_quarter_again = _further(w2, deep)
        self.down3 = ConvNorm(w2, w3, 3, 2)
        self.at_eighth = _block(w3)
        self.at_eighth_again = _further(w3, deep)
        self.context = nn.Linear(w3, w3)
        self.up2 = _Up(w3, w2, _block(w2))
        self.up2_again = _further(w2, deep)
        self.up1 = _Up(w2, w1, _block(w1))
        self.up1_again = _further(w1, deep)
        self.up0 = _Up(w1, w0, ConvNorm(w0, w0))
        self.mask = nn.Conv2d(w0, 1, 1)
        self.quality = nn.Sequential(nn.Linear(w3 + w1 + 2, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(
        self,
        features: Tensor | None,
        window: Tensor,
        valid: Tensor,
        rect: Tensor,
        scale: Tensor,
        position: Tensor,
        prior: Tensor,
        has_prior: Tensor,
        points: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, 1, G, G) and expected IoU (N, 1); see `planes` for the inputs."""
        stem_shift, quarter_shift = self.prompt(prompt_scalars(scale, position, has_prior)).split(self.split, 1)
        planes = window_planes(window, valid, position, prior, points)
        if planes.device.type == "cpu" and self.training:
            planes = planes.contiguous(memory_format=torch.channels_last)
        full = self.stem_norm(torch.relu(self.stem(planes) + stem_shift[:, :, None, None]))
        half = self.at_half(self.down1(full))
        quarter = self.down2(half) + quarter_shift[:, :, None, None]
        if self.look is not None and features is not None:
            seen = features_on_window(features, rect, quarter.shape[-1])
            quarter = quarter + self.look(seen)
        quarter = self.at_quarter_again(self.at_quarter(torch.relu(quarter)))
        eighth = self.at_eighth_again(self.at_eighth(self.down3(quarter)))
        # as a pooling: how runtimes sum a mean depends on how many windows share the call, and 8-bit numbers then step
        pooled = F.adaptive_avg_pool2d(eighth, 1).flatten(1)
        eighth = eighth + self.context(pooled)[:, :, None, None]
        up2 = self.up2_again(self.up2(torch.relu(eighth), quarter))
        up1 = self.up1_again(self.up1(up2, half))
        logits = self.mask(self.up0(up1, full))
        return logits, self._expected_iou(logits.detach(), up1, pooled)

    def _expected_iou(self, logits: Tensor, half: Tensor, pooled: Tensor) -> Tensor:
        """From the pooled bottleneck, the features under the mask, the mask's area and its sharpness."""
        soft = torch.sigmoid(logits)
        weight = F.avg_pool2d(soft, 2)
        area = weight.mean((2, 3))
        under = (half * weight).mean((2, 3)) / (area + 1e-3)
        unsure = (soft * (1 - soft)).mean((2, 3)) / (area + 1e-3)
        return torch.sigmoid(self.quality(torch.cat([pooled, under, area, unsure], 1)))
