"""Building blocks shared by the encoders and the decoder, each of which can fold itself into plain convolutions.

Only layers that ONNX Runtime executes in its blocked layout are used: convolution, ReLU, Hardswish, addition.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ConvNorm", "MBConv", "Residual", "SqueezeExcite", "fold_conv", "fuse"]

ACTIVATIONS = {"relu": nn.ReLU, "hardswish": nn.Hardswish, "none": nn.Identity}


def fold_conv(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """The convolution equal to `conv` followed by `norm` in evaluation mode."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = norm.bias - norm.running_mean * scale
    if conv.bias is not None:
        bias = bias + conv.bias * scale
    out = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,  # type: ignore[arg-type]
        conv.stride,  # type: ignore[arg-type]
        conv.padding,  # type: ignore[arg-type]
        groups=conv.groups,
    )
    out.weight.data = (conv.weight * scale[:, None, None, None]).detach()
    assert out.bias is not None
    out.bias.data = bias.detach()
    return out


def fuse(module: nn.Module) -> nn.Module:
    """Replace every block that has a ``fused()`` form by it, in place; returns the module. For export only."""
    for name, child in module.named_children():
        setattr(module, name, fuse(child))
    return module.fused() if hasattr(module, "fused") else module


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, activation ("relu", "hardswish" or "none")."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: str = "relu"
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.act = ACTIVATIONS[act](inplace=True) if act != "none" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))

    def fused(self) -> nn.Module:
        """The same function with the normalisation folded into the convolution."""
        conv = fold_conv(self.conv, self.norm)
        return conv if isinstance(self.act, nn.Identity) else nn.Sequential(conv, self.act)


class Residual(nn.Module):
    """``x + body(x)``."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class MBConv(nn.Module):
    """Inverted bottleneck: widen by a 1x1, 3x3 depthwise, narrow by a 1x1 (MobileNetV2); residual if shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, expand: int = 4) -> None:
        super().__init__()
        hidden = inputs * expand
        self.shortcut = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            ConvNorm(inputs, hidden, 1, act="hardswish"),
            ConvNorm(hidden, hidden, 3, stride, groups=hidden, act="hardswish"),
            ConvNorm(hidden, outputs, 1, act="none"),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.shortcut else self.body(x)


class SqueezeExcite(nn.Module):
    """Scale channels by a gate computed from their means (Hu et al. 2018)."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels // reduction, 1)
        self.up = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.up(torch.relu(self.down(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(gate)
