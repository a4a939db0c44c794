"""The families of synthetic pictures by modality, with their shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import body, bones, breast, cells, chest, dental, endoscopy, eye, retina, surface, tissue, ultrasound

__all__ = ["FAMILIES", "Family", "make_picture"]

Picture = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class Family:
    """A maker of pictures: `make` gives uint8 (H, W) or (H, W, 3) and its uint8 label map."""

    name: str
    modality: str
    share: float
    make: Callable[[np.random.Generator], Picture]


# Modalities without real training data (X-ray, OCT, dental) get the largest shares, then those with little
# (endoscopy, glands, mammograms) or with objects that the real pictures lack (nerves, breast lesions).
FAMILIES = (
    Family("chest", "XRay", 3.5, chest.make),
    Family("bones", "XRay", 1.5, bones.make),
    Family("dental", "Dental", 4.5, dental.make),
    Family("retina", "OCT", 5, retina.make),
    Family("breast", "Mammography", 3, breast.make),
    Family("tissue", "Pathology", 3.5, tissue.make),
    Family("cells", "Microscopy", 2.5, cells.make),
    Family("fundus", "Fundus", 2, eye.make_fundus),
    Family("angiogram", "OCTA", 0.7, eye.make_angiogram),
    Family("ultrasound", "US", 3, ultrasound.make),
    Family("endoscopy", "Endoscopy", 3.5, endoscopy.make),
    Family("skin", "Dermoscopy", 0.8, surface.make_skin),
    Family("ct", "CT", 1.5, body.make_ct),
    Family("mr", "MR", 1.5, body.make_mr),
    Family("pet", "PET", 0.7, body.make_pet),
)
_ATTEMPTS = 10


def make_picture(rng: np.random.Generator) -> tuple[Family, NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture of a random family, with at least one object."""
    shares = np.array([family.share for family in FAMILIES])
    family = FAMILIES[int(rng.choice(len(FAMILIES), p=shares / shares.sum()))]
    for _ in range(_ATTEMPTS):
        image, labels = family.make(rng)
        if labels.any():
            return family, image, labels
    raise RuntimeError(f"{family.name} made {_ATTEMPTS} pictures without an object")
