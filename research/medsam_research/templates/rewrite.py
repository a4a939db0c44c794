"""Replaces parts of a published encoder by equal ones that ONNX Runtime runs faster; only rounding differs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..published.efficientvit import GRID, Bicubic
from ..published.repvit import DepthwiseTriple

__all__ = ["MatrixResize", "MergedTriple", "rewrite"]


class MatrixResize(nn.Module):
    """Bicubic enlargement by a constant matrix on either side: the runtime's own cubic resize is slow."""

    matrix: Tensor

    def __init__(self, resize: Bicubic) -> None:
        super().__init__()
        unit = torch.eye(resize.side)[None, None]
        rows = interpolate(unit, (GRID, resize.side), mode="bicubic", align_corners=False)[0, 0]
        self.register_buffer("matrix", rows, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.matrix @ x @ self.matrix.t()


class MergedTriple(nn.Module):
    """One depthwise convolution ``merged`` for three branches and two norms; the import computes its weights."""

    def __init__(self, triple: DepthwiseTriple) -> None:
        super().__init__()
        width = triple.bn.num_features
        self.merged = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        return self.merged(x)


def rewrite(encoder: nn.Module) -> None:
    """Replace, inside `encoder`, whatever has a faster equal."""
    for parent in list(encoder.modules()):
        for name, child in parent.named_children():
            if isinstance(child, Bicubic) and child.side != GRID:
                setattr(parent, name, MatrixResize(child))
            elif isinstance(child, DepthwiseTriple):
                setattr(parent, name, MergedTriple(child))
