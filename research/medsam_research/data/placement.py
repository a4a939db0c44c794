"""A geometric augmentation (crop, flips, quarter turn, mild rotation) applied alike to pixels and masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Placement", "random_placement"]

_QUARTER_TURN_SHARE, _ROTATION_SHARE, _CROP_SHARE = 0.25, 0.25, 0.5
_LARGEST_ANGLE_DEG = 20.0


@dataclass(frozen=True)
class Placement:
    """Rotate about the centre, then crop, then flip, then transpose.

    `crop` is ``(x0, y0, x1, y1)`` in pixels of the source; `angle_deg` counter-clockwise.
    """

    crop: tuple[int, int, int, int]
    flip_x: bool = False
    flip_y: bool = False
    transpose: bool = False
    angle_deg: float = 0.0

    def pixels(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Placed copy of a uint8 (H, W) or (H, W, 3) picture; bilinear where rotated, black beyond."""
        return np.ascontiguousarray(self._place(self._rotated(picture, Image.Resampling.BILINEAR)))

    def mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Placed copy of a boolean (H, W) mask."""
        if not self.angle_deg:
            return self._place(mask)
        grey = self._rotated(mask.astype(np.uint8) * 255, Image.Resampling.BILINEAR)
        return self._place(grey >= 128)

    def labels(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Placed copy of a uint8 (H, W) label map."""
        return self._place(self._rotated(labels, Image.Resampling.NEAREST))

    def _rotated(self, picture: NDArray[np.uint8], how: Image.Resampling) -> NDArray[np.uint8]:
        if not self.angle_deg:
            return picture
        return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).rotate(self.angle_deg, how))

    def _place(self, picture: NDArray) -> NDArray:
        x0, y0, x1, y1 = self.crop
        part = picture[y0:y1, x0:x1]
        part = part[:, ::-1] if self.flip_x else part
        part = part[::-1] if self.flip_y else part
        return part.swapaxes(0, 1) if self.transpose else part


def random_placement(
    rng: np.random.Generator, shape: tuple[int, int], keep: tuple[int, int, int, int], *, upright: bool
) -> Placement:
    """A random placement of a picture of `shape` (H, W) whose crop holds the box `keep` (x0, y0, x1, y1).

    `upright` pictures (a chest film, a sagittal spine) are seldom turned by a quarter or upside down.
    """
    height, width = shape
    crop = (0, 0, width, height)
    if rng.random() < _CROP_SHARE:
        free = np.array([keep[0], keep[1], width - keep[2], height - keep[3]])
        # Cubes of uniform numbers favour wide margins; some crops end close to the object.
        cut = (free * rng.random(4) ** rng.uniform(0.5, 3)).astype(int)
        crop = (int(cut[0]), int(cut[1]), width - int(cut[2]), height - int(cut[3]))
    odd = 0.1 if upright else 0.5
    return Placement(
        crop,
        flip_x=rng.random() < 0.5,
        flip_y=rng.random() < odd,
        transpose=rng.random() < _QUARTER_TURN_SHARE * (0.4 if upright else 2),
        angle_deg=float(rng.uniform(-1, 1) * _LARGEST_ANGLE_DEG) if rng.random() < _ROTATION_SHARE else 0.0,
    )
