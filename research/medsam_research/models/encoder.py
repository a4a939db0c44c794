"""The picture encoder: a trunk (EfficientViT or RepViT) and the neck that fuses its three scales into one map."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .efficientvit import EfficientVitTrunk
from .layers import ConvNorm
from .repvit import RepVitTrunk

__all__ = ["FEATURE_CHANNELS", "TRUNKS", "Encoder"]

FEATURE_CHANNELS = 80
TRUNKS: dict[str, type[EfficientVitTrunk] | type[RepVitTrunk]] = {
    "efficientvit": EfficientVitTrunk,
    "repvit": RepVitTrunk,
}


class Encoder(nn.Module):
    """Picture (B, 3, 256, 256), float32 in 0..255, to features (B, FEATURE_CHANNELS, 32, 32)."""

    def __init__(self, trunk: str) -> None:
        super().__init__()
        self.trunk = TRUNKS[trunk]()
        width = FEATURE_CHANNELS
        c8, c16, c32 = self.trunk.channels
        self.from8 = ConvNorm(c8, width, 1, act="none")
        self.from16 = ConvNorm(c16, width, 1, act="none")
        self.from32 = ConvNorm(c32, width, 1, act="none")
        self.mix = nn.Sequential(
            ConvNorm(width, width, 3, groups=width, act="hardswish"), ConvNorm(width, width, 1, act="none")
        )

    def forward(self, image: Tensor) -> Tensor:
        s8, s16, s32 = self.trunk((image - 127.5) * (1 / 64))
        coarse = self.from16(s16) + F.interpolate(self.from32(s32), scale_factor=2.0, mode="nearest")
        fused = self.from8(s8) + F.interpolate(coarse, scale_factor=2.0, mode="nearest")
        return F.hardswish(fused + self.mix(fused))
