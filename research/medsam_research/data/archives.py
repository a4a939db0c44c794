"""The training archives (``MODALITY_DATASET.zip`` of ``img/ID.jpg`` and ``lab/ID.png``), decoded once."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from .packed import Item, Pack, write_pack
from .patients import patient_of

__all__ = ["open_archives"]

_FORMAT = "2;"  # to be raised whenever a decoded picture or its patient would come out otherwise


def open_archives(data: Path, cache: Path) -> Pack:
    """All pictures of the archives in `data`, decoded into `cache` the first time (some seconds).

    Raises
    ------
    FileNotFoundError
        If `data` holds no archive.
    """
    archives = sorted(data.glob("*.zip"))
    if not archives:
        raise FileNotFoundError(f"{data} holds no training archive (*.zip)")
    sizes = _FORMAT + ",".join(f"{path.name}:{path.stat().st_size}" for path in archives)
    packed = cache / f"archives-{hashlib.sha256(sizes.encode()).hexdigest()[:12]}"
    if not packed.with_suffix(".json").exists():
        write_pack(packed, _decoded(archives))
    return Pack(packed)


def _decoded(archives: list[Path]) -> Iterator[Item]:
    for path in archives:
        modality, dataset = path.stem.split("_", 1)
        with zipfile.ZipFile(path) as archive:
            names = sorted(Path(n).stem for n in archive.namelist() if n.startswith("img/") and n.endswith(".jpg"))
            for name in names:
                pixels = np.array(Image.open(io.BytesIO(archive.read(f"img/{name}.jpg"))))
                labels = np.array(Image.open(io.BytesIO(archive.read(f"lab/{name}.png"))))
                yield Item(name, dataset, modality, patient_of(dataset, name), _grey_if_grey(pixels), labels)


def _grey_if_grey(pixels: np.ndarray) -> np.ndarray:
    """One plane of a colour picture whose planes hardly differ (a quarter of the work later)."""
    if pixels.ndim == 2:
        return pixels
    spread = pixels.max(2).astype(int) - pixels.min(2)
    return pixels[:, :, 1] if float(np.percentile(spread, 99)) < 12 else pixels
