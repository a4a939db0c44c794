"""Grey values of tissues in three dimensions: CT in usual windows, MR weightings with bias and noise, PET by uptake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .pet import pet_picture, uptake
from .solid import Field, Triple, smooth_field

__all__ = ["TISSUES", "Scanner", "Tissue"]

_WINDOWS = {
    "soft": ((40, 400), (40, 400), (50, 350), (30, 250), (60, 700)),
    "bone": ((40, 400), (300, 600), (300, 1500), (400, 1800), (500, 2500)),
    "chest": ((40, 400), (50, 350), (-600, 1500), (-500, 1800), (0, 1200)),
    "brain": ((40, 80), (35, 120), (40, 200)),
}


@dataclass(frozen=True)
class Tissue:
    """How a tissue looks: HU (native, arterial, venous) with their spread, T1, T2 and fluid-suppressed grey, mottle."""

    hu: Triple
    spread: float
    mr: Triple
    mottle: float = 0.0


def _like(hu: float, spread: float, mr: Triple, mottle: float = 0.0) -> Tissue:
    """A tissue that contrast agent leaves alone."""
    return Tissue((hu, hu, hu), spread, mr, mottle)


TISSUES: dict[str, Tissue] = {
    "air": _like(-1000, 0, (0.02, 0.02, 0.02)),
    "lung": _like(-830, 40, (0.06, 0.07, 0.06), 1.5),
    "fat": _like(-100, 10, (0.92, 0.75, 0.7), 0.5),
    "water": _like(8, 5, (0.12, 0.97, 0.08)),
    "muscle": Tissue((52, 58, 64), 6, (0.38, 0.22, 0.3), 0.5),
    "blood": Tissue((42, 300, 150), 15, (0.25, 0.15, 0.2)),
    "bright blood": Tissue((42, 340, 160), 15, (0.95, 0.9, 0.6)),
    "vein": Tissue((40, 110, 160), 20, (0.3, 0.35, 0.3)),
    "wall": Tissue((42, 65, 80), 8, (0.4, 0.35, 0.35)),
    "cortex bone": _like(850, 220, (0.06, 0.05, 0.05), 2),
    "spongy bone": _like(230, 80, (0.62, 0.42, 0.4), 3),
    "disc": _like(80, 12, (0.38, 0.3, 0.35), 0.5),
    "nucleus": _like(85, 12, (0.35, 0.75, 0.4), 0.5),
    "cartilage": _like(100, 20, (0.45, 0.5, 0.45)),
    "cord": _like(36, 4, (0.5, 0.42, 0.5)),
    "grey matter": _like(38, 2, (0.4, 0.7, 0.68), 0.4),
    "white matter": _like(30, 2, (0.74, 0.36, 0.46), 0.3),
    "deep nucleus": _like(37, 2, (0.52, 0.5, 0.58), 0.4),
    "pallidum": _like(36, 2, (0.6, 0.36, 0.46), 0.3),
    "oedema": _like(24, 3, (0.4, 0.85, 0.92), 1),
    "plaque": _like(27, 3, (0.42, 0.88, 0.97), 0.5),
    "tumour": Tissue((38, 60, 65), 10, (0.5, 0.66, 0.72), 1.5),
    "bright rim": Tissue((38, 70, 85), 10, (0.95, 0.62, 0.66), 1.5),
    "necrosis": _like(16, 6, (0.18, 0.9, 0.45), 0.8),
    "liver": Tissue((58, 72, 110), 9, (0.56, 0.3, 0.4), 0.5),
    "spleen": Tissue((48, 115, 122), 9, (0.4, 0.55, 0.5), 0.5),
    "kidney cortex": Tissue((34, 180, 185), 15, (0.52, 0.52, 0.5), 0.5),
    "medulla": Tissue((34, 75, 165), 15, (0.38, 0.62, 0.5), 0.5),
    "pancreas": Tissue((42, 100, 88), 9, (0.58, 0.42, 0.45), 1),
    "adrenal": Tissue((25, 70, 75), 10, (0.45, 0.4, 0.4)),
    "bile": _like(10, 5, (0.2, 0.95, 0.4)),
    "urine": _like(6, 5, (0.12, 0.97, 0.1)),
    "gas": _like(-940, 20, (0.02, 0.02, 0.02)),
    "stool": _like(10, 50, (0.45, 0.4, 0.4), 8),
    "chyme": _like(25, 12, (0.3, 0.75, 0.4), 2),
    "oral contrast": _like(330, 120, (0.9, 0.9, 0.8), 1),
    "calcium": _like(700, 200, (0.03, 0.03, 0.03)),
    "transition zone": Tissue((42, 60, 75), 8, (0.4, 0.4, 0.42), 2.5),
    "peripheral zone": Tissue((38, 50, 60), 8, (0.38, 0.8, 0.45), 1),
    "heart wall": Tissue((45, 110, 110), 8, (0.4, 0.35, 0.38), 0.5),
    "sarcoma": Tissue((42, 55, 64), 9, (0.38, 0.75, 0.68), 1),
    "metastasis": Tissue((40, 48, 62), 9, (0.36, 0.55, 0.52), 0.8),
    "enhancing tumour": Tissue((46, 130, 95), 12, (0.42, 0.6, 0.6), 1),
    "collapsed lung": Tissue((40, 85, 90), 8, (0.4, 0.55, 0.5), 0.5),
    "ground glass": _like(-600, 60, (0.14, 0.18, 0.15), 2),
    "marrow": _like(170, 60, (0.62, 0.45, 0.4), 1),
    "porous bone": _like(70, 40, (0.74, 0.55, 0.45), 1.2),
    "thin cortex": _like(420, 120, (0.08, 0.06, 0.06), 1.5),
    "thalamus": _like(36, 2, (0.62, 0.45, 0.52), 0.3),
}


class Scanner:
    """One patient in one scanner: every tissue keeps its tone, objects differ a little.

    Parameters
    ----------
    modality : ``CT`` (values in HU), ``MR`` (values 0..1) or ``PET`` (values in SUV)
    window : the family of CT windows that a reader of this region would use
    """

    def __init__(self, rng: np.random.Generator, modality: str, window: str = "soft") -> None:
        self.rng, self.modality, self._window = rng, modality, window
        self._phase = int(rng.choice([0, 0, 1, 2, 2]))
        self._tones = {name: self._tone_of(tissue) for name, tissue in TISSUES.items()}
        if modality == "MR":
            self._weight()
        if modality == "PET":
            self._tones = {name: uptake(rng, name) for name in TISSUES}

    def _tone_of(self, tissue: Tissue) -> float:
        return float(self.rng.normal(tissue.hu[self._phase], tissue.spread))

    def _weight(self) -> None:
        """T1, T2, fluid suppressed or something between; at times fat suppressed, at times unlike any table."""
        rng = self.rng
        mix = rng.uniform(0.6, 1) * np.eye(3)[rng.choice(3, p=[0.4, 0.38, 0.22])]
        mix += (1 - mix.sum()) * rng.dirichlet([1, 1, 1])
        strange, suppressed = rng.random() < 0.12, rng.random() < 0.25
        for name, tissue in TISSUES.items():
            tone = float(mix @ np.array(tissue.mr)) + rng.normal(0, 0.025)
            if strange and tissue.mr[0] > 0.1:
                tone = rng.uniform(0.08, 0.95)
            if suppressed and name in ("fat", "spongy bone", "marrow", "porous bone"):
                tone *= 0.3
            self._tones[name] = float(np.clip(tone, 0.01, 1))

    def tone(self, tissue: str) -> float:
        """The value of one object of this tissue."""
        if self.modality == "CT":
            return self._tones[tissue] + float(self.rng.normal(0, TISSUES[tissue].spread / 4))
        if self.modality == "PET":
            return self._tones[tissue] * float(np.exp(self.rng.normal(0, 0.15)))
        return float(np.clip(self._tones[tissue] + self.rng.normal(0, 0.012), 0.01, 1))

    def mottle(self, tissue: str) -> float:
        """The deviation of the tissue's own texture, in values."""
        if self.modality == "PET":
            return 0.15 * self._tones[tissue]
        return TISSUES[tissue].mottle * (18.0 if self.modality == "CT" else 0.02)

    def uneven(self, values: Field, noise: Field, strength: float) -> Field:
        """`values` of a tissue that is not the same everywhere; `noise` has deviation 1, `strength` is 0..1."""
        if self.modality == "CT":
            return values + np.float32(9 * strength**2) * noise
        return values * np.exp(np.float32((0.25 if self.modality == "MR" else 0.8) * strength) * noise)

    def picture(self, values: Field, spacing: Triple) -> NDArray[np.uint8]:
        """Scan and show (S, R, C) `values` as uint8; `spacing` in mm blurs thin slices less than thick ones."""
        rng = self.rng
        if self.modality == "PET":
            return pet_picture(rng, values, spacing)
        blur = rng.uniform(0.25, 0.75) * np.sqrt(min(spacing) / np.array(spacing))
        values = ndimage.gaussian_filter(values, np.maximum(blur, 0.2), truncate=3)
        return self._ct(values) if self.modality == "CT" else self._mr(values)

    def _ct(self, values: Field) -> NDArray[np.uint8]:
        rng = self.rng
        windows = _WINDOWS[self._window]
        level, width = windows[int(rng.integers(len(windows)))]
        level, width = level + rng.normal(0, 0.06) * width, width * np.exp(rng.normal(0, 0.2))
        sigma = rng.uniform(4, 40) if width > 150 else rng.uniform(2, 8)
        values = values + sigma * _noise(rng, values.shape, rng.uniform(0.4, 1))
        return (np.clip((values - level) / width + 0.5, 0, 1) * 255).astype(np.uint8)

    def _mr(self, values: Field) -> NDArray[np.uint8]:
        rng = self.rng
        values = values * np.exp(rng.uniform(0, 0.3) * smooth_field(rng, values.shape, (2, 2, 2)))  # type: ignore[arg-type]
        sigma, grain = 0.006 + 0.06 * rng.random() ** 2, rng.uniform(0.3, 0.8)
        values = np.hypot(values + sigma * _noise(rng, values.shape, grain), sigma * _noise(rng, values.shape, grain))
        low, high = np.percentile(values[::3, ::3, ::3], [rng.uniform(0, 1), rng.uniform(98.5, 100)])
        return (np.clip((values - low) / max(high - low, 0.05), 0, 1) * 255).astype(np.uint8)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Field:
    """Noise correlated within the slice, deviation about 1."""
    plain = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), (0, sigma, sigma), truncate=2)
    return plain / np.float32(plain.std())
