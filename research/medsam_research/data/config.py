"""What a stream of training batches is made of: one frozen description, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["ENCODER_SIDE", "MODALITIES", "SOURCES", "StreamConfig", "default_mixture"]

ENCODER_SIDE = 256
MODALITIES = (
    "CT",
    "MR",
    "PET",
    "US",
    "XRay",
    "Endoscopy",
    "Fundus",
    "OCT",
    "OCTA",
    "Dermoscopy",
    "Mammography",
    "Pathology",
    "Microscopy",
    "Dental",
)
SOURCES = ("picture", "stack", "volume", "synthetic-picture", "synthetic-volume")


def default_mixture() -> dict[str, float]:
    """The usual weight of each kind of source."""
    return {"picture": 0.3, "stack": 0.14, "volume": 0.13, "synthetic-picture": 0.2, "synthetic-volume": 0.23}


@dataclass(frozen=True)
class StreamConfig:
    """One stream of batches.

    Parameters
    ----------
    data : folder of the training archives (``*.zip``) and of ``volumes/``
    cache : folder for decoded pictures; made when absent
    synthetic : folder of the shards made by ``medsam_research.synthesis.prepare``; may be absent
    pictures, boxes : pictures a batch, boxes a picture
    grid, window_scale : cells a side of a window, and how much it grows the box
    mixture : weight of each kind of source in `SOURCES`; kinds without data are left out
    balance : pictures of a data set (real) or modality weigh ``count ** balance``
    transplant : probability that a real picture receives an object of another one of its kind
    emphasis : factors by which real pictures of single modalities are drawn more often
    prior, points, position : probabilities; of a prior mask (pictures), of clicks, of telling a
        slice's place between the ends of its 3-D box (volumes and stacks)
    slice_prior : probability of a neighbour's mask as prior in volumes and stacks
    split : "train" or "val"; val holds other patients and is augmented like train
    """

    data: Path
    cache: Path
    synthetic: Path | None = None
    pictures: int = 8
    boxes: int = 4
    grid: int = 64
    window_scale: float = 1.4
    mixture: dict[str, float] = field(default_factory=default_mixture)
    balance: float = 0.5
    transplant: float = 0.0
    emphasis: dict[str, float] = field(default_factory=dict)
    prior: float = 0.25
    points: float = 0.2
    position: float = 0.8
    slice_prior: float = 0.5
    split: Literal["train", "val"] = "train"
