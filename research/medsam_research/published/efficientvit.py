"""EfficientViT-SAM's image encoders L0, L1 and L2, as MedficientSAM (512 pixels) and DAFT (L0 at 256) use them.

Convolutions with a norm have no bias and the other way round; all norms have eps 1e-6, all GELU are the tanh form.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .layers import LayerNorm2d

__all__ = ["DEPTHS", "Bicubic", "EfficientViT"]

DEPTHS = {"l0": (1, 1, 1, 4, 4, 4), "l1": (1, 1, 1, 6, 6, 8), "l2": (1, 2, 2, 8, 8, 12)}
"""Blocks after the first of each stage, then of the neck."""

WIDTHS = (32, 64, 128, 256, 512)
EMBEDDING, GRID, HEAD = 256, 64, 32


def conv(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    after: Literal["norm", "bias", "nothing"] = "norm",
    act: bool = True,
) -> nn.Sequential:
    """A convolution ``conv`` with a norm ``norm`` or a bias, and GELU."""
    bias = after == "bias"
    parts: dict[str, nn.Module] = {
        "conv": nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=bias)
    }
    if after == "norm":
        parts["norm"] = nn.BatchNorm2d(outputs, eps=1e-6)
    if act:
        parts["act"] = nn.GELU(approximate="tanh")
    return nn.Sequential(OrderedDict(parts))


def named(**modules: nn.Module) -> nn.Sequential:
    """Modules one after another, under names."""
    return nn.Sequential(OrderedDict(modules))


def in_list(*modules: nn.Module) -> nn.Sequential:
    """Modules one after another, under ``op_list.0``, ``op_list.1`` ..."""
    return named(op_list=nn.Sequential(*modules))


class Residual(nn.Module):
    """A block ``main`` with a shortcut."""

    def __init__(self, main: nn.Module) -> None:
        super().__init__()
        self.main = main

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x) + x


def res_block(width: int) -> nn.Sequential:
    """Two 3x3 convolutions."""
    return named(conv1=conv(width, width, 3), conv2=conv(width, width, 3, act=False))


def fused_block(inputs: int, hidden: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A widening 3x3 convolution, then a narrowing 1x1."""
    return named(spatial_conv=conv(inputs, hidden, 3, stride), point_conv=conv(hidden, outputs, act=False))


def inverted_block(inputs: int, hidden: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Widen, 3x3 for each channel, narrow; a norm only at the end."""
    return named(
        inverted_conv=conv(inputs, hidden, after="bias"),
        depth_conv=conv(hidden, hidden, 3, stride, groups=hidden, after="bias"),
        point_conv=conv(hidden, outputs, act=False),
    )


class LinearAttention(nn.Module):
    """ReLU attention without softmax at two scales, 1 and 5 pixels; its cost grows linearly with the pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = conv(width, 3 * width, after="nothing", act=False)
        mixed = 3 * width
        self.aggreg = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(mixed, mixed, 5, padding=2, groups=mixed, bias=False),
                    nn.Conv2d(mixed, mixed, 1, groups=mixed // HEAD, bias=False),
                )
            ]
        )
        self.proj = conv(2 * width, width, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """(1, C, H, W) to the same."""
        qkv = self.qkv(x)
        heads = torch.cat([qkv, self.aggreg[0](qkv)], 1).view(1, -1, 3 * HEAD, x.shape[2] * x.shape[3])
        q, k, v = heads.split(HEAD, 2)
        q, k = q.relu(), k.relu()
        mixed = (v @ k.transpose(2, 3)) @ q
        weight = k.sum(3).unsqueeze(2) @ q
        return self.proj((mixed / (weight + 1e-15)).view(1, -1, x.shape[2], x.shape[3]))


def attention_block(width: int) -> nn.Sequential:
    """Attention, then an inverted bottleneck, each with a shortcut."""
    return named(
        context_module=Residual(LinearAttention(width)), local_module=Residual(inverted_block(width, 6 * width, width))
    )


def backbone_stages(depths: tuple[int, ...]) -> nn.ModuleList:
    """Five stages at strides 2, 4, 8, 16 and 32; the first block of each halves the picture and has no shortcut."""
    w0, w1, w2, w3, w4 = WIDTHS
    d0, d1, d2, d3, d4 = depths
    return nn.ModuleList(
        [
            in_list(conv(3, w0, 3, 2), *(Residual(res_block(w0)) for _ in range(d0))),
            in_list(
                named(main=fused_block(w0, 16 * w0, w1, 2)),
                *(Residual(fused_block(w1, 4 * w1, w1)) for _ in range(d1)),
            ),
            in_list(
                named(main=fused_block(w1, 16 * w1, w2, 2)),
                *(Residual(fused_block(w2, 4 * w2, w2)) for _ in range(d2)),
            ),
            in_list(
                named(main=inverted_block(w2, 16 * w2, w3, 2)),
                *(Residual(inverted_block(w3, 4 * w3, w3)) for _ in range(d3)),
            ),
            in_list(named(main=inverted_block(w3, 24 * w3, w4, 2)), *(attention_block(w4) for _ in range(d4))),
        ]
    )


class Backbone(nn.Module):
    """(1, 3, S, S) to the maps of the last three stages, coarsest first."""

    def __init__(self, depths: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = backbone_stages(depths)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps[:1:-1]


class Bicubic(nn.Module):
    """Enlarges a map of `side` cells to the embedding's grid; a map of that size stays as it is."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        return x if self.side == GRID else interpolate(x, (GRID, GRID), mode="bicubic", align_corners=False)


class Neck(nn.Module):
    """The three maps at the embedding's grid and width, summed, and blocks upon them."""

    def __init__(self, depth: int, input_size: int) -> None:
        super().__init__()
        self.input_ops = nn.ModuleList(in_list(conv(width, EMBEDDING, act=False)) for width in WIDTHS[:1:-1])
        self.enlarge = nn.ModuleList(Bicubic(input_size // stride) for stride in (32, 16, 8))
        self.middle = in_list(*(Residual(fused_block(EMBEDDING, EMBEDDING, EMBEDDING)) for _ in range(depth)))
        self.output_ops = nn.ModuleList([in_list(conv(EMBEDDING, EMBEDDING, after="bias", act=False))])

    def forward(self, maps: list[Tensor]) -> Tensor:
        grids = [enlarge(op(x)) for x, op, enlarge in zip(maps, self.input_ops, self.enlarge, strict=True)]
        return self.output_ops[0](self.middle(grids[0] + grids[1] + grids[2]))


class EfficientViT(nn.Module):
    """(1, 3, S, S) float32 to an embedding (1, 256, 64, 64), for S = `input_size`."""

    def __init__(self, variant: str, input_size: int) -> None:
        super().__init__()
        *stages, neck = DEPTHS[variant]
        self.backbone = Backbone(tuple(stages))
        self.neck = Neck(neck, input_size)
        self.norm = LayerNorm2d(EMBEDDING)

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(self.neck(self.backbone(image)))
