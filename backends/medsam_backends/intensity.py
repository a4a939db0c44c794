"""From a volume's intensities to the 0..255 picture that a model sees.

A transform is fitted once per volume and applied to slices on demand; the caller's array is never
written and no converted copy of the volume is made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, PromptError

__all__ = ["PRESETS", "IntensityTransform", "Preset", "fit", "get_preset"]

_MEDSAM = "MedSAM data preparation and MedSAMSlicer 0.13"
_RADIOPAEDIA = "Radiopaedia, Windowing (CT)"
_LOW_PERCENT, _HIGH_PERCENT = 0.5, 99.5  # MedSAM's rule for everything but CT
_AIR_HU = -500.0  # a CT's air and lung lie below; MR and PET hold nothing so negative
_LIMIT_HU = 32768.0  # CT is stored in 16 bits
_SAMPLE_VOXELS = 1 << 21


@dataclass(frozen=True)
class Preset:
    """A named way to map intensities.

    Attributes
    ----------
    name : what users type and choose
    level, width : centre and full width of a CT window in HU; None for the other presets
    source : where the values come from
    description : one line for a tooltip
    """

    name: str
    level: float | None
    width: float | None
    source: str
    description: str


def _presets() -> Mapping[str, Preset]:
    rows = (
        Preset("auto", None, None, "MedSAM data preparation", "CT as abdomen, 8-bit and colour as they are, else mr"),
        Preset("abdomen", 40, 400, _MEDSAM, "CT, soft tissue of the abdomen"),
        Preset("liver", 30, 150, _RADIOPAEDIA, "CT, liver lesions"),
        Preset("lung", -600, 1500, _MEDSAM, "CT, lung"),
        Preset("mediastinum", 50, 350, _MEDSAM, "CT, mediastinum"),
        Preset("brain", 40, 80, _MEDSAM, "CT, brain"),
        Preset("stroke", 40, 40, _RADIOPAEDIA, "CT, early stroke"),
        Preset("subdural", 75, 215, f"{_RADIOPAEDIA}, middle of its range", "CT, blood beside the brain"),
        Preset("temporal-bone", 600, 2800, _RADIOPAEDIA, "CT, temporal bone"),
        Preset("bone", 400, 1800, _RADIOPAEDIA, "CT, bone"),
        Preset("spine", 50, 250, _RADIOPAEDIA, "CT, soft tissue of the spine"),
        Preset("angio", 300, 600, "Usual CT angiography window", "CT, vessels with contrast"),
        Preset("mr", None, None, _MEDSAM, "MR: 0.5 to 99.5 percentile of the non-zero voxels"),
        Preset("pet", None, None, _MEDSAM, "PET: 0.5 to 99.5 percentile of the non-zero voxels"),
        Preset("display", None, None, "the viewer", "The window in which the volume is displayed"),
        Preset("manual", None, None, "the user", "Level and width that you give"),
        Preset("none", None, None, "the image", "Values as they are, cut to 0..255"),
    )
    return MappingProxyType({preset.name: preset for preset in rows})


PRESETS: Mapping[str, Preset] = _presets()


def get_preset(name: str) -> Preset:
    """The preset of that name, in small letters or capitals; raises `PromptError` naming all if there is none."""
    if name.lower() not in PRESETS:
        raise PromptError(f"There is no preset '{name}': choose one of {', '.join(PRESETS)}.")
    return PRESETS[name.lower()]


@dataclass(frozen=True)
class IntensityTransform:
    """A fitted map from intensities to [0, 255].

    Attributes
    ----------
    name : the preset that was used (what ``auto`` chose, for ``auto``)
    low, high : intensities that become 0 and 255; equal on a constant image, which becomes 0
    keep_zero : intensities of exactly 0 stay 0, whatever `low` is
    """

    name: str
    low: float
    high: float
    keep_zero: bool = False

    @property
    def key(self) -> str:
        """Text that is equal for equal pictures; part of an embedding's cache key."""
        return f"{float(self.low)!r}..{float(self.high)!r}{'z' if self.keep_zero else ''}"

    def apply(self, image: NDArray[Any]) -> NDArray[np.uint8] | NDArray[np.float32]:
        """The picture of one slice.

        Parameters
        ----------
        image : (H, W), or (H, W, C) with 1 to 4 channels (a fourth, or second, is opacity and
            dropped), any real or boolean dtype; not written to

        Returns
        -------
        (H, W) or (H, W, 3) array: float32 in [0, 255], or the input itself where it is uint8 and the
        transform leaves 0..255 alone.  Values that are not finite become 0.
        """
        image = _without_opacity(image)
        if image.dtype == np.uint8 and (self.low, self.high) == (0, 255):
            return image
        if not self.high / 2 > self.low / 2:  # halves, as `_double` takes them: the smallest range vanishes
            return np.zeros(image.shape, np.float32)
        largest = max(abs(self.low), abs(self.high))
        exact_in_single = self.high - self.low >= 1e-3 * largest and 1e-30 < largest < 1e30
        with np.errstate(over="ignore", invalid="ignore"):
            picture = self._single(image) if exact_in_single else self._double(image)
            suspect = image.dtype.kind == "f" and not np.isfinite(picture.sum())  # far cheaper than a look at each
        np.clip(picture, 0, 255, out=picture)
        if suspect:
            picture[~np.isfinite(image)] = 0
        if self.keep_zero and self.low < 0:
            picture[image == 0] = 0
        return picture

    def to_bytes(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """The picture of one slice rounded to 8 bits, as models were trained on and published systems run; see `apply`.

        Returns
        -------
        (H, W) or (H, W, 3) uint8, possibly the input itself
        """
        picture = self.apply(image)
        if picture.dtype != np.uint8:
            np.rint(picture, out=picture)
        return picture.astype(np.uint8, copy=False)

    def _single(self, image: NDArray[Any]) -> NDArray[np.float32]:
        picture = image.astype(np.float32)
        picture -= np.float32(self.low)
        picture *= np.float32(255 / (self.high - self.low))
        return picture

    def _double(self, image: NDArray[Any]) -> NDArray[np.float32]:
        # Halves, since high - low itself may be beyond the largest float64.
        half = self.high / 2 - self.low / 2
        picture: NDArray[np.float32] = ((image.astype(np.float64) / 2 - self.low / 2) / half * 255).astype(np.float32)
        return picture


def fit(
    array: NDArray[Any],
    preset: str = "auto",
    *,
    level: float | None = None,
    width: float | None = None,
    modality: str | None = None,
) -> IntensityTransform:
    """Choose and fit the intensity transform of a volume.

    Percentiles are those of the finite non-zero voxels; on a volume of more than 2 million voxels
    those of about 2 million spread evenly over all its slices, which moves a 0.5 percentile by less
    than 0.02 percent of the voxels.

    Parameters
    ----------
    array : (K, J, I) or (K, J, I, C), any real or boolean dtype; not written to
    preset : a name of `PRESETS`
    level, width : for ``manual`` and ``display``, in intensities; `width` > 0
    modality : DICOM modality ("CT", "MR", "PT", ...) where known; decides ``auto``

    Raises
    ------
    PromptError
        If there is no such preset, or level and width do not fit it.
    InputError
        If the volume holds no finite value, or no real numbers.
    """
    preset = get_preset(preset).name
    if array.dtype.kind not in "buif" or array.size == 0:
        raise InputError(f"An image of type {array.dtype} and shape {array.shape} has no intensities to show.")
    if preset in ("manual", "display"):
        return _window(preset, level, width)
    if level is not None or width is not None:
        raise PromptError(f"Level and width belong to the preset 'manual': leave them out with '{preset}'.")
    sample = _sample(array)
    if preset == "auto":
        preset = _choose(array, sample, modality)
    chosen = PRESETS[preset]
    if chosen.level is not None:
        return _window(preset, chosen.level, chosen.width)
    if preset == "none":
        return IntensityTransform("none", 0, 255)
    return _percentiles(preset, sample, colour=array.ndim == 4)


def _window(name: str, level: float | None, width: float | None) -> IntensityTransform:
    if level is None or width is None:
        raise PromptError(f"The preset '{name}' needs a level and a width.")
    if not (math.isfinite(level) and math.isfinite(width) and width > 0):
        raise PromptError(f"Level {level} and width {width} are no window: give numbers, and a width above 0.")
    return IntensityTransform(name, level - width / 2, level + width / 2)


def _choose(array: NDArray[Any], sample: NDArray[Any], modality: str | None) -> str:
    """The preset that ``auto`` stands for."""
    if array.dtype == np.uint8:
        return "none"
    if modality is not None and modality.upper() == "CT":
        return "abdomen"
    if modality is None and array.ndim == 3 and _looks_like_ct(sample):
        return "abdomen"
    return "pet" if modality is not None and modality.upper() in ("PT", "PET") else "mr"


def _looks_like_ct(sample: NDArray[Any]) -> bool:
    """Whole numbers in the range of HU, some of them air."""
    low, high = float(sample.min()), float(sample.max())
    in_range = -_LIMIT_HU <= low <= _AIR_HU and 0 <= high < _LIMIT_HU
    return in_range and (sample.dtype.kind != "f" or bool((sample == np.rint(sample)).all()))


def _percentiles(name: str, sample: NDArray[Any], *, colour: bool) -> IntensityTransform:
    """Percentiles of the non-zero voxels; the whole range where these say nothing (1-bit, colour)."""
    foreground = sample[sample != 0]
    if foreground.size and not colour:
        # "nearest" returns voxels themselves: nothing is interpolated, so nothing overflows.
        low, high = np.percentile(foreground, (_LOW_PERCENT, _HIGH_PERCENT), method="nearest")
        if high > low:
            return IntensityTransform(name, float(low), float(high), keep_zero=True)
    return IntensityTransform(name, float(sample.min()), float(sample.max()))


def _sample(array: NDArray[Any]) -> NDArray[Any]:
    """At most about `_SAMPLE_VOXELS` finite values, spread evenly over all slices."""
    colour = array.ndim == 4
    if colour and array.shape[3] in (2, 4):
        array = array[..., :-1]
    step = max(1, math.ceil(array.size / _SAMPLE_VOXELS))
    while math.gcd(step, array.shape[2]) > 1 and step > 1:  # else the same columns would be met in every row
        step += 1
    parts = [part.reshape(-1)[k % step :: step] for k, part in enumerate(array)]
    sample = np.concatenate(parts)
    if sample.dtype.kind == "f":
        sample = sample[np.isfinite(sample)]
    if not sample.size:
        raise InputError("The image holds no finite value: there is nothing to segment.")
    return sample


def _without_opacity(image: NDArray[Any]) -> NDArray[Any]:
    if image.ndim == 2:
        return image
    if image.ndim != 3 or not 1 <= image.shape[2] <= 4:
        raise InputError(f"A slice of shape {image.shape} is neither grey nor colour.")
    return image[..., 0] if image.shape[2] <= 2 else image[..., :3]
