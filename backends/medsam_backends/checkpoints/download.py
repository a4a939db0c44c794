"""Downloads one published file, resumes where the connection broke, and keeps it only if it is the file recorded.

Knows nothing of models; the digest decides, so it matters little whose server answers.
"""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ..errors import Cancelled, ModelError, OutputError
from ..manifest import sha256
from .catalogue import PublishedFile

__all__ = ["Progress", "check_identity", "download", "git_blob_id"]

Progress = Callable[[int, int], None]
"""Told the bytes that have come and the bytes that will (0 when the server does not say)."""

_BLOCK = 1 << 16
_TIMEOUT_S = 15.0
_ATTEMPTS = 4
_LARGEST = 1 << 30
"""Bytes after which a download of unknown size is given up: no published checkpoint comes near."""
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def download(
    file: PublishedFile,
    target: Path,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    pause_s: float = 1.0,
) -> None:
    """Fetch `file` from its url to `target`, whole and checked, or raise and leave no `target`.

    Parameters
    ----------
    pause_s : seconds before a broken connection is taken up again, doubled every time

    Raises
    ------
    ModelError
        If the server cannot be reached or fails repeatedly, or what it sends is not the file recorded.
    OutputError
        If the file cannot be written.
    Cancelled
        If `cancelled` said so.
    """
    part = target.with_name(target.name + ".part")
    try:
        with open(part, "wb") as out:
            _fetch(file, out, progress, cancelled, pause_s)
        check_identity(part, file)
        part.replace(target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error.strerror or error}).") from None
    finally:
        part.unlink(missing_ok=True)


def git_blob_id(path: Path) -> str:
    """The name git gives a file's content: SHA-1 of ``blob SIZE``, a zero byte and the content, hexadecimal."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with open(path, "rb") as content:
        for block in iter(lambda: content.read(_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def check_identity(path: Path, file: PublishedFile) -> None:
    """Raise `ModelError` unless the file at `path` has every digest recorded for `file`, and at least one is."""
    recorded = {"SHA-256": (file.sha256, sha256), "git blob id": (file.git_blob, git_blob_id)}
    if not any(expected for expected, _ in recorded.values()):
        raise ModelError(f"{file.name} cannot be told from any other file, for no digest of it is known.")
    for name, (expected, compute) in recorded.items():
        if expected and compute(path) != expected:
            raise ModelError(f"What came is not the {file.name} that its authors publish ({name} differs): refused.")


def _fetch(
    file: PublishedFile, out: IO[bytes], progress: Progress | None, cancelled: Callable[[], bool], pause_s: float
) -> None:
    """Bring the whole file, over as many connections as bring something new, and a few that do not."""
    failures = 0
    while True:
        before = out.tell()
        try:
            _receive(file, out, progress, cancelled)
            return
        except _NETWORK_ERRORS as error:
            failures = 1 if out.tell() > before else failures + 1
            if failures >= _ATTEMPTS or _is_final(error):
                raise ModelError(f"{file.url} cannot be downloaded ({_reason(error)}).") from None
        _wait(pause_s * 2 ** (failures - 1), cancelled)


def _receive(file: PublishedFile, out: IO[bytes], progress: Progress | None, cancelled: Callable[[], bool]) -> None:
    """Read one answer to its end; what `out` holds already is not asked for again where the server can do that."""
    have = out.tell()
    headers = {"User-Agent": "medsamlite", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(file.url, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        if have and not (answer.status == 206 and answer.headers["Content-Range"].startswith(f"bytes {have}-")):
            out.seek(0)
            out.truncate()
        length = int(answer.headers.get("Content-Length") or 0)
        total = length and out.tell() + length
        limit = file.size or _LARGEST
        if total > limit:
            raise ModelError(f"{file.url} sends {total} bytes, more than {file.name} has ({limit}): refused.")
        while block := answer.read1(_BLOCK):
            if cancelled():
                raise Cancelled("Cancelled: nothing was installed.")
            out.write(block)
            if out.tell() > limit:
                raise ModelError(f"{file.url} sends more than the {limit} bytes that {file.name} has: refused.")
            if progress is not None:
                progress(out.tell(), total)
        if out.tell() < total:
            raise http.client.IncompleteRead(b"", total - out.tell())


def _wait(seconds: float, cancelled: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if cancelled():
            raise Cancelled("Cancelled: nothing was installed.")
        time.sleep(min(0.1, seconds))


def _is_final(error: Exception) -> bool:
    """Whether asking again is no use: the server understood and refused."""
    return isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code not in (408, 429)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection breaks off"
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason)
