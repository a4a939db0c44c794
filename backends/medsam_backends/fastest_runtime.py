"""Chooses the runtime that is fastest for a model on this computer: measured once, then remembered."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from .backend import Backend
from .errors import ModelError
from .processor import processor_name
from .runtimes import available_runtimes
from .types import Prompt
from .user_cache import read_json, write_json

__all__ = ["open_fastest"]

_MEMORY = "runtimes"
_REMEMBERED = 64
_ROUNDS, _LONG_S = 5, 2.0
_SIDE = 256


def open_fastest(open_with: Callable[[str], Backend], digest: str, threads: int) -> Backend:
    """The model opened with the fastest of the installed runtimes that can load it.

    Computing in shorter numbers changes masks, so runtimes that do are never chosen.

    Parameters
    ----------
    open_with : loads the model with the runtime of a name
    digest : of the model's files

    Raises
    ------
    ModelError
        If no runtime can load it: the reason of the first.
    """
    names = [name for name, reason in available_runtimes().items() if not reason and not name.endswith("-reduced")]
    if len(names) < 2:
        return open_with(names[0] if names else "onnxruntime")
    key = " ".join([digest, f"{threads} threads", processor_name(), *(f"{name} {_version(name)}" for name in names)])
    known = read_json(_MEMORY)
    if known.get(key) in names:
        return open_with(known[key])
    opened: dict[str, Backend] = {}
    errors = []
    for name in names:
        try:
            opened[name] = open_with(name)
        except ModelError as error:
            errors.append(error)
    if not opened:
        raise errors[0]
    best = _fastest(opened)
    for name in opened.keys() - {best}:
        opened[name].close()
    write_json(_MEMORY, dict([*((k, v) for k, v in known.items() if k != key), (key, best)][-_REMEMBERED:]))
    return opened[best]


def _fastest(opened: dict[str, Backend]) -> str:
    """The name of the backend that takes least for a picture and a box; all take turns."""
    for backend in opened.values():
        _seconds(backend)  # the first run of a session is always slow
    best = dict.fromkeys(opened, float("inf"))
    started = time.perf_counter()
    for _ in range(_ROUNDS):
        for name, backend in opened.items():
            best[name] = min(best[name], _seconds(backend))
        if time.perf_counter() - started > _LONG_S:
            break
    return min(best, key=lambda name: best[name])


def _seconds(backend: Backend) -> float:
    picture = np.arange(_SIDE * _SIDE, dtype=np.uint32).reshape(_SIDE, _SIDE).astype(np.uint8)
    prompt = Prompt((_SIDE / 4, _SIDE / 4, _SIDE / 2, _SIDE / 2))
    start = time.perf_counter()
    backend.decode(backend.encode(picture), [prompt])
    return time.perf_counter() - start


def _version(name: str) -> str:
    from importlib import metadata  # slow to import, and one runtime needs no choice

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"
