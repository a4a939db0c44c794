"""The training archives (``MODALITY_DATASET.zip`` of ``img/ID.jpg`` and ``lab/ID.png``), decoded once.

Also decides which patients validate: by a hash of the patient where an id names one, so that no
patient stands on both sides and adding data moves nobody.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from .packed import Item, Pack, write_pack

__all__ = ["VALIDATION_SHARE", "is_validation", "open_archives", "patient_of"]

VALIDATION_SHARE = 0.08
_PATIENT = re.compile(r"^(?P<patient>msdlung-\w+-g\d+|sc-[a-z]+(?:-[a-z]+)?-\d+|[a-z]+\d+)")
_RUN_OF_NEIGHBOURS = 10


def patient_of(dataset: str, name: str) -> str:
    """The patient (or the run of neighbouring numbers) that picture `name` of `dataset` belongs to.

    Numbered pictures of these sets come in the order of their source, so that neighbours may be
    slices of one patient: ten in a row are kept together.
    """
    if name.isdigit():
        return f"{dataset}/{int(name) // _RUN_OF_NEIGHBOURS}"
    found = _PATIENT.match(name)
    patient = found["patient"] if found else name.split("_")[0]
    # One openms patient is scanned thrice, and the sarcoma sets share their patients.
    patient = re.sub(r"^(p\d+|unf\d+).*", r"\1", patient)
    return patient if patient.startswith("sts") else f"{dataset}/{patient}"


def is_validation(group: str) -> bool:
    """Whether patient `group` is held out for validation."""
    digest = hashlib.sha256(group.encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 < VALIDATION_SHARE


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
    sizes = ",".join(f"{path.name}:{path.stat().st_size}" for path in archives)
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
