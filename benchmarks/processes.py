"""Runs a program as a process of its own: wall time, processor time and the most memory it held.  POSIX only."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medsam_backends.memory import peak_mib

from .clock import chosen

__all__ = ["ROOT", "ProcessRun", "environment", "python_with", "run"]

ROOT = Path(__file__).resolve().parent.parent
_PATHS = (ROOT, ROOT / "backends", ROOT / "research")


@dataclass(frozen=True)
class ProcessRun:
    """What a process took.

    Attributes
    ----------
    wall_s : from before its start to after its end
    cpu_s : of all its threads
    peak_mib : the most memory that was ever resident
    """

    wall_s: float
    cpu_s: float
    peak_mib: float
    output: str

    @property
    def seconds(self) -> float:
        """On the run's clock."""
        return self.cpu_s if chosen() == "processor" else self.wall_s


def environment(models: Path | None = None) -> dict[str, str]:
    """The environment of a child: it finds this checkout's packages, and models only in `models`."""
    changed = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, _PATHS)))
    changed.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled, whoever measures it
    if chosen() == "processor":  # the waiting of further threads would count
        changed |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    if models is not None:
        changed["MEDSAMLITE_MODELS"] = str(models)
    return changed


def run(arguments: Sequence[str], variables: Mapping[str, str]) -> ProcessRun:
    """Run a program to its end.

    Raises
    ------
    RuntimeError
        If it fails; with the last line it wrote.
    """
    with tempfile.TemporaryFile() as file:
        started = time.perf_counter()
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=dict(variables), cwd=ROOT
        )
        status, usage, peak = _wait(process.pid)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)  # it was waited for behind the object's back
        file.seek(0)
        output = file.read().decode(errors="replace")
    if process.returncode:
        last = output.strip().splitlines()[-1:] or ["nothing was written"]
        raise RuntimeError(f"{' '.join(map(str, arguments[:4]))} ... ended with {process.returncode}: {last[0]}")
    return ProcessRun(wall_s, usage.ru_utime + usage.ru_stime, peak, output)


def _wait(pid: int) -> tuple[int, resource.struct_rusage, float]:
    """Status, usage and peak memory in MiB of a process, once it ended.

    Linux counts the memory of the parent at the fork into a child's ``ru_maxrss``; its own peak is read while it runs.
    """
    if not Path(f"/proc/{pid}/status").exists():
        _, status, usage = os.wait4(pid, 0)
        return status, usage, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    peak = 0.0
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, usage, peak
        peak = max(peak, peak_mib(pid))  # NaN, which is never more, once it has ended
        time.sleep(0.002)


def python_with(package: str) -> str | None:
    """A Python that has `package`: this one, or that of the checkout's research environment."""
    for python in (sys.executable, str(ROOT / ".venv-research" / "bin" / "python")):
        test = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
        if os.path.exists(python) and subprocess.run([python, "-c", test], check=False).returncode == 0:
            return python
    return None
