"""TinyViT as LiteMedSAM uses it: 256 x 256 pictures, embedding kept at 64 x 64."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from .layers import ConvNorm, neck

__all__ = ["TinyViT"]

HEAD = 32


class PatchEmbed(nn.Module):
    """Two 1x1 convolutions: unlike TinyViT, the picture is not shrunk here."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = nn.Sequential(ConvNorm(3, 32), nn.GELU(), ConvNorm(32, 64))

    def forward(self, x: Tensor) -> Tensor:
        return self.seq(x)


class ConvBlock(nn.Module):
    """Inverted bottleneck; with a shortcut the activation comes after the sum."""

    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int = 1, shortcut: bool = True) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.conv1 = ConvNorm(inputs, hidden)
        self.conv2 = ConvNorm(hidden, hidden, 3, stride, groups=hidden)
        self.conv3 = ConvNorm(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv3(gelu(self.conv2(gelu(self.conv1(x)))))
        return gelu(x + y) if self.shortcut else y


def offset_index(window: int) -> Tensor:
    """(window^2, window^2) int64: number of the offset ``|dy| * window + |dx|`` between two tokens of a window."""
    row, column = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    row, column = row.flatten(), column.flatten()
    return (row[:, None] - row).abs() * window + (column[:, None] - column).abs()


class Attention(nn.Module):
    """Attention inside windows, a learnt bias for each head and absolute offset."""

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.heads, self.tokens = width // HEAD, window * window
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(self.heads, window * window))
        self.register_buffer("index", offset_index(window), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(windows, tokens, width) to the same."""
        qkv = self.qkv(self.norm(x)).view(-1, self.tokens, self.heads, 3, HEAD).permute(3, 0, 2, 1, 4)
        scores = (qkv[0] * HEAD**-0.5) @ qkv[1].transpose(-2, -1) + self.attention_biases[:, self.index]
        mixed = scores.softmax(-1) @ qkv[2]
        return self.proj(mixed.transpose(1, 2).reshape(-1, self.tokens, self.heads * HEAD))


class Mlp(nn.Module):
    """Two linear layers, four times as wide between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(gelu(self.fc1(self.norm(x))))


class WindowBlock(nn.Module):
    """Windowed attention, a depthwise convolution without residual, and an MLP on (1, side, side, width)."""

    def __init__(self, width: int, window: int, side: int) -> None:
        super().__init__()
        self.width, self.window, self.side = width, window, side
        self.attn = Attention(width, window)
        self.mlp = Mlp(width)
        self.local_conv = ConvNorm(width, width, 3, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attend(x)
        x = self.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return x + self.mlp(x)

    def _attend(self, x: Tensor) -> Tensor:
        # Zero tokens fill the last windows before the norm and take part in attention, as published.
        missing = -self.side % self.window
        count = (self.side + missing) // self.window
        grid = (count, self.window, count, self.window, self.width)
        windows = pad(x, (0, 0, 0, missing, 0, missing)).view(grid).transpose(1, 2)
        y = self.attn(windows.reshape(-1, self.window**2, self.width))
        y = y.view(count, count, self.window, self.window, self.width).transpose(1, 2)
        return y.reshape(1, self.side + missing, self.side + missing, self.width)[:, : self.side, : self.side]


class ConvStage(nn.Module):
    """Convolution blocks, then the step to the next stage."""

    def __init__(self, width: int, depth: int, following: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(ConvBlock(width, 4 * width, width) for _ in range(depth)))
        self.downsample = ConvBlock(width, following, following, stride=2, shortcut=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.downsample(self.blocks(x))


class WindowStage(nn.Module):
    """Window blocks, then the step to the next stage if there is one; (1, C, H, W) in and out."""

    def __init__(self, width: int, depth: int, window: int, side: int, following: int = 0, stride: int = 1) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(WindowBlock(width, window, side) for _ in range(depth)))
        if following:
            self.downsample = ConvBlock(width, following, following, stride, shortcut=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.downsample(x) if hasattr(self, "downsample") else x


class TinyViT(nn.Module):
    """(1, 3, 256, 256) float32 to an embedding (1, 256, 64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed()
        self.layers = nn.Sequential(
            ConvStage(64, 2, following=128),
            WindowStage(128, 2, window=7, side=128, following=160, stride=2),
            WindowStage(160, 6, window=14, side=64, following=320),
            WindowStage(320, 2, window=7, side=64),
        )
        self.neck = neck(320)

    def forward(self, image: Tensor) -> Tensor:
        return self.neck(self.layers(self.patch_embed(image)))
