"""EfficientViT-style picture encoder: inverted bottlenecks, then ReLU linear attention at strides 16 and 32.

After Cai et al., "EfficientViT: Lightweight Multi-Scale Attention for High-Resolution Dense Prediction" (2023), variant
B0, with Hardswish throughout, which ONNX Runtime runs faster than a decomposed GELU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import ConvNorm, MBConv, Residual

__all__ = ["EfficientVitTrunk", "LinearAttention"]


class LinearAttention(nn.Module):
    """Multi-scale attention with ReLU features, linear in the number of cells (equation 2 of the paper).

    The two scales are the plain queries, keys and values and their 5x5 depthwise aggregation.
    """

    def __init__(self, channels: int, head_size: int = 16) -> None:
        super().__init__()
        self.head_size = head_size
        width = 3 * channels
        self.qkv = nn.Conv2d(channels, width, 1, bias=False)
        self.aggregate = nn.Sequential(
            nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
            nn.Conv2d(width, width, 1, groups=width // head_size, bias=False),
        )
        self.project = ConvNorm(2 * channels, channels, 1, act="none")

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        qkv = self.qkv(x)
        both = torch.cat([qkv, self.aggregate(qkv)], 1)
        heads = both.reshape(batch, -1, 3 * self.head_size, height * width)
        query, key, value = heads.split(self.head_size, 2)
        query, key = torch.relu(query), torch.relu(key)
        # divided by the cell count so that the sums stay near one and float16 storage is harmless
        context = value @ key.transpose(2, 3) / (height * width)
        total = key.mean(3, keepdim=True).transpose(2, 3)
        out = (context @ query) / (total @ query + 1e-5)
        return self.project(out.reshape(batch, -1, height, width))


class EfficientVitTrunk(nn.Module):
    """Picture (B, 3, S, S) to maps at strides 8, 16 and 32 with `channels` as their widths."""

    channels = (32, 64, 128)

    def __init__(self) -> None:
        super().__init__()
        c8, c16, c32 = self.channels
        self.stride8 = nn.Sequential(
            ConvNorm(3, 8, 3, 2, act="hardswish"),
            Residual(nn.Sequential(ConvNorm(8, 8, 3, groups=8, act="hardswish"), ConvNorm(8, 8, 1, act="none"))),
            MBConv(8, 16, 2),
            MBConv(16, 16),
            MBConv(16, c8, 2),
            MBConv(c8, c8),
        )
        self.stride16 = nn.Sequential(MBConv(c8, c16, 2), *self._attention_blocks(c16, 2))
        self.stride32 = nn.Sequential(MBConv(c16, c32, 2), *self._attention_blocks(c32, 2))

    @staticmethod
    def _attention_blocks(channels: int, count: int) -> list[nn.Module]:
        return [m for _ in range(count) for m in (Residual(LinearAttention(channels)), MBConv(channels, channels))]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s8 = self.stride8(x)
        s16 = self.stride16(s8)
        return s8, s16, self.stride32(s16)
