"""The one entrance for training: `batches` yields endless, reproducible dictionaries of arrays.

The matrices are small: the process that iterates should run with ``OMP_NUM_THREADS=1``, else BLAS
threads that wait for each other cost several times as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from .archives import open_archives
from .config import MODALITIES, SOURCES, StreamConfig
from .packed import Pack
from .patients import is_validation
from .pictures import PictureSource, balanced_weights
from .render import Arrays, render
from .scene import Scene
from .shards import open_shards, shard_volume
from .stacks import StackSource
from .volume_files import open_volumes
from .volumes import VolumeSource

__all__ = ["StreamConfig", "batches"]


class Source(Protocol):
    """Anything that makes scenes."""

    def scene(self, rng: np.random.Generator, boxes: int) -> Scene:
        """A picture with `boxes` targets."""


def batches(config: StreamConfig, seed: int) -> Iterator[Arrays]:
    """Endless batches of ``B = config.pictures`` pictures with ``K = config.boxes`` boxes each, N = B * K.

    Equal `config`, data and `seed` give equal batches.

    Yields
    ------
    dict of arrays; G is ``config.grid``
        - ``image`` uint8 (B, 3, 256, 256): longest side scaled to 256, top-left, black beyond;
          three slices k-1, k, k+1 of a volume, one plane thrice of a grey picture, or RGB
        - ``window`` uint8 (N, 3, G, G): the window of each box; box b * K + i is of picture b
        - ``valid`` float32 (N, 1, G, G): 1 inside the picture
        - ``rect`` float32 (N, 4): window edges x0, y0, x1, y1 as fractions of the encoder's square
        - ``scale`` float32 (N, 2): log2 of picture pixels a cell, x and y
        - ``position`` float32 (N, 2): whether told, and the place between the 3-D box's ends, -1..1
        - ``prior`` float16 (N, 1, G, G) in 0..1 and ``has_prior`` float32 (N, 1)
        - ``points`` float16 (N, 2, G, G): positive and negative clicks
        - ``target`` float16 (N, 1, G, G) in 0..1
        - ``inside`` float32 (N, 1): 0 where the box holds no object
        - ``modality`` int64 (N,): index into `config.MODALITIES`

    Raises
    ------
    FileNotFoundError
        If no source of the mixture has data.
    """
    sources = _sources(config)
    kinds = list(sources)
    shares = np.array([config.mixture[kind] for kind in kinds])
    rng = np.random.default_rng(seed)
    while True:
        chosen = rng.choice(len(kinds), config.pictures, p=shares / shares.sum())
        yield _batch(rng, [sources[kinds[i]] for i in chosen], config)


def _batch(rng: np.random.Generator, sources: list[Source], config: StreamConfig) -> Arrays:
    images, windows = [], []
    for source in sources:
        image, arrays = render(rng, source.scene(rng, config.boxes), config)
        images.append(image)
        windows.extend(arrays)
    return {"image": np.stack(images), **{name: np.stack([w[name] for w in windows]) for name in windows[0]}}


def _sources(config: StreamConfig) -> dict[str, Source]:
    """The sources with a weight above zero and with data."""
    makers = {
        "picture": _pictures,
        "stack": _stacks,
        "volume": _volumes,
        "synthetic-picture": _synthetic_pictures,
        "synthetic-volume": _synthetic_volumes,
    }
    made = {kind: makers[kind](config) for kind in SOURCES if config.mixture.get(kind, 0) > 0}
    sources = {kind: source for kind, source in made.items() if source is not None}
    if not sources:
        raise FileNotFoundError("no source of the mixture has data: is the data folder there?")
    return sources


def _of_split(pack: Pack, config: StreamConfig, modalities: tuple[str, ...] = MODALITIES) -> list[int]:
    return [
        i
        for i, item in enumerate(pack.items)
        if item["modality"] in modalities and is_validation(str(item["group"])) == (config.split == "val")
    ]


def _pictures(config: StreamConfig) -> Source | None:
    pack = open_archives(config.data, config.cache)
    chosen = _of_split(pack, config)
    weights = balanced_weights([pack.items[i] for i in chosen], config.balance)
    weights *= [config.emphasis.get(str(pack.items[i]["modality"]), 1.0) for i in chosen]
    return PictureSource([(pack, i) for i in chosen], weights, config.transplant)


def _stacks(config: StreamConfig) -> Source | None:
    pack = open_archives(config.data, config.cache)
    chosen = _of_split(pack, config, ("CT", "MR", "PET"))
    return StackSource(pack, chosen, balanced_weights([pack.items[i] for i in chosen], config.balance))


def _volumes(config: StreamConfig) -> Source | None:
    volumes = open_volumes(config.data / "volumes", validation=config.split == "val")
    if not volumes:
        return None
    facts: list[dict[str, object]] = [{"dataset": v.dataset, "modality": v.modality} for v in volumes]
    return VolumeSource(volumes, balanced_weights(facts, config.balance))


def _synthetic_pictures(config: StreamConfig) -> Source | None:
    packs = open_shards(config.synthetic, "pictures", config.split)
    places = [(pack, i) for pack in packs for i in range(len(pack))]
    if not places:
        return None
    facts = [pack.items[i] for pack, i in places]
    return PictureSource(places, balanced_weights(facts, 1.0))


def _synthetic_volumes(config: StreamConfig) -> Source | None:
    volumes = [
        shard_volume(pack[i])
        for pack in open_shards(config.synthetic, "volumes", config.split)
        for i in range(len(pack))
    ]
    return VolumeSource(volumes, np.ones(len(volumes))) if volumes else None
