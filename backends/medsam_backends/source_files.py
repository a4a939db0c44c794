"""Keeps results off the files they are made from: an image is never replaced, whatever name or link leads to it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from .errors import OutputError

__all__ = ["SourceFiles"]


class SourceFiles:
    """Files that are read, and those of the folders that are read; looked at when something is in a result's place.

    Parameters
    ----------
    paths : files, and folders of DICOM images; one that does not exist protects nothing
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = list(paths)

    def check(self, path: Path) -> None:
        """Raise `OutputError` if `path` is one of the files by any name, symbolic or hard link."""
        there = _identity(path)
        if there is not None and there in self._known:
            raise OutputError(
                f"{path} belongs to what is read, which is never replaced: choose another name or folder."
            )

    @cached_property
    def _known(self) -> frozenset[tuple[int, int]]:
        found = (_identity(file) for path in self._paths for file in _files(path))
        return frozenset(identity for identity in found if identity is not None)


def _files(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir():
        yield from path.iterdir()


def _identity(path: Path) -> tuple[int, int] | None:
    """What is the same for all names of a file; None where there is none."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
