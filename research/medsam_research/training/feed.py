"""Training batches made by a second process, as tensors ready for the network."""

from __future__ import annotations

import multiprocessing as mp
import os
import queue
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from medsam_research.data.config import MODALITIES, SOURCES, default_mixture
from medsam_research.data.stream import StreamConfig, batches

from .config import TrainConfig

__all__ = ["Feed", "stream_config", "to_tensors"]

PICTURE_LIKE = ("image", "window", "valid", "prior", "points", "target")


def stream_config(config: TrainConfig, split: Literal["train", "val"] = "train") -> StreamConfig:
    """The stream that a run reads; validation takes fewer boxes of each picture, to see more pictures."""
    return StreamConfig(
        data=Path(config.data),
        cache=Path(config.cache),
        synthetic=Path(config.synthetic) if config.synthetic else None,
        pictures=config.pictures,
        boxes=config.boxes if split == "train" else min(2, config.boxes),
        grid=config.grid,
        slice_prior=config.slice_prior if split == "train" else 0.5,
        transplant=config.transplant if split == "train" else 0.0,
        mixture=default_mixture() | (_factors(config.mixture, "source", SOURCES) if split == "train" else {}),
        emphasis=_factors(config.emphasis, "modality", MODALITIES) if split == "train" else {},
        split=split,
    )


def _factors(text: str, kind: str, known: Sequence[str]) -> dict[str, float]:
    """ "Endoscopy=3,Fundus=2" as a dictionary; `ValueError` for a name that is not `known`."""
    pairs = (part.split("=") for part in text.split(",") if part)
    factors = {name.strip(): float(value) for name, value in pairs}
    if unknown := factors.keys() - set(known):
        raise ValueError(f"there is no {kind} {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    return factors


def to_tensors(arrays: dict[str, np.ndarray[Any, Any]]) -> dict[str, Tensor]:
    """float32 tensors, picture-like ones in channels-last order; `modality` is left out."""
    tensors = {name: torch.from_numpy(value).float() for name, value in arrays.items() if name != "modality"}
    for name in PICTURE_LIKE:
        tensors[name] = tensors[name].contiguous(memory_format=torch.channels_last)
    return tensors


def _produce(stream: StreamConfig, seed: int, out: Any) -> None:
    os.nice(2)
    for batch in batches(stream, seed):
        out.put(batch)


class Feed:
    """Batches of `stream` from one process of one thread, a few ahead of the consumer."""

    def __init__(self, stream: StreamConfig, seed: int, ahead: int = 4) -> None:
        context = mp.get_context("spawn")
        self._queue: Any = context.Queue(ahead)
        self._process = context.Process(target=_produce, args=(stream, seed, self._queue), daemon=True)
        threads = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = "1"  # read by the child when it imports numpy
        try:
            self._process.start()
        finally:
            os.environ.pop("OMP_NUM_THREADS") if threads is None else os.environ.update(OMP_NUM_THREADS=threads)

    def next(self) -> dict[str, Tensor]:
        """The next batch.

        Raises
        ------
        RuntimeError
            If the process that makes the batches has died.
        """
        while True:
            try:
                return to_tensors(self._queue.get(timeout=5))
            except queue.Empty:
                if not self._process.is_alive():
                    raise RuntimeError("the data process ended; its error is above in the log") from None

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()
