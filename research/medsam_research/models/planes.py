"""What the decoder is told: the window's planes, the prompt's scalars, the encoder's features under the window.

Everything is computed inside the exported graph, so that training and inference cannot differ.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["BOX_HALF", "PLANES", "SCALARS", "features_on_window", "prompt_scalars", "window_planes"]

BOX_HALF = 1.4
"""Half the window's side in units of half the box: the box is the central 1 / 1.4 of the grid."""

PLANES = 13
SCALARS = 7


def _coordinates(grid: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cell centres in box units (-1 and 1 are the box's edges), x and y as (1, 1, grid, grid)."""
    line = ((torch.arange(grid, device=device) + 0.5) * (2 / grid) - 1) * BOX_HALF
    ones = torch.ones(grid, grid, device=device)
    return (line[None] * ones)[None, None], (line[:, None] * ones)[None, None]


def _standardised(window: Tensor, valid: Tensor) -> Tensor:
    """The centre channel with mean 0 and deviation 1 over the valid cells, (N, 1, G, G)."""
    centre, count = window[:, 1:2], valid.sum((2, 3), keepdim=True) + 1e-3
    mean = (centre * valid).sum((2, 3), keepdim=True) / count
    apart = (centre - mean) * valid
    deviation = torch.sqrt((apart * apart).sum((2, 3), keepdim=True) / count + 1.0)
    return apart / deviation


def window_planes(window: Tensor, valid: Tensor, position: Tensor, prior: Tensor, points: Tensor) -> Tensor:
    """Stack everything that varies over the window.

    Parameters
    ----------
    window : (N, 3, G, G) picture, 0..255
    valid : (N, 1, G, G), 1 where the picture exists
    position : (N, 2): has_position, t (place between the first and last slice of the box, -1..1)
    prior : (N, 1, G, G), 0..1
    points : (N, 2, G, G), positive and negative clicks

    Returns
    -------
    (N, PLANES, G, G) tensor
    """
    x, y = _coordinates(window.shape[-1], window.device)
    radius = x * x + y * y
    inside = 1 - torch.maximum(x.abs(), y.abs())
    constant = torch.cat([x, y, radius, inside], 1)
    t = (position[:, :1] * position[:, 1:])[:, :, None, None]
    ellipsoid = 1 - radius - t * t
    shown = (window * (1 / 128) - 1) * valid
    return torch.cat(
        [
            shown,
            _standardised(window, valid),
            valid,
            constant.expand(window.shape[0], -1, -1, -1),
            ellipsoid,
            prior,
            points,
        ],
        1,
    )


def prompt_scalars(scale: Tensor, position: Tensor, has_prior: Tensor) -> Tensor:
    """What is the same all over the window, (N, SCALARS); `scale` is log2 of source pixels per cell, x and y."""
    has_position, t = position[:, :1], position[:, :1] * position[:, 1:]
    return torch.cat([has_position, t, t.abs(), has_prior, scale * 0.5, scale[:, :1] - scale[:, 1:]], 1)


def _weights(low: Tensor, high: Tensor, cells: int, length: int) -> Tensor:
    """Hat weights (N, cells, length) that read `cells` cells of [low, high) from a line of `length` cells.

    `low` and `high` are fractions of the line, (N, 1). As in the product's window sampling: bilinear where cells are
    smaller than the line's, an anti-aliased mean where larger, zero beyond the ends.
    """
    size = (high - low) * (length / cells)
    index = torch.arange(cells, device=low.device, dtype=low.dtype) + 0.5
    centre = low * length + size * index[None]
    place = torch.arange(length, device=low.device, dtype=low.dtype) + 0.5
    reach = torch.relu(size - 1)[:, :, None] + 1
    return torch.relu(1 - (centre[:, :, None] - place).abs() / reach) / reach


def features_on_window(features: Tensor, rect: Tensor, cells: int) -> Tensor:
    """Resample `features` (N or 1, C, S, S) under `rect` (N, 4; edges as fractions) to (N, C, cells, cells).

    Two matrix products with hat functions: the same as a bilinear grid sampling, in operators every runtime has.
    """
    height, width = features.shape[-2:]
    rows = _weights(rect[:, 1:2], rect[:, 3:4], cells, height)
    cols = _weights(rect[:, 0:1], rect[:, 2:3], cells, width)
    return rows[:, None] @ features @ cols.transpose(1, 2)[:, None]
