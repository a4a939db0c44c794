"""Draws one of the bodies built in millimetres: spine, vessels, bowel, brain, trunk, limbs, and tumours in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .bowel import make_bowel
from .brain import make_brain, make_hippocampus, make_plaques, make_tumour
from .heart import make_heart
from .lesions import make_belly_lesion, make_lung_tumour, make_pet_body, make_pet_head, make_sarcoma
from .pelvis import make_pelvis, make_prostate, make_thigh
from .phantom import Phantom, SyntheticVolume, scanned
from .trunk import make_belly, make_chest
from .vertebrae import make_spine
from .vessels import make_aorta

__all__ = ["BODIES", "make_body"]

# How often each is drawn: most for what real training data lack.
BODIES: dict[Callable[[np.random.Generator], Phantom], int] = {
    make_spine: 6,
    make_heart: 3,
    make_aorta: 4,
    make_bowel: 3,
    make_brain: 2,
    make_hippocampus: 1,
    make_plaques: 2,
    make_tumour: 2,
    make_belly: 4,
    make_chest: 2,
    make_pelvis: 2,
    make_prostate: 1,
    make_thigh: 2,
    make_sarcoma: 4,
    make_lung_tumour: 3,
    make_belly_lesion: 3,
    make_pet_body: 2,
    make_pet_head: 1,
}
_ATTEMPTS = 20


def make_body(rng: np.random.Generator) -> SyntheticVolume:
    """One volume with at least one object; raises RuntimeError if none comes out in many attempts."""
    plans, weights = list(BODIES), np.array(list(BODIES.values()), float)
    for _ in range(_ATTEMPTS):
        phantom = plans[int(rng.choice(len(plans), p=weights / weights.sum()))](rng)
        if not phantom.labels.any():
            continue
        volume = scanned(phantom)
        if volume[1].any():
            return volume
    raise RuntimeError(f"no object in {_ATTEMPTS} bodies")
