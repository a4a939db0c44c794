"""A synthetic cohort with faults: damaged files, wrong boxes, killed workers, a full disk; nothing may be lost.

``python benchmarks/cohort.py --cases 1000`` makes small phantoms in a temporary folder, runs ``medsamlite batch`` on
them while workers are killed and the disk is too small, again with a larger disk, and again with the faults
repaired.  After each run every case must be where it belongs.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import psutil
import SimpleITK as sitk
from cohort_files import ORGANS, SIZE, Member, make_cohort, write_table
from medsam_backends.cli.main import main as medsamlite

CHECKED_EVERY = 40


class Disk:
    """A disk that is too small: a file system of its own, which only root may mount, or a limit on files' sizes."""

    def __init__(self, folder: Path, size_bytes: int, *, mount: bool) -> None:
        folder.mkdir()
        self.folder = folder
        self.small = True
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
        self.mounted = mount and subprocess.run(command, capture_output=True).returncode == 0

    def enlarge(self) -> None:
        self.small = False
        if self.mounted:
            subprocess.run(["mount", "-o", "remount,size=2G", str(self.folder)], check=True)

    def remove(self) -> None:
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)

    def limit(self) -> None:
        """Called in the process that is to feel it."""
        if self.small and not self.mounted:
            import resource

            limit = int(np.prod(SIZE)) // 2  # less than an uncompressed mask takes
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def batch(table: Path, disk: Disk, options: list[str], kills: int) -> tuple[int, int, str]:
    """Run ``medsamlite batch`` while workers are killed; its status, how many were killed, and what it said."""
    command = [sys.executable, "-m", "medsam_backends", "batch", str(table), "--output", str(disk.folder), *options]
    with tempfile.TemporaryFile("w+") as said:
        run = subprocess.Popen(command, stdout=said, stderr=said, preexec_fn=disk.limit)  # noqa: PLW1509
        killed: list[int] = []
        killer = threading.Thread(target=kill_workers, args=(run, disk.folder, kills, killed))
        killer.start()
        status = run.wait()
        killer.join()
        said.seek(0)
        return status, len(killed), said.read()


def kill_workers(run: subprocess.Popen[bytes], folder: Path, kills: int, killed: list[int]) -> None:
    """Kill a worker whenever some more cases were begun."""
    begun = count_records(folder)
    while run.poll() is None and len(killed) < kills:
        time.sleep(0.05)
        now = count_records(folder)
        if now > begun + 3:
            begun = now + 5
            workers = [
                child for child in psutil.Process(run.pid).children() if "spawn_main" in " ".join(child.cmdline())
            ]
            if workers:
                victim = random.choice(workers).pid
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)


def count_records(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder / "records"))


def lines(folder: Path, table: str) -> set[int]:
    with open(folder / table, encoding="utf-8", newline="") as stream:
        return {int(row["line"]) for row in csv.DictReader(stream)}


def attempts(folder: Path) -> int:
    """How many cases took more than one attempt."""
    with open(folder / "batch.csv", encoding="utf-8", newline="") as stream:
        return sum(int(row["attempts"]) > 1 for row in csv.DictReader(stream))


def check(condition: bool, what: str, said: str = "") -> None:
    print(f"{'ok  ' if condition else 'LOST'}  {what}", flush=True)
    if not condition:
        sys.exit(f"{said[-4000:]}\nNot so.")


def show_faults(folder: Path, count: int, options: list[str], kills: int, *, mount: bool) -> None:
    rng = random.Random(count)
    members = make_cohort(folder, count, rng)
    wrong = {line for line, member in enumerate(members, start=2) if member.fault}
    every = set(range(2, count + 2))
    table = folder / "cases.csv"
    write_table(table, members, repaired=False)
    before = checksums(folder)
    disk = Disk(folder / "out", 60 * 4096 + (count - len(wrong)) * 2 * 4096 * 6 // 10, mount=mount)
    print(f"{count} cases, {len(wrong)} of them faulty; disk: {'tmpfs' if disk.mounted else 'limited file size'}")
    try:
        status, killed, said = batch(table, disk, options, kills)
        made = sum(os.path.exists(disk.folder / member.output) for member in members)
        check(
            status in (1, 2) and 0 < made < count - len(wrong),
            f"small disk, {killed} workers killed: {made} made",
            said,
        )
        check("No space left" in said or "is the disk full?" in said, "the full disk is told", said)
        disk.enlarge()
        status, killed, said = batch(table, disk, options, kills)
        check(
            status == 1 and lines(disk.folder, "failed.csv") == wrong, "larger disk: only the faulty cases failed", said
        )
        check(lines(disk.folder, "batch.csv") == every - wrong, f"all others are there, {killed} workers killed")
        print(f"      {attempts(disk.folder)} cases took more than one attempt")
        check({k: v for k, v in checksums(folder).items() if k in before} == before, "no image was changed")
        for sound in folder.glob("*.sound"):
            os.replace(sound, sound.with_suffix(""))
        write_table(table, members, repaired=True)
        status, _, said = batch(table, disk, options, 0)
        check(status == 0 and lines(disk.folder, "batch.csv") == every, "repaired: every case is there", said)
        check(not list(disk.folder.rglob("*.part")), "nothing half-made is left")
        same = [
            same_as_single(folder, disk.folder, member, options)
            for member in rng.sample(members, max(5, count // CHECKED_EVERY))
        ]
        check(all(same), f"{len(same)} of them byte by byte as 'medsamlite segment' makes them")
    finally:
        disk.remove()


def checksums(folder: Path) -> dict[str, int]:
    files = [file for file in folder.rglob("*") if file.is_file() and folder / "out" not in file.parents]
    return {str(file): zlib.crc32(file.read_bytes()) for file in files}


def same_as_single(folder: Path, made: Path, member: Member, options: list[str]) -> bool:
    """Whether the single command makes the same bytes, or pixels of a DICOM object, which has a date of its own."""
    ending = "".join(Path(member.output).suffixes)
    single = folder / f"single{ending}"
    boxes = [f"--box={box}" for box in member.boxes.split(";")]
    names = [part for organ in ORGANS for part in ("--name", organ)]
    model = options[options.index("--model") :][:2] if "--model" in options else []
    arguments = ["segment", str(folder / member.image), *boxes, *names, "--output", str(single), "--force", *model]
    with open(os.devnull, "w") as nowhere:
        shown, sys.stdout = sys.stdout, nowhere
        status = medsamlite([*arguments, "--threads", "1"])
        sys.stdout = shown
    if ending == ".dcm":
        two = [sitk.GetArrayFromImage(sitk.ReadImage(str(file))) for file in (single, made / member.output)]
        return status == 0 and np.array_equal(*two)
    return status == 0 and single.read_bytes() == (made / member.output).read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="")
    parser.add_argument("--kills", type=int, default=3, help="workers killed in each of the first two runs")
    parser.add_argument("--mount", action="store_true", help="a small tmpfs as the full disk; needs root")
    given = parser.parse_args()
    options = ["--model", given.model] if given.model else []
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="medsamlite-cohort-") as folder:
        options += ["--workers", str(given.workers)]
        show_faults(Path(folder), given.cases, options, given.kills, mount=given.mount)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
