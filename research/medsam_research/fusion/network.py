"""The fusion network: a small 3-D U-Net that corrects the views' logits where the picture or the user says so."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medsam_research.models.planes import BOX_HALF

__all__ = ["Fusion"]

PLANES = 8
WIDTHS = (8, 20, 36, 56)
CLICK_PLANES = 4
SCALARS = 5


class _Conv(nn.Module):
    """3-D convolution, batch normalisation, ReLU unless `act` is False."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, act: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm3d(outputs)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x))
        return torch.relu(y) if self.act else y


class _Block(nn.Module):
    """``relu(x + two convolutions)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_Conv(channels, channels), _Conv(channels, channels, act=False))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class _Up(nn.Module):
    """Narrow, double the resolution, add what was seen there, refine."""

    def __init__(self, inputs: int, outputs: int, refine: nn.Module) -> None:
        super().__init__()
        self.narrow = _Conv(inputs, outputs, 1, act=False)
        self.refine = refine

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.refine(torch.relu(F.interpolate(self.narrow(x), scale_factor=2.0, mode="nearest") + skip))


class Fusion(nn.Module):
    """Picture and views of an object in its cube to what is to be added to the views' logits.

    At the start it adds nothing, so that training begins with what the views agree on.
    """

    def __init__(self) -> None:
        super().__init__()
        w0, w1, w2, w3 = WIDTHS
        self.full = _Conv(PLANES, w0, act=False)
        self.clicks = nn.Conv3d(CLICK_PLANES, w0, 3, 1, 1, bias=False)
        self.clicks_at_half = nn.Conv3d(CLICK_PLANES, w1, 3, 2, 1, bias=False)
        self.down1 = _Conv(w0, w1, 3, 2, act=False)
        self.prompt = nn.Linear(SCALARS, w1)
        self.at_half = _Block(w1)
        self.down2 = _Conv(w1, w2, 3, 2)
        self.at_quarter = _Block(w2)
        self.down3 = _Conv(w2, w3, 3, 2)
        self.at_eighth = _Block(w3)
        self.context = nn.Linear(w3, w3)
        self.up2 = _Up(w3, w2, _Block(w2))
        self.up1 = _Up(w2, w1, _Block(w1))
        self.up0 = _Up(w1, w0, _Conv(w0, w0))
        self.change = nn.Conv3d(w0, 1, 1)
        for layer in (self.change, self.clicks, self.clicks_at_half):
            nn.init.zeros_(layer.weight)
        assert self.change.bias is not None
        nn.init.zeros_(self.change.bias)

    def forward(self, picture: Tensor, valid: Tensor, logits: Tensor, scale: Tensor, clicks: Tensor) -> Tensor:
        """Change of the logits, (N, 1, G, G, G).

        Parameters
        ----------
        picture : (N, 1, G, G, G) in 0..255
        valid : (N, 1, G, G, G), 1 where the volume exists
        logits : (N, 1, G, G, G), what the views agree on
        scale : (N, 3) log2 of voxels a cell along the slices, rows and columns
        clicks : (N, 2, G, G, G), see `paint_clicks`; zero where the user said nothing
        """
        clicked = _click_planes(picture, clicks)
        full = torch.relu(self.full(_planes(picture, valid, logits)) + self.clicks(clicked))
        half = self.down1(full) + self.prompt(_scalars(scale))[:, :, None, None, None] + self.clicks_at_half(clicked)
        half = self.at_half(torch.relu(half))
        quarter = self.at_quarter(self.down2(half))
        eighth = self.at_eighth(self.down3(quarter))
        eighth = eighth + self.context(eighth.mean((2, 3, 4)))[:, :, None, None, None]
        up = self.up1(self.up2(torch.relu(eighth), quarter), half)
        return self.change(self.up0(up, full))


def _scalars(scale: Tensor) -> Tensor:
    """Sizes of cells, and how the slices' differ from those of the pixels on them."""
    along, rows, columns = scale[:, :1], scale[:, 1:2], scale[:, 2:]
    return torch.cat([scale * 0.5, along - (rows + columns) * 0.5, torch.relu(-along)], 1)


def _planes(picture: Tensor, valid: Tensor, logits: Tensor) -> Tensor:
    """Everything that varies over the cube, (N, PLANES, G, G, G)."""
    grid = picture.shape[-1]
    cells = torch.arange(grid, dtype=torch.float32, device=picture.device)
    line = ((cells + 0.5) * (2 / grid) - 1) * BOX_HALF
    zeros = picture * 0  # not constants: a graph would store them at full size
    z, y, x = zeros + line[:, None, None], zeros + line[:, None], zeros + line
    ellipsoid = 1 - x * x - y * y - z * z
    box = 1 - torch.maximum(torch.maximum(x.abs(), y.abs()), z.abs())
    shown = (picture * (1 / 128) - 1) * valid
    likely = torch.sigmoid(logits)
    seen = [shown, _standardised(picture, likely), valid, logits * 0.25, likely]
    return torch.cat([*seen, ellipsoid, box, z.abs()], 1)


def _click_planes(picture: Tensor, clicks: Tensor) -> Tensor:
    """Where the clicks are, and what is as bright as there, (N, CLICK_PLANES, G, G, G); zero without clicks."""
    positive, negative = clicks[:, :1], clicks[:, 1:]
    said = [one.amax((2, 3, 4), keepdim=True) for one in (positive, negative)]
    alike = [_standardised(picture, one) * there for one, there in zip((positive, negative), said, strict=True)]
    return torch.cat([positive, negative, *alike], 1)


def _standardised(picture: Tensor, likely: Tensor) -> Tensor:
    """The picture with mean 0 and deviation 1 under a soft mask: as bright as what is there, or not."""
    axes = (2, 3, 4)
    weight = likely + 1e-4
    total = weight.sum(axes, keepdim=True)
    mean = (picture * weight).sum(axes, keepdim=True) / total
    apart = picture - mean
    deviation = torch.sqrt((apart * apart * weight).sum(axes, keepdim=True) / total + 16.0)
    return torch.clamp(apart / deviation, -4, 4)
