"""PET with FDG: the uptake of every tissue as SUV, the scanner's blur and noise, the window, and what can be seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .solid import Field, Triple

__all__ = ["UPTAKE", "hidden_labels", "pet_picture", "uptake"]

# Median SUV an hour after injection, and the spread of its logarithm between patients.
UPTAKE: dict[str, tuple[float, float]] = {
    "air": (0.01, 0.3),
    "gas": (0.15, 0.3),
    "lung": (0.4, 0.2),
    "fat": (0.25, 0.25),
    "water": (0.4, 0.3),
    "muscle": (0.7, 0.25),
    "blood": (1.6, 0.2),
    "bright blood": (1.6, 0.2),
    "vein": (1.4, 0.2),
    "wall": (1.3, 0.45),
    "heart wall": (3.2, 0.6),
    "cortex bone": (0.5, 0.3),
    "spongy bone": (1.3, 0.25),
    "disc": (0.6, 0.2),
    "nucleus": (0.5, 0.2),
    "cartilage": (0.6, 0.2),
    "cord": (1.8, 0.2),
    "grey matter": (7.0, 0.25),
    "white matter": (2.9, 0.25),
    "deep nucleus": (6.5, 0.25),
    "pallidum": (5.0, 0.25),
    "oedema": (1.1, 0.35),
    "plaque": (2.0, 0.2),
    "tumour": (6.0, 0.5),
    "bright rim": (7.0, 0.4),
    "sarcoma": (3.2, 0.65),
    "metastasis": (6.0, 0.4),
    "enhancing tumour": (3.5, 0.5),
    "necrosis": (0.5, 0.4),
    "collapsed lung": (1.2, 0.25),
    "ground glass": (0.8, 0.3),
    "liver": (2.2, 0.2),
    "spleen": (1.8, 0.2),
    "kidney cortex": (2.6, 0.25),
    "medulla": (3.5, 0.4),
    "pancreas": (1.4, 0.2),
    "adrenal": (1.5, 0.25),
    "bile": (0.6, 0.3),
    "urine": (15.0, 0.6),
    "stool": (1.2, 0.6),
    "chyme": (1.0, 0.5),
    "oral contrast": (1.0, 0.4),
    "calcium": (0.5, 0.2),
    "transition zone": (1.6, 0.25),
    "peripheral zone": (1.4, 0.2),
}
_SOFT_TISSUE = (1.0, 0.3)
_SIGMA = 2.355  # full widths at half maximum in one deviation
_LEAST_STEP, _MARGIN = 14, 3  # grey values, voxels


def uptake(rng: np.random.Generator, tissue: str) -> float:
    """The SUV of `tissue` in one patient; tissues without an entry are plain soft tissue."""
    median, spread = UPTAKE.get(tissue, _SOFT_TISSUE)
    return float(median * np.exp(rng.normal(0, spread)))


def pet_picture(rng: np.random.Generator, values: Field, spacing: Triple) -> NDArray[np.uint8]:
    """Scan SUVs (S, R, C) on a raster of `spacing` mm and show them as uint8.

    Counts make noise that grows with the root of the activity; the filter after reconstruction makes it blotchy.
    """
    voxel = np.array(spacing)
    clean = ndimage.gaussian_filter(values, rng.uniform(4, 7) / _SIGMA / voxel, truncate=3)
    grain = ndimage.gaussian_filter(
        rng.standard_normal(values.shape, np.float32), rng.uniform(2.5, 5) / _SIGMA / voxel, truncate=2
    )
    strength = np.exp(rng.uniform(np.log(0.02), np.log(0.25)))
    noisy = clean + np.float32(strength / grain.std()) * grain * np.sqrt(np.maximum(clean, 0) + np.float32(0.02))
    low, high = _window(rng, noisy)
    return (np.clip((noisy - low) / max(high - low, 0.5), 0, 1) * 255).astype(np.uint8)


def _window(rng: np.random.Generator, values: Field) -> tuple[float, float]:
    """Mostly percentiles of what is not nothing, else the whole range or a reader's SUV window."""
    kind = rng.random()
    if kind < 0.2:
        return 0.0, float(rng.uniform(5, 15))
    if kind < 0.35:
        return 0.0, float(values.max())
    some = values[values > 0.01]
    if not some.size:
        return 0.0, 1.0
    low, high = np.percentile(some, [0.5, 99.5])
    return float(low), float(high)


def hidden_labels(grey: NDArray[np.uint8], labels: NDArray[np.uint8]) -> list[int]:
    """The labels whose grey hardly differs from what lies round them, in the middle and in their bright part."""
    hidden = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        room = tuple(slice(max(s.start - _MARGIN, 0), s.stop + _MARGIN) for s in box)
        inside = labels[room] == label
        around = ndimage.binary_dilation(inside, iterations=_MARGIN) & ~inside
        if not around.any():
            continue
        steps = [
            abs(float(np.percentile(grey[room][inside], p)) - float(np.percentile(grey[room][around], p)))
            for p in (50, 85)
        ]
        if max(steps) < _LEAST_STEP:
            hidden.append(label)
    return hidden
