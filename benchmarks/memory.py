"""Section: the memory that a process takes beyond the volume itself, against the slices in the box.

``python -m benchmarks.memory FOLDER SLICES SIDE CACHE_MIB THREADS`` is one point: a process that segments every slice
of a volume and prints the MiB that it came to hold meanwhile.  Linux only.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .plan import BUNDLED, Plan
from .processes import environment, run
from .results import Results

__all__ = ["main", "measure", "memory_of"]


def measure(plan: Plan, results: Results) -> None:
    """One process for each number of slices."""
    bundled = plan.model(BUNDLED)
    assert bundled is not None
    effort = plan.effort
    held = [
        memory_of(bundled.folder, slices, effort.side, effort.memory_cache_mib, plan.threads)
        for slices in effort.memory_slices
    ]
    results.facts["memory"] = {
        "slices": list(effort.memory_slices),
        "mib": held,
        "cache_mib": effort.memory_cache_mib,
        "side": effort.side,
    }


def memory_of(folder: Path, slices: int, side: int, cache_mib: int, threads: int) -> float:
    """MiB that a process holds at most beyond what it held with the model and the volume loaded."""
    numbers = map(str, (slices, side, cache_mib, threads))
    done = run([sys.executable, "-m", "benchmarks.memory", str(folder), *numbers], environment())
    return float(done.output.split()[-1])


def main() -> None:
    """Segment in this process and print."""
    import numpy as np
    from medsam_backends import EmbeddingCache, Target, VolumeSegmenter, VoxelBox
    from medsam_backends.folder_backend import open_folder
    from medsam_backends.memory import forget_peak, peak_mib

    from .engines import picture

    slices, side, cache_mib, threads = map(int, sys.argv[2:])
    volume = np.empty((slices, side, side), np.int16)
    for n in range(slices):
        volume[n] = np.roll(picture(side), n % 16, axis=1)
    backend = open_folder(Path(sys.argv[1]), threads=threads)
    segmenter = VolumeSegmenter(backend, volume, preset="none", cache=EmbeddingCache(cache_mib << 20))
    forget_peak()
    before = peak_mib()
    box = VoxelBox(side // 4, side // 4, 0, side * 5 // 8, side * 5 // 8, slices - 1)
    segmenter.segment([Target(box)], rule="track")
    print(peak_mib() - before)


if __name__ == "__main__":
    main()
