"""Packs of synthetic pictures (``pictures-NNNN``) and volumes (``volumes-NNNN``), as far as they are made."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from .packed import Item, Pack
from .volumes import Volume

__all__ = ["open_shards", "shard_volume"]


def open_shards(folder: Path | None, kind: Literal["pictures", "volumes"], split: str) -> list[Pack]:
    """Complete shards of one kind; the first of each kind validates once there are several."""
    if folder is None:
        return []
    paths = sorted(folder.glob(f"{kind}-*.json"))
    if len(paths) > 1:
        paths = paths[:1] if split == "val" else paths[1:]
    return [Pack(path.with_suffix("")) for path in paths]


def shard_volume(item: Item) -> Volume:
    """A packed volume, ready to be cut; its spacing stands in its group as ``z,y,x`` millimetres."""
    z, y, x = (float(part) for part in item.group.split(","))
    return Volume.of(item.name, item.dataset, item.modality, item.pixels, item.labels, (z, y, x))
