"""How much sooner several workers of ``medsamlite batch`` end than one: ``python benchmarks/cohort_scaling.py``."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cohort_files import make_cohort, write_table


def show_scaling(folder: Path, count: int, options: list[str], workers: int) -> None:
    members = [member for member in make_cohort(folder, count, random.Random(count)) if not member.fault]
    write_table(folder / "cases.csv", members, repaired=True)
    spent = {}
    for number in (1, workers):
        started = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "medsam_backends",
            "batch",
            str(folder / "cases.csv"),
            "--workers",
            str(number),
        ]
        subprocess.run([*command, "--output", str(folder / f"out{number}"), *options], check=True, capture_output=True)
        spent[number] = time.perf_counter() - started
        print(f"{number} workers: {len(members)} cases in {spent[number]:.1f} s", flush=True)
    print(f"ratio {spent[1] / spent[workers]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="medsamlite-cohort-") as folder:
        show_scaling(Path(folder), given.cases, ["--model", given.model] if given.model else [], given.workers)


if __name__ == "__main__":
    main()
