"""``python -m benchmarks.kept_graphs FOLDER [ROUNDS]``: opening a model without and with its optimised graphs kept.

Processor time of one thread, in turn, in a cache folder of its own; medians, and what the opening that makes them took.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from statistics import median

__all__ = ["main"]

_OFF, _ON = {"MEDSAMLITE_GRAPH_CACHE": "0"}, {"MEDSAMLITE_GRAPH_CACHE": "1024"}


def main() -> None:
    """Print a line of figures."""
    folder, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 9
    with tempfile.TemporaryDirectory() as cache:
        os.environ["MEDSAMLITE_CACHE"] = cache
        _milliseconds(folder, _OFF)  # the first session of a process is always slow
        making = _milliseconds(folder, _ON)
        pairs = [(_milliseconds(folder, _OFF), _milliseconds(folder, _ON)) for _ in range(rounds)]
    plain, kept = (median(times) for times in zip(*pairs, strict=True))
    print(f"plain {plain:.0f} ms, kept {kept:.0f} ms, ratio {kept / plain:.2f}; the first time {making:.0f} ms")


def _milliseconds(folder: str, settings: dict[str, str]) -> float:
    from medsam_backends.folder_backend import open_folder

    os.environ.update(settings)
    start = time.process_time()
    model = open_folder(folder, threads=1)
    taken = (time.process_time() - start) * 1e3
    model.close()
    return taken


if __name__ == "__main__":
    main()
