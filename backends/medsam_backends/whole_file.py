"""Files written whole or not at all, and the folders that they go to.  Knows nothing of what is written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutputError

__all__ = ["check_free", "make_folder", "replacing", "replacing_together", "temporaries", "write_private"]


def make_folder(folder: Path) -> None:
    """Make a folder and those it lies in, unless it is there; raises `OutputError` if it cannot be made or filled."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made ({error.strerror}).") from None
    _check_writable(folder)


def check_free(path: Path, force: bool) -> None:
    """Raise `OutputError` unless a file may be written at `path`; an existing one only with `force`."""
    if not os.path.isdir(path.parent):
        raise OutputError(f"The folder {path.parent} does not exist: create it first.")
    if os.path.isdir(path):
        raise OutputError(f"{path} is a folder: give a file name.")
    if os.path.exists(path) and not force:
        raise OutputError(f"{path} exists: choose another name, or --force to replace it.")
    _check_writable(path.parent)


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK):
        raise OutputError(f"The folder {folder} is read-only: choose another.")


@contextmanager
def replacing(path: Path, ending: str, *, force: bool) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well, and else disappears.

    Raises
    ------
    OutputError
        If the file could not be written, or `path` has come to exist and not `force`.
    """
    with replacing_together({path: ending}, force=force) as [temporary]:
        yield temporary


@contextmanager
def replacing_together(endings: Mapping[Path, str], *, force: bool) -> Iterator[list[Path]]:
    """Temporary files, one beside each path, that take their places once the block has written all; see `replacing`."""
    left = [str(path) for path in endings]
    with temporaries(endings) as names:
        try:
            yield names
            for path in endings:
                if os.path.exists(path) and not force:
                    raise OutputError(f"{path} exists: choose another name, or --force to replace it.")
            for path, temporary in zip(endings, names, strict=True):
                os.replace(temporary, path)
                left.remove(str(path))
        except OSError as error:
            reason = f"({error.strerror or error}): what was there before is untouched"
            raise OutputError(f"{', '.join(left)} could not be written {reason}.") from error


def write_private(path: Path, content: bytes) -> None:
    """Write or replace a file of the program's own, readable by its owner alone, and make its folder.

    Raises
    ------
    OSError
        If it cannot be written: mostly nobody need be told.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporaries({path: path.suffix}) as [temporary]:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        os.replace(temporary, path)


@contextmanager
def temporaries(endings: Mapping[Path, str]) -> Iterator[list[Path]]:
    """Names beside the paths; what has not been moved from there disappears."""
    names = [path.with_name(f".medsamlite-{os.urandom(6).hex()}{ending}") for path, ending in endings.items()]
    try:
        yield names
    finally:
        for temporary in names:
            with suppress(OSError):  # why it could not be written is being told already
                temporary.unlink(missing_ok=True)
