"""The clock of a run: wall time, or processor time where a machine does other work besides.

Processor time of one thread is what a free core would take; of several threads it counts their waiting too.
It is chosen by an environment variable, so that every child has the same.
"""

from __future__ import annotations

import os
import time

__all__ = ["CLOCKS", "VARIABLE", "chosen", "now"]

VARIABLE = "MEDSAMLITE_BENCH_CLOCK"
CLOCKS = ("wall", "processor")


def chosen() -> str:
    """Name of this run's clock."""
    return os.environ.get(VARIABLE, CLOCKS[0])


def now() -> float:
    """Seconds on the clock; only differences mean anything."""
    return time.process_time() if chosen() == "processor" else time.perf_counter()
