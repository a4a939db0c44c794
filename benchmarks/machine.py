"""The machine: what it is, and the most arithmetic and memory traffic that a simple loop gets out of it."""

from __future__ import annotations

import os
import platform
import re
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from .clock import now
from .engines import Part

__all__ = ["COPIED_BYTES", "PRODUCT_FLOP", "describe", "peak_parts"]

_SIDE = 2048
PRODUCT_FLOP = 2 * _SIDE**3
"""Of the matrix product that is timed."""
COPIED_BYTES = 2 * 2**28
"""Read and written by the copy that is timed."""
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")


def describe() -> dict[str, Any]:
    """Processor, cores, clock, memory, load and library versions; nothing that names a place or a person."""
    text = _read("/proc/cpuinfo")
    clock = re.search(r"@ ([\d.]+)GHz", text) or re.search(r"cpu MHz\s*: (\d+)", text)
    ghz = float(clock[1]) / (1 if "." in clock[1] and "GHz" in clock[0] else 1000) if clock else None
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    flags = set(text.split())
    return {
        "architecture": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "ghz": ghz,
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in ("numpy", "onnxruntime", "openvino", "SimpleITK")},
    }


def _read(path: str) -> str:
    return Path(path).read_text(errors="replace") if os.path.exists(path) else ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def peak_parts(threads: int) -> dict[str, Part]:
    """A large float32 matrix product, and a copy too large for any cache, each on `threads` threads."""
    rng = np.random.default_rng(0)
    left, right = (rng.random((_SIDE, _SIDE), np.float32) for _ in range(2))
    source = np.zeros(COPIED_BYTES // 8, np.float32)
    target = np.ones_like(source)
    pool = ThreadPoolExecutor(threads)
    pieces = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))

    def product() -> None:
        np.matmul(left, right)

    def copy() -> float:
        started = now()
        list(pool.map(lambda piece: np.copyto(piece[1], piece[0]), pieces))
        return now() - started

    return {"product": product, "copy": copy}
