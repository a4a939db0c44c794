"""Intensity augmentation of uint8 pictures: a tone curve by table, noise, blur, coarse resampling."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

__all__ = ["vary"]

_NOISE_BANK = 1 << 20


def vary(rng: np.random.Generator, picture: NDArray[np.uint8], *, grey: bool) -> NDArray[np.uint8]:
    """A copy of `picture`, uint8 (H, W) or (H, W, 3), as another scanner or camera might show it.

    The three channels of a grey scan are slices: they get one tone curve and never turn to colour.
    """
    if rng.random() < 0.7:
        tables = [_tone(rng)] if grey or picture.ndim == 2 else _colour_tones(rng)
        picture = _apply(tables, picture)
    if rng.random() < 0.12:
        radius = float(rng.uniform(0.3, 1.5))
        picture = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))
    if rng.random() < 0.12 and min(picture.shape[:2]) > 64:
        picture = _coarsen(rng, picture)
    if rng.random() < 0.2:
        picture = _add_noise(rng, picture, float(rng.uniform(2, 16)))
    return picture


def _tone(rng: np.random.Generator) -> NDArray[np.float32]:
    """A monotonous curve on 0..255: gamma, contrast, brightness, seldom turned to its negative."""
    level = np.linspace(0, 1, 256, dtype=np.float32) ** np.exp(rng.normal(0, 0.3))
    curve = (level - 0.5) * np.exp(rng.normal(0, 0.2)) + 0.5 + rng.normal(0, 0.06)
    if rng.random() < 0.04:
        curve = 1 - curve
    return np.clip(curve * 255, 0, 255)


def _colour_tones(rng: np.random.Generator) -> list[NDArray[np.float32]]:
    base = _tone(rng)
    return [np.clip(base * gain, 0, 255) for gain in np.exp(rng.normal(0, 0.06, 3))]


def _apply(tables: list[NDArray[np.float32]], picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rounded = [table.round().astype(np.uint8) for table in tables]
    if len(rounded) == 1:
        return rounded[0][picture]
    return np.stack([table[picture[:, :, i]] for i, table in enumerate(rounded)], 2)


def _coarsen(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Down and up again: a picture whose pixels are finer than its content."""
    height, width = picture.shape[:2]
    factor = float(rng.uniform(0.4, 0.85))
    small = Image.fromarray(picture).resize((int(width * factor), int(height * factor)), Image.Resampling.BILINEAR)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))


@functools.cache
def _noise_bank() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(_NOISE_BANK, np.float32)


def _add_noise(rng: np.random.Generator, picture: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    bank = _noise_bank()
    start = int(rng.integers(0, bank.size - picture.size)) if picture.size < bank.size else 0
    noise = np.resize(bank[start : start + picture.size], picture.shape)
    return np.clip(picture + noise * np.float32(sigma), 0, 255).astype(np.uint8)
