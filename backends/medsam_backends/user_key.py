"""What files of the user's own cache share, of whatever kind: the key that signs them, and room made by age."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .whole_file import write_private

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
    with suppress(OSError):
        key = path.read_bytes()
        private = os.name != "posix" or not stat.S_IMODE(path.stat().st_mode) & 0o077
        if len(key) == _KEY_BYTES and private:
            return key
        _logger.warning("The key %s was open to others or damaged: it is replaced, and what it signed is lost.", path)
    key = os.urandom(_KEY_BYTES)
    write_private(path, key)
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
