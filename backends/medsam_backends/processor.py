"""What the processor is called and what it can do: what is made for one processor is known by both."""

from __future__ import annotations

import importlib
import platform
from contextlib import suppress
from pathlib import Path

__all__ = ["instruction_sets", "processor_name"]


def processor_name() -> str:
    """As the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def instruction_sets() -> tuple[str, ...]:
    """Names of the sets that processor and system offer, as numpy finds them; empty where it does not tell."""
    for package in ("numpy._core", "numpy.core"):  # of numpy 2 and 1; on every system, which no standard module is
        with suppress(ImportError):
            known = getattr(importlib.import_module(f"{package}._multiarray_umath"), "__cpu_features__", {})
            return tuple(sorted(name for name, present in known.items() if present))
    return ()
