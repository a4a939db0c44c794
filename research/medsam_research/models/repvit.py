"""RepViT-style picture encoder: depthwise mixers with three branches that merge into one 3x3 convolution at export.

After Wang et al., "RepViT: Revisiting Mobile CNN From ViT Perspective" (2024), narrower than its smallest variant, with
Hardswish in place of GELU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import ConvNorm, Residual, SqueezeExcite, fold_conv

__all__ = ["RepDepthwise", "RepVitTrunk"]


class RepDepthwise(nn.Module):
    """Batch-normalised sum of a 3x3 depthwise branch, a 1x1 depthwise branch and the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide = ConvNorm(channels, channels, 3, groups=channels, act="none")
        self.point = nn.Parameter(torch.full((channels, 1, 1), 0.1))
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        # after `fuse` has visited the children, `wide` is already a plain convolution: same call
        return self.norm(self.wide(x) + x * (1 + self.point))

    def fused(self) -> nn.Module:
        """One 3x3 depthwise convolution with bias, equal in evaluation mode."""
        wide = self.wide if isinstance(self.wide, nn.Conv2d) else fold_conv(self.wide.conv, self.wide.norm)
        wide.weight.data[:, :, 1, 1] += 1 + self.point.data[:, :, 0]
        return fold_conv(wide, self.norm)


def _mixer(channels: int, excite: bool) -> list[nn.Module]:
    channel_mixer = nn.Sequential(
        ConvNorm(channels, 2 * channels, 1, act="hardswish"), ConvNorm(2 * channels, channels, 1, act="none")
    )
    token_mixer: list[nn.Module] = [RepDepthwise(channels)] + ([SqueezeExcite(channels)] if excite else [])
    return [*token_mixer, Residual(channel_mixer)]


def _stage(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    """Halve the resolution, then `depth` blocks, every other one with squeeze and excitation."""
    shrink = [ConvNorm(inputs, inputs, 3, 2, groups=inputs, act="none"), ConvNorm(inputs, outputs, 1, act="none")]
    blocks = [m for i in range(depth) for m in _mixer(outputs, excite=i % 2 == 0)]
    return nn.Sequential(*shrink, *blocks)


class RepVitTrunk(nn.Module):
    """Picture (B, 3, S, S) to maps at strides 8, 16 and 32 with `channels` as their widths."""

    channels = (48, 96, 160)

    def __init__(self) -> None:
        super().__init__()
        c8, c16, c32 = self.channels
        self.stride8 = nn.Sequential(
            ConvNorm(3, 12, 3, 2, act="hardswish"),
            ConvNorm(12, 24, 3, 2, act="none"),
            *_mixer(24, excite=True),
            _stage(24, c8, 2),
        )
        self.stride16 = _stage(c8, c16, 5)
        self.stride32 = _stage(c16, c32, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s8 = self.stride8(x)
        s16 = self.stride16(s8)
        return s8, s16, self.stride32(s16)
