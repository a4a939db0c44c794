"""What a training run is: one frozen description, the presets by name, and the command-line options made from it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

__all__ = ["PRESETS", "TrainConfig", "from_arguments"]


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Parameters
    ----------
    encoder : "efficientvit", "repvit" or "none"
    decoder : "window", "deep" (more blocks), or "plain" to compare with one that sees the encoder's map alone
    minutes : wall-clock budget of all parts of the run together; the learning rate follows it
    steps : if above 0, the budget in optimiser steps instead: slower machines then give the same network
    pictures, boxes, grid : pictures a batch, boxes a picture, cells a side of a window
    lr, decay, warmup_minutes : peak learning rate, share of the budget over which it falls to zero, warm-up
    ema : final decay of the averaged weights
    edge : extra weight of the cells on the object's edge
    data, cache, synthetic : see `medsam_research.data.config.StreamConfig`; "" for no synthetic shards
    transplant : probability that a real picture receives an object of another one of its kind
    mixture : weights of kinds of sources that differ from the usual ones, as "picture=0.2,volume=0.3"
    slice_prior : probability that a slice of a volume is asked with a neighbour's mask as prior
    emphasis : modalities drawn more often, as "Endoscopy=3,Fundus=2"
    teacher : folders of a teacher's features, parted by commas, to be learned as well; "" for none
    save_minutes, validate_minutes, validation_batches : how often, and how much is validated
    """

    encoder: str = "efficientvit"
    decoder: str = "window"
    minutes: float = 60.0
    steps: int = 0
    threads: int = 2
    pictures: int = 8
    boxes: int = 4
    grid: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.02
    warmup_minutes: float = 1.5
    decay: float = 0.4
    ema: float = 0.998
    edge: float = 1.0
    clip: float = 1.0
    seed: int = 0
    data: str = "../shared/data/train"
    cache: str = "runs/data"
    synthetic: str = ""
    transplant: float = 0.0
    mixture: str = ""
    slice_prior: float = 0.5
    emphasis: str = ""
    teacher: str = ""
    save_minutes: float = 2.0
    validate_minutes: float = 4.0
    validation_batches: int = 24

    def as_dict(self) -> dict[str, Any]:
        """Plain values only, for checkpoints."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> TrainConfig:
        """What a checkpoint holds of a run; fields that other versions knew are left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


# Pictures of these are few, and unlike the synthetic ones.
_FEW = "Endoscopy=3.5,Pathology=2.2,Fundus=1.5"
# Kinds of volumes are few too: synthetic bodies are the only ones of most organs.
_BODIES = "picture=0.24,synthetic-picture=0.14,synthetic-volume=0.34"

_FULL = TrainConfig(minutes=120, threads=1, emphasis=_FEW, transplant=0.35, mixture=_BODIES, slice_prior=0.3)

PRESETS = {
    "main": _FULL,
    "second": replace(_FULL, encoder="repvit"),
    "smoke": TrainConfig(minutes=3, threads=1, warmup_minutes=0.3, validate_minutes=1, validation_batches=4),
}


def from_arguments(arguments: list[str] | None = None) -> tuple[TrainConfig, argparse.Namespace]:
    """Parse the command line: a preset, fields of it replaced one by one, and where the run lives."""
    parser = argparse.ArgumentParser(prog="python -m medsam_research.training.train", description=__doc__)
    parser.add_argument("--config", choices=PRESETS, default="main", help="preset that the other options change")
    parser.add_argument("--output", required=True, help="folder of the run; an unfinished run in it is resumed")
    parser.add_argument("--init", help="checkpoint whose tensors of equal name and shape are the start")
    for field in fields(TrainConfig):
        assert field.default is not MISSING
        name = "batch" if field.name == "pictures" else field.name.replace("_", "-")
        parser.add_argument(f"--{name}", dest=field.name, type=type(field.default), default=None)
    parsed = parser.parse_args(arguments)
    given = {f.name: getattr(parsed, f.name) for f in fields(TrainConfig) if getattr(parsed, f.name) is not None}
    return replace(PRESETS[parsed.config], **given), parsed
