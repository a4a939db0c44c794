"""The most memory that this process holds while a case is segmented.  Measures no other process."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

__all__ = ["forget_peak", "peak_mib"]

_RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def forget_peak() -> None:
    """Measure from now on, where the system can (Linux); elsewhere the peak stays the process's."""
    try:
        _RESET.write_text("5")
    except OSError:
        return


def peak_mib() -> float:
    """The most memory held since `forget_peak`, in MiB; NaN where the system does not tell (Windows)."""
    if _STATUS.exists():  # here the usage below would count what the parent held when it started this process
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text("utf-8"), re.MULTILINE)
        return int(found[1]) / 2**10 if found else math.nan
    try:
        import resource
    except ImportError:
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
