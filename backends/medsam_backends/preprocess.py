"""From a picture to an encoder's input, as a manifest's `input` object says, and the frame that maps back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .resize import resize
from .shrink import shrink
from .types import Box, Prompt

__all__ = ["Frame", "network_box", "network_input"]


@dataclass(frozen=True)
class Frame:
    """How a picture lies in the encoder's square input: top left, padded right and below.

    Attributes
    ----------
    size : (H, W) of the original picture
    resized : (h, w) that it takes of the input
    side : of the input
    square : whether each axis is scaled to the whole side; otherwise both by the factor of the longest
    """

    size: tuple[int, int]
    resized: tuple[int, int]
    side: int
    square: bool = False

    @classmethod
    def of(cls, size: tuple[int, int], side: int, resize_rule: str) -> Frame:
        """The frame of a picture of `size`; the rounding is that of all published systems."""
        height, width = size
        if resize_rule == "square":
            return cls(size, (side, side), side, square=True)
        scale = side * 1.0 / max(height, width)
        return cls(size, (max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))), side)


def network_input(image: NDArray[np.generic], settings: dict[str, Any]) -> NDArray[np.float32]:
    """Resize, normalise and pad a picture.

    Parameters
    ----------
    image : (H, W) or (H, W, 3), uint8 or float32 in [0, 255]
    settings : the manifest's `input`

    Returns
    -------
    (1, 3, side, side) float32
    """
    side = settings["size"]
    frame = Frame.of((image.shape[0], image.shape[1]), side, settings["resize"])
    if settings["interpolation"] == "window":
        planes = np.broadcast_to(shrink(image, side), (3, side, side))
        return np.ascontiguousarray(_normalise(planes, settings["normalisation"])[None])
    # The published systems resize 8-bit pictures; what a preset made of a volume is rounded as they do.
    picture = image if image.dtype == np.uint8 else np.clip(np.rint(image), 0, 255).astype(np.uint8)
    small = resize(picture, frame.resized, settings["interpolation"]).astype(np.float32)
    small = _normalise(small, settings["normalisation"])
    out = np.zeros((1, 3, side, side), np.float32)
    out[0, :, : frame.resized[0], : frame.resized[1]] = small if small.ndim == 2 else np.moveaxis(small, 2, 0)
    return out


def _normalise(picture: NDArray[np.float32], rule: dict[str, Any]) -> NDArray[np.float32]:
    kind = rule["kind"]
    if kind == "scale_255":
        return picture / np.float32(255)
    if kind == "minmax":
        low = picture.min()
        spread = np.maximum(picture.max() - low, np.float32(rule.get("eps", 1e-8)))
        return np.asarray((picture - low) / spread, np.float32)
    if kind == "mean_std":
        mean, std = np.asarray(rule["mean"], np.float32), np.asarray(rule["std"], np.float32)
        picture = picture[..., None] if picture.ndim == 2 else picture
        return np.asarray((picture - mean) / std, np.float32)
    return picture


def network_box(prompt: Prompt, frame: Frame, rule: dict[str, Any]) -> Box:
    """The numbers a SAM-like decoder is given for a prompt's box, as the manifest's `box` says."""
    if prompt.frame == "network":
        return prompt.box
    x0, y0, x1, y1 = prompt.box
    if rule["corners"] == "inclusive":
        x1, y1 = x1 - 1, y1 - 1
    unit = 1.0 if rule["unit"] == "fraction" else float(frame.side)
    height, width = frame.size if frame.square else (max(frame.size),) * 2
    scales = (unit / width, unit / height) * 2
    box = [value * scale for value, scale in zip((x0, y0, x1, y1), scales, strict=True)]
    if rule["rounding"] == "truncate":
        box = [float(int(value)) for value in box]
    return box[0], box[1], box[2], box[3]
