"""What files of the user's own cache share, of whatever kind: the key that signs them, and room made by age."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .whole_file import temporaries, write_private

__all__ = ["make_room", "user_key"]

_KEY_BYTES = 32
_logger = logging.getLogger("medsam_backends")


def user_key(path: Path) -> bytes:
    """The key in `path`; a new one where there is none, or others could have read or changed it.

    Raises
    ------
    OSError
        If a new one cannot be written.
    """
    there = path.exists()  # asked first: another process may make it at any time
    found = _private(path)
    if found is not None:
        return found
    key = os.urandom(_KEY_BYTES)
    if not there:
        return _first(path, key)
    _logger.warning("The key %s was open to others or damaged: it is replaced, and what it signed is lost.", path)
    write_private(path, key)
    return key


def _private(path: Path) -> bytes | None:
    """The key in the file, if it is whole and nobody else's."""
    with suppress(OSError):
        key = path.read_bytes()
        private = os.name != "posix" or not stat.S_IMODE(path.stat().st_mode) & 0o077
        if len(key) == _KEY_BYTES and private:
            return key
    return None


def _first(path: Path, key: bytes) -> bytes:
    """Write the first key; of processes that do so at once one is first, and its key is everybody's."""
    with temporaries({path: ""}) as [temporary]:
        write_private(temporary, key)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return _private(path) or key
        except OSError:  # a file system without links
            os.replace(temporary, path)
    return key


def make_room(files: Iterable[Path], size: int, max_bytes: int) -> None:
    """Delete of `files` the longest unused until `size` further bytes do not exceed `max_bytes`; may raise OSError."""
    found = []
    for path in files:
        with suppress(FileNotFoundError):  # another process has moved or deleted it since it was listed
            found.append((path, path.stat()))
    held = sum(status.st_size for _, status in found)
    for path, status in sorted(found, key=lambda item: item[1].st_mtime_ns):
        if held + size <= max_bytes:
            return
        try:
            path.unlink(missing_ok=True)
        except PermissionError:  # on Windows: another process holds it
            continue
        held -= status.st_size
