"""SAM's prompt encoder for boxes: corner tokens, the positional code of the embedding's grid, the "no mask" vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .layers import LayerNorm2d

__all__ = ["PromptEncoder"]

WIDTH, GRID = 256, 64


class FourierCode(nn.Module):
    """Random Fourier code of points in the unit square; its matrix is a buffer of the state dict."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.zeros(2, WIDTH // 2))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(..., 1) coordinates in [0, 1], broadcast against each other, to (..., WIDTH)."""
        x_row, y_row = self.positional_encoding_gaussian_matrix.split(1)
        angle = 2 * math.pi * ((2 * x - 1) * x_row[0] + (2 * y - 1) * y_row[0])
        return torch.cat([angle.sin(), angle.cos()], -1)


class PromptEncoder(nn.Module):
    """Tokens of boxes.

    Points, "not a point" and the mask branch are in every published state dict and are kept so that
    it loads strictly, but boxes do not use them.
    """

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.pe_layer = FourierCode()
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, WIDTH) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, WIDTH)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, 4, 2, 2), LayerNorm2d(4), nn.GELU(),
            nn.Conv2d(4, 16, 2, 2), LayerNorm2d(16), nn.GELU(),
            nn.Conv2d(16, WIDTH, 1),
        )  # fmt: skip
        self.no_mask_embed = nn.Embedding(1, WIDTH)

    def forward(self, boxes: Tensor) -> Tensor:
        """(N, 4) ``x0 y0 x1 y1`` in network pixels to (N, 2, 256); half a pixel is added, as published."""
        corners = (boxes.view(-1, 2, 2) + 0.5) / self.input_size
        kinds = torch.stack([self.point_embeddings[2].weight, self.point_embeddings[3].weight], 1)
        return self.pe_layer(corners[..., :1], corners[..., 1:]) + kinds

    def grid_code(self) -> Tensor:
        """(1, 4096, 256): the positional code of the embedding's cells, row by row."""
        centre = (torch.arange(GRID, dtype=torch.float32) + 0.5) / GRID
        return self.pe_layer(centre.view(1, GRID, 1), centre.view(GRID, 1, 1)).view(1, GRID * GRID, WIDTH)
