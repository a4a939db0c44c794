"""The example package is built and installed without a network, found by its entry points, and segments."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "docs" / "examples" / "medsam-baselines"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the example in it; built from a copy, so that nothing is left beside the source."""
    copy = tmp_path_factory.mktemp("source") / "medsam-baselines"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", "build", "dist"))
    target = tmp_path_factory.mktemp("packages")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--target", str(target), str(copy)], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return target


def run(installed: Path, *arguments: str, cwd: Path) -> str:
    paths = os.pathsep.join([str(installed), str(REPOSITORY / "backends")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, encoding="utf-8", cwd=cwd, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_registry_finds_both_models(installed: Path, tmp_path: Path) -> None:
    code = "from medsam_backends import list_models; print(*(e.id for e in list_models() if e.source == 'entry point'))"
    assert run(installed, "-c", code, cwd=tmp_path).split() == ["ellipse-in-box", "otsu-in-box"]


def test_the_command_line_lists_checks_and_uses_them(installed: Path, tmp_path: Path) -> None:
    rows = json.loads(run(installed, "-m", "medsam_backends", "models", "list", "--json", cwd=tmp_path))
    assert {row["id"]: row["state"] for row in rows if row["source"] == "entry point"} == {
        "ellipse-in-box": "ready",
        "otsu-in-box": "ready",
    }
    names = ("ellipse-in-box", "otsu-in-box")
    told = run(installed, "-m", "medsam_backends", "models", "check", *names, cwd=tmp_path)
    assert told.splitlines() == [f"{name}: sound" for name in names]
    volume = np.full((12, 40, 60), 30, np.uint8)
    volume[3:9, 10:20, 20:40] = 200
    sitk.WriteImage(sitk.GetImageFromArray(volume), tmp_path / "a.nrrd")
    box = ("--box", "15", "5", "3", "44", "24", "8")
    options = ("--model", "otsu-in-box", "--output", "found.nrrd", "--preset", "none")
    run(installed, "-m", "medsam_backends", "segment", "a.nrrd", *box, *options, cwd=tmp_path)
    found = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "found.nrrd"))
    assert np.array_equal(found == 1, volume == 200)


def test_its_own_tests_pass(installed: Path, tmp_path: Path) -> None:
    tests = shutil.copytree(SOURCE / "tests", tmp_path / "tests")
    told = run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests), cwd=tmp_path)
    assert "3 passed" in told
