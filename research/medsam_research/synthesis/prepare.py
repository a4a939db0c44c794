"""Makes shards of synthetic pictures and volumes: ``python -m medsam_research.synthesis.prepare --help``.

Each shard follows from its number and the seed alone, so that a run can be stopped and resumed.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from medsam_research.data.packed import Item, write_pack

from .anatomy import make_volume
from .registry import make_picture

__all__ = ["main", "prepare_pictures", "prepare_volumes"]

PICTURES_A_SHARD, VOLUMES_A_SHARD = 300, 20
_log = logging.getLogger(__name__)


def prepare_pictures(folder: Path, count: int, seed: int) -> None:
    """Make the missing shards of `count` pictures."""
    for start in range(0, count, PICTURES_A_SHARD):
        number = start // PICTURES_A_SHARD
        items = _pictures(np.random.default_rng([seed, 2, number]), min(PICTURES_A_SHARD, count - start))
        _shard(folder / f"pictures-{number:04}", items)


def prepare_volumes(folder: Path, count: int, seed: int) -> None:
    """Make the missing shards of `count` volumes."""
    for start in range(0, count, VOLUMES_A_SHARD):
        number = start // VOLUMES_A_SHARD
        items = _volumes(np.random.default_rng([seed, 3, number]), min(VOLUMES_A_SHARD, count - start))
        _shard(folder / f"volumes-{number:04}", items)


def _shard(path: Path, items: Iterator[Item]) -> None:
    if path.with_suffix(".json").exists():
        return
    began = time.monotonic()
    count = write_pack(path, items)
    _log.info("%s: %d in %.0f s", path.name, count, time.monotonic() - began)


def _pictures(rng: np.random.Generator, count: int) -> Iterator[Item]:
    for i in range(count):
        family, image, labels = make_picture(rng)
        yield Item(f"{family.name}-{i}", f"synthetic-{family.name}", family.modality, "synthetic", image, labels)


def _volumes(rng: np.random.Generator, count: int) -> Iterator[Item]:
    for i in range(count):
        voxels, labels, spacing, modality = make_volume(rng)
        yield Item(f"volume-{i}", "synthetic-volume", modality, ",".join(f"{s:.3f}" for s in spacing), voxels, labels)


def main() -> None:
    """Parse the command line and make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000, help="pictures in all")
    parser.add_argument("--volumes", type=int, default=200, help="volumes in all")
    parser.add_argument("--output", type=Path, default=Path("runs/data/synthetic"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    prepare_pictures(options.output, options.count, options.seed)
    prepare_volumes(options.output, options.volumes, options.seed)


if __name__ == "__main__":
    main()
