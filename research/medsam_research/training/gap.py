"""DSC on patients that were learned from and on held-out ones: ``python -m medsam_research.training.gap CHECKPOINT``.

Where the first is much higher, more data would help; where it is not, a larger network or longer training.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch
from torch import nn

from medsam_research.data.config import SOURCES
from medsam_research.data.stream import StreamConfig

from . import checkpoint
from .config import TrainConfig
from .export import load_model
from .feed import stream_config
from .validation import fixed_batches, validate

__all__ = ["gap", "main"]

_KINDS = {
    "pictures": ("picture",),
    "slices of volumes": ("stack", "volume"),
    "synthetic": ("synthetic-picture", "synthetic-volume"),
}


def gap(model: nn.Module, stream: StreamConfig, count: int) -> dict[str, dict[str, list[float]]]:
    """DSC of the windows of `count` batches, by kind of source and by split ("train", "val"); kinds that exist alone.

    Parameters
    ----------
    stream : of the held-out patients; those learned from are asked in the same way
    """
    found: dict[str, dict[str, list[float]]] = {}
    for kind, sources in _KINDS.items():
        if kind == "synthetic" and stream.synthetic is None:
            continue
        mixture = {source: float(source in sources) for source in SOURCES}
        streams = {split: replace(stream, split=split, mixture=mixture) for split in ("train", "val")}  # type: ignore[arg-type]
        found[kind] = {
            split: [row["dsc"] for row in validate(model, fixed_batches(one, count))] for split, one in streams.items()
        }
    return found


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m medsam_research.training.gap", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", help="folder of the archives and volumes, if it is not the run's own any more")
    parser.add_argument("--batches", type=int, default=24, help="of each kind and split")
    parser.add_argument("--threads", type=int, default=1)
    parsed = parser.parse_args(arguments)
    torch.set_num_threads(parsed.threads)
    model, _ = load_model(parsed.checkpoint)
    config = TrainConfig.of(checkpoint.load(parsed.checkpoint)["config"])
    config = replace(config, data=parsed.data or config.data)
    print(f"{'':20}{'learned from':>16}{'held out':>16}")
    for kind, splits in gap(model, stream_config(config, "val"), parsed.batches).items():
        print(f"{kind:20}" + "".join(f"{fmean(dsc):8.3f} of {len(dsc):4}" for dsc in splits.values()))


if __name__ == "__main__":
    main()
