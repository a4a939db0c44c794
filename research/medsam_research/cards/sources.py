"""The data sets that a model learned from, each with its licence, or the plain word that none is known."""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LICENCES", "Source", "find_sources"]

LICENCES = Path(__file__).resolve().parents[3] / "docs" / "models" / "training-data.csv"
"""Modality, data set, licence and publisher of what the bundled models learned from."""


@dataclass(frozen=True)
class Source:
    """One data set: how much of it there is, and what is known of it.

    Attributes
    ----------
    licence, publisher : empty where the table of licences does not name the data set
    """

    modality: str
    dataset: str
    pictures: int
    volumes: int
    licence: str
    publisher: str


def find_sources(data: Path, licences: Path = LICENCES) -> list[Source]:
    """Every data set among the archives and volumes in `data`, by modality and name.

    Parameters
    ----------
    licences : CSV with the columns modality, dataset, licence and publisher
    """
    pictures = {path.stem: _pictures(path) for path in data.glob("*.zip")}
    names = [path.name.removesuffix("_seg.nii.gz") for path in (data / "volumes").glob("*_seg.nii.gz")]
    volumes = Counter(name.rsplit("_", 1)[0] for name in names)
    with licences.open(newline="", encoding="utf-8") as file:
        known = {f"{row['modality']}_{row['dataset']}": row for row in csv.DictReader(file)}
    return [
        Source(
            *group.split("_", 1),
            pictures.get(group, 0),
            volumes[group],
            *(known.get(group, {}).get(column, "") for column in ("licence", "publisher")),
        )
        for group in sorted(pictures.keys() | volumes.keys())
    ]


def _pictures(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(name.startswith("img/") and name.endswith(".jpg") for name in archive.namelist())
