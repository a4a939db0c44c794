"""The one entrance for training: `batches` yields endless, reproducible dictionaries of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from .archives import is_validation, open_archives
from .config import SOURCES, StreamConfig
from .pictures import PictureSource, balanced_weights
from .render import Arrays, render
from .scene import Scene

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
    makers = {"picture": _pictures}
    wanted = [kind for kind in SOURCES if config.mixture.get(kind, 0) > 0 and kind in makers]
    made = {kind: makers[kind](config) for kind in wanted}
    sources = {kind: source for kind, source in made.items() if source is not None}
    if not sources:
        raise FileNotFoundError("no source of the mixture has data: is the data folder there?")
    return sources


def _pictures(config: StreamConfig) -> Source | None:
    pack = open_archives(config.data, config.cache)
    held_out = config.split == "val"
    chosen = [i for i, facts in enumerate(pack.items) if is_validation(str(facts["group"])) == held_out]
    weights = balanced_weights([pack.items[i] for i in chosen], config.balance)
    return PictureSource([(pack, i) for i in chosen], weights)
