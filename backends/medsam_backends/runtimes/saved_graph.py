"""A graph as ONNX Runtime optimised it, kept in the user's cache folder for the next start, signed with the user's key.

It holds for one graph, its weights, one version of the runtime and one processor: on another, its rearranged weights
would give wrong numbers without a word.  Where the processor's instruction sets are not known, nothing is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import platform
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..processor import instruction_sets, processor_name
from ..user_cache import cache_folder
from ..user_key import make_room, user_key
from ..whole_file import temporaries

__all__ = ["SavedGraph", "saved_graph"]

_SIZE_VARIABLE = "MEDSAMLITE_GRAPH_CACHE"
_DEFAULT_MB = 2048.0  # all twelve parts of DAFT are 1.7 GB
_ENDING = ".onnx"
_BLOCK = 1 << 20
_ours = threading.Lock()  # one thread at a time makes the key, or room
_logger = logging.getLogger("medsam_backends")


@dataclass(frozen=True)
class SavedGraph:
    """The place of one graph.

    Attributes
    ----------
    name : of all that the file depends on; its signature follows in the file's name, so that both come and go at once
    """

    folder: Path
    name: str
    key: bytes = field(repr=False)
    max_bytes: int

    def find(self) -> Path | None:
        """The file, if there is one that can be trusted; any other of this name that can be read is deleted."""
        for path in self.folder.glob(f"{self.name}-*{_ENDING}"):
            try:
                signed = self._signed_name(path)
            except OSError:  # another process deleted it or holds it: no sign of damage
                continue
            if hmac.compare_digest(path.name, signed):
                with suppress(OSError):  # where nothing can be written it is used all the same
                    os.utime(path)  # used now
                return path
            self.drop(path)
        return None

    def drop(self, path: Path) -> None:
        """Delete a file that is of no use."""
        _logger.warning("%s is damaged or was not written by you: it is deleted and made anew.", path)
        with suppress(OSError):
            path.unlink()

    @contextmanager
    def making(self) -> Iterator[Path]:
        """A temporary file to write the graph to; when the block ends well, it is signed and kept if there is room.

        Raises
        ------
        OSError
            If it could not be kept.
        """
        with temporaries({self.folder / self.name: _ENDING}) as [temporary]:
            yield temporary
            os.chmod(temporary, 0o600)
            size = temporary.stat().st_size
            if size <= self.max_bytes:
                final = self.folder / self._signed_name(temporary)
                with _ours:
                    others = (path for path in self.folder.glob(f"*{_ENDING}") if path != temporary)
                    make_room(others, size, self.max_bytes)
                    os.replace(temporary, final)

    def _signed_name(self, path: Path) -> str:
        """What the file must be called: the name is signed too, so that a file cannot stand in for another."""
        signature = hmac.new(self.key, self.name.encode(), hashlib.sha256)
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                signature.update(block)
        return f"{self.name}-{signature.hexdigest()}{_ENDING}"


def saved_graph(content: bytes, weights_digest: str, runtime: str) -> SavedGraph | None:
    """The place of the graph in this file with these weights; None where nothing is kept.

    Parameters
    ----------
    runtime : its version, and all of its settings that change the graph
    """
    max_bytes = _max_bytes()
    sets = instruction_sets()
    if not max_bytes or not sets:
        return None
    folder = cache_folder() / "graphs"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix" and _others_can_change(folder):
            _logger.warning("%s can be changed by others: no optimised graphs are kept in it.", folder)
            return None  # a file could be changed between its check and its use
        with _ours:
            key = user_key(folder / "key")
    except OSError as error:
        _logger.warning("No optimised graphs are kept in %s (%s).", folder, error.strerror)
        return None
    made_for = [hashlib.sha256(content).hexdigest(), weights_digest, runtime]
    made_for += [platform.system(), platform.machine(), processor_name(), *sets]
    return SavedGraph(folder, hashlib.sha256("\n".join(made_for).encode()).hexdigest()[:32], key, max_bytes)


def _others_can_change(folder: Path) -> bool:
    status = folder.stat()
    return bool(stat.S_IMODE(status.st_mode) & 0o022) or status.st_uid != os.geteuid()


def _max_bytes() -> int:
    try:
        return max(0, int(float(os.environ.get(_SIZE_VARIABLE, _DEFAULT_MB)) * 1e6))
    except (ValueError, OverflowError):
        _logger.warning("%s is no number of megabytes: it is ignored.", _SIZE_VARIABLE)
        return int(_DEFAULT_MB * 1e6)
