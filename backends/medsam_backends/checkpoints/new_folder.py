"""Writes, copies and removes model folders; a new one whole or not at all: under a hidden name first, then renamed."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import Cancelled, ModelError, OutputError
from ..routed import read_model

__all__ = ["add_folder", "check_free", "new_folder", "remove_folder"]


def add_folder(source: Path, models: Path, replace: bool = False) -> str:
    """Copy a model folder into the folder of models, under its id, which is returned.

    Parameters
    ----------
    replace : a model of that id that is there already

    Raises
    ------
    ModelError
        If it is no sound model folder, or there is a model of that id already and not `replace`.
    OutputError
        If it cannot be copied.
    """
    manifest = read_model(source)
    manifest.check_digests()
    target = models / manifest.spec.id
    check_free(target, replace, source)
    with new_folder(target) as unfinished:
        shutil.copytree(source, unfinished, dirs_exist_ok=True)
    return manifest.spec.id


def remove_folder(folder: Path) -> None:
    """Delete a model folder; of one that is a link, the link alone.

    Raises
    ------
    OutputError
        If it cannot be deleted.
    """
    try:
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(f"{folder} could not be removed ({error.strerror or error}).") from None


def check_free(folder: Path, replace: bool, source: Path | None = None) -> None:
    """Raise `ModelError` if `folder` exists, unless it is a model that may be replaced and `source` is not in it."""
    if folder.exists() and not (replace and (folder / "model.json").is_file()):
        raise ModelError(f"{folder} exists already: remove it first, or choose another folder.")
    if source is not None and source.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"{source} lies in {folder}, which would be replaced: choose another folder.")


@contextmanager
def new_folder(folder: Path, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Path]:
    """An empty folder to fill, which takes the place of `folder` when the block ends well, and else is removed.

    Raises
    ------
    OutputError
        If it cannot be written; a former model at `folder` is still there then.
    Cancelled
        If `cancelled` says so when the block ends; likewise.
    """
    unfinished = _hidden(folder)
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        if cancelled():
            raise Cancelled("Cancelled: nothing was installed.")
        _put_in_place(unfinished, folder)
    except OSError as error:
        raise OutputError(f"The model folder {folder} cannot be written ({error.strerror or error}).") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _hidden(folder: Path) -> Path:
    """A name beside `folder` that no other has; a leading dot keeps it out of the list of models."""
    return folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}"


def _put_in_place(complete: Path, folder: Path) -> None:
    if not folder.exists():
        complete.rename(folder)
        return
    former = _hidden(folder)
    folder.rename(former)
    try:
        complete.rename(folder)
    except OSError:
        former.rename(folder)
        raise
    shutil.rmtree(former, ignore_errors=True)
