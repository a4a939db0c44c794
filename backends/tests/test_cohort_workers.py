"""Cohorts by several processes: killed, interrupted, out of memory, or of a cluster of somebody else's."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from cases import BRICK_BOX, brick, process, save

distributed = pytest.importorskip("distributed", reason="the extra 'cohort' is not installed")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and limits that Windows has not")

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "cohort.py"
BOX = " ".join(BRICK_BOX)


@pytest.fixture
def here(tmp_path: Path, tiny: str) -> Path:
    """A folder with a table of 30 cases."""
    save(brick(), tmp_path / "a.nrrd")
    rows = "".join(f"a.nrrd,{BOX},{n}.nrrd\n" for n in range(30))
    (tmp_path / "cases.csv").write_text(f"image,box,output\n{rows}")
    return tmp_path


def command(*options: str) -> list[str]:
    return ["batch", "cases.csv", "--output", "out", "--model", "tiny", *options]


def column(here: Path, table: str, name: str) -> list[str]:
    with open(here / "out" / table, encoding="utf-8", newline="") as stream:
        return [row[name] for row in csv.DictReader(stream)]


def wait_for_the_end_of(group: int) -> None:
    """Until no process of the group is left; what a killed process leaves to the system takes a moment."""
    deadline = time.monotonic() + 60
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)


def test_a_cohort_with_faults_loses_nothing(tiny: str, tmp_path: Path) -> None:
    options = ["--cases", "40", "--kills", "1", "--model", tiny]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *options],
        env={**os.environ, "PYTHONPATH": str(PROGRAM.parents[1] / "backends"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok  ") == 8 and "LOST" not in done.stdout
    assert "small disk, 1 workers killed" in done.stdout


def test_ctrl_c_ends_all_processes_and_the_next_run_goes_on(here: Path) -> None:
    many = "".join(f"a.nrrd,{BOX},{n}.nrrd\n" for n in range(200))  # more than end before the signal arrives
    (here / "cases.csv").write_text(f"image,box,output\n{many}")
    program = [sys.executable, "-m", "medsam_backends", *command("--workers", "2")]
    with subprocess.Popen(
        program, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True
    ) as run:
        while run.poll() is None and not list((here / "out").glob("*.nrrd")):
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: the workers get it too
        said, told = run.communicate(timeout=300)
    assert run.returncode == 130
    assert "Traceback" not in told and "the same command again goes on" in told
    assert "of 200 cases are segmented" in said
    wait_for_the_end_of(run.pid)
    before = column(here, "batch.csv", "line")
    assert 0 < len(before) < 200
    assert process(*command("--workers", "0"), cwd=here).returncode == 0
    assert column(here, "batch.csv", "state").count("kept") >= len(before)
    assert len(column(here, "batch.csv", "line")) == 200


def test_the_workers_of_a_scheduler_do_the_work(here: Path) -> None:
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        done = process(*command("--scheduler", cluster.scheduler_address), cwd=here)
    assert (done.returncode, done.stderr) == (0, "")
    assert "30 of 30 cases are segmented" in done.stdout
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(here / "out" / "7.nrrd")))
    np.testing.assert_array_equal(labels, brick() == 200)


def test_a_scheduler_that_is_not_there_is_one_sentence(here: Path) -> None:
    done = process(*command("--scheduler", "tcp://127.0.0.1:9"), cwd=here)
    assert done.returncode == 2
    assert done.stderr.startswith("There is no Dask scheduler at tcp://127.0.0.1:9") and done.stderr.count("\n") == 1


def test_a_case_beyond_the_memory_limit_fails_and_the_others_do_not(here: Path) -> None:
    large = np.zeros((900, 1000, 1000), np.uint8)
    save(large, here / "large.nrrd")
    (here / "cases.csv").write_text(f"image,box\na.nrrd,{BOX}\nlarge.nrrd,{BOX}\n")
    done = process(*command("--workers", "1", "--memory-limit", "500MB", "--retries", "0"), cwd=here)
    assert done.returncode == 1
    assert column(here, "batch.csv", "image") == ["a.nrrd"]
    [reason] = column(here, "failed.csv", "reason")
    assert "needs more than --memory-limit" in reason
