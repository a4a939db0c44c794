"""A teacher's features of the training pictures: ``python -m medsam_research.data.teacher litemedsam --output FOLDER``.

The teacher is any SAM-like model of `medsam_backends` whose embedding is one map. Features are kept at the resolution
of our own encoders, so that `medsam_research.training.teaching` can ask for them cell by cell.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from medsam_backends import Backend, open_model
from numpy.typing import NDArray

from .archives import open_archives
from .packed import Pack
from .patients import is_validation

__all__ = ["CELLS", "Taught", "main", "portions", "teach"]

log = logging.getLogger(__name__)
CELLS = 32
A_SHARD = 25


class Taught:
    """The teacher's features of the pictures `indices` of a pack, as far as they are made.

    `features` is float16 (pictures, channels, CELLS, CELLS) of each shard.
    """

    def __init__(self, folder: Path) -> None:
        """Open what `teach` wrote; raises FileNotFoundError when there is nothing."""
        paths = sorted(folder.glob("features-*.json"))
        described = [json.loads(path.read_text()) for path in paths]
        if not described:
            raise FileNotFoundError(f"{folder} holds no features: run python -m medsam_research.data.teacher")
        self.indices = [int(i) for shard in described for i in shard["indices"]]
        self._shards = [np.load(path.with_suffix(".npy"), mmap_mode="r") for path in paths]

    def __len__(self) -> int:
        return len(self.indices)

    def features(self, number: int) -> NDArray[np.float16]:
        """Of picture ``indices[number]``, (channels, CELLS, CELLS)."""
        for shard in self._shards:
            if number < len(shard):
                return np.asarray(shard[number])
            number -= len(shard)
        raise IndexError("there are not so many taught pictures")


def teach(teacher: Backend, pack: Pack, chosen: Sequence[int], path: Path) -> None:
    """Write the features of pictures `chosen` to ``path`` (no suffix); the ``.json``, written last, completes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    features = [_pooled(teacher, pack[index].pixels) for index in chosen]
    np.save(path.with_suffix(".npy"), np.stack(features))
    unfinished = path.with_suffix(".json.part")
    unfinished.write_text(json.dumps({"teacher": teacher.spec.identity, "indices": list(chosen)}))
    unfinished.replace(path.with_suffix(".json"))


def _pooled(teacher: Backend, pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
    (embedding,) = (a for a in teacher.encode(pixels).arrays.values() if a.ndim == 4)
    channels, height, width = embedding.shape[1:]
    cells = embedding.reshape(channels, CELLS, height // CELLS, CELLS, width // CELLS)
    return np.asarray(cells.mean((2, 4), dtype=np.float32), np.float16)


def portions(pack: Pack, modalities: Sequence[str], a_set: int) -> Iterator[tuple[str, list[int]]]:
    """Training pictures modality by modality, evenly drawn from each data set, in portions of `A_SHARD`."""
    for modality in modalities:
        sets: dict[str, list[int]] = {}
        for i, facts in enumerate(pack.items):
            if facts["modality"] == modality and not is_validation(str(facts["group"])):
                sets.setdefault(str(facts["dataset"]), []).append(i)
        for name, members in sets.items():
            chosen = [members[i] for i in np.linspace(0, len(members) - 1, min(a_set, len(members))).astype(int)]
            for start in range(0, len(chosen), A_SHARD):
                yield f"{modality} {name}", chosen[start : start + A_SHARD]


def main(arguments: list[str] | None = None) -> None:
    """Command line; shards that exist are kept, so that a run can be stopped and resumed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(prog="python -m medsam_research.data.teacher", description=__doc__)
    parser.add_argument("teacher", help="id of a model that is ready (medsamlite models list)")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/train"))
    parser.add_argument("--cache", type=Path, default=Path("runs/data"))
    parser.add_argument("--modalities", default="Endoscopy,Pathology,Fundus,Mammography,US,CT,Dermoscopy,MR")
    parser.add_argument("--a-set", type=int, default=200, help="pictures of one data set at most")
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--threads", type=int, default=1)
    parsed = parser.parse_args(arguments)
    pack = open_archives(parsed.data, parsed.cache)
    teacher = open_model(parsed.teacher, parsed.runtime, parsed.threads)
    for number, (name, chosen) in enumerate(portions(pack, parsed.modalities.split(","), parsed.a_set)):
        path, start = parsed.output / f"features-{number:04}", time.monotonic()
        if not path.with_suffix(".json").exists():
            teach(teacher, pack, chosen, path)
            log.info("%s: %s, %d pictures, %.0f s", path.name, name, len(chosen), time.monotonic() - start)


if __name__ == "__main__":
    main()
