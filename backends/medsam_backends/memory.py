"""The most memory that a process held, by what the system tells of it.  Measures nothing while it works."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import Literal

__all__ = ["forget_peak", "peak_mib"]

_RESET = Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Measure from now on, where the system can (Linux); elsewhere the peak stays the process's."""
    try:
        _RESET.write_text("5")
    except OSError:
        return


def peak_mib(process: int | Literal["self"] = "self") -> float:
    """The most memory held since `forget_peak`, in MiB; NaN where the system does not tell (Windows).

    Parameters
    ----------
    process : id of another running process, on Linux alone
    """
    status = Path(f"/proc/{process}/status")
    if status.exists():  # here the usage below would count what the parent held when it started this process
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text("utf-8"), re.MULTILINE)
        return int(found[1]) / 2**10 if found else math.nan
    if process != "self":
        return math.nan
    try:
        import resource
    except ImportError:
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
