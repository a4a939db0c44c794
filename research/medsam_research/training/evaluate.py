"""Masks of labelled pictures: ``python -m medsam_research.training.evaluate MODEL --data EVAL --output FOLDER``.

MODEL is a checkpoint or a model folder; EVAL holds ``2d/*.npz``, ``boxes-2d.csv`` and, beside it, ``score.py``, whose
table is printed. Measures only: nothing here chooses or trains anything.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from medsam_backends.folder_backend import FolderBackend, open_folder
from medsam_backends.types import Box, Prompt

from .export import export

__all__ = ["main", "write_masks"]


def _boxes(path: Path) -> dict[str, list[Box]]:
    """The boxes of each case in the file's order."""
    boxes: dict[str, list[Box]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            boxes[row["case"]].append((float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"])))
    return boxes


def write_masks(backend: FolderBackend, data: Path, output: Path) -> None:
    """Write ``output/<case>.npz`` with ``masks`` bool (N, H, W) and ``iou`` (N,) for every case of `data`."""
    output.mkdir(parents=True, exist_ok=True)
    for case, boxes in _boxes(data / "boxes-2d.csv").items():
        with np.load(data / "2d" / f"{case}.npz") as archive:
            embedding = backend.encode(archive["imgs"])
        predictions = backend.decode(embedding, [Prompt(box) for box in boxes])
        masks, expected = [p.mask for p in predictions], [p.iou for p in predictions]
        np.savez_compressed(output / f"{case}.npz", masks=np.stack(masks), iou=np.array(expected, np.float32))


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m medsam_research.training.evaluate", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/eval"))
    parser.add_argument("--output", type=Path, required=True)
    parsed = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = parsed.model
        if folder.is_file():
            folder = Path(temporary)
            export(parsed.model, "under-test", folder)
        write_masks(open_folder(folder, threads=1), parsed.data, parsed.output)
    subprocess.run([sys.executable, str(parsed.data.parent / "score.py"), "2d", str(parsed.output)], check=True)


if __name__ == "__main__":
    main()
