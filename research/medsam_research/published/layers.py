"""Layers that several published systems share, under the names their state dicts use."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["ConvNorm", "LayerNorm2d", "neck"]


class ConvNorm(nn.Sequential):
    """Convolution without bias followed by batch normalisation, named ``c`` and ``bn``."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.add_module("c", nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False))
        self.add_module("bn", nn.BatchNorm2d(outputs, eps=1e-5))


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of (N, C, H, W), eps 1e-6 in all published systems."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def neck(inputs: int, outputs: int = 256) -> nn.Sequential:
    """From an encoder's last stage to the embedding's channels (LiteMedSAM, Rep-MedSAM)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, bias=False),
        LayerNorm2d(outputs),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        LayerNorm2d(outputs),
    )
