"""The page on evaluations: its links, options and example are what there is."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from medsam_backends.cli.evaluate import command as evaluate
from medsam_backends.cli.main import main
from medsam_backends.cli.report_evaluation import command as report
from medsam_backends.evaluation.cases import find_cases

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "evaluation.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not beside the package")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "evaluation" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_lead_somewhere_and_pictures_are_small() -> None:
    targets = [PAGE.parent / name for name in re.findall(r"\]\(([^)#]+)\)", PAGE.read_text("utf-8"))]
    assert len(targets) >= 5
    for target in targets:
        assert target.is_file(), target
        assert target.stat().st_size < 150_000, target


def test_every_option_that_the_page_names_exists() -> None:
    known = {option for command in (evaluate, report) for parameter in command.params for option in parameter.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE.read_text("utf-8")))
    assert "--data" in named and named <= known


def test_the_example_runs_with_a_model_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = script("make_cohort")
    monkeypatch.setattr(cohort, "PHANTOMS", 2)
    monkeypatch.setattr(cohort, "SIZE", (80, 56, 64))
    monkeypatch.setattr(cohort, "SPACING_MM", (4.2, 4.2, 5.5))
    cohort.main(tmp_path / "phantoms")
    cases = find_cases(tmp_path / "phantoms")
    assert [case.modality for case in cases] == ["CT", "CT", "CT", "CT", "XRay", "XRay", "CT"]
    assert all(len(np.unique(case.read().truth)) >= 3 for case in cases)
    options = ("--model", "border", "--model", "ellipse", "--boxes", "jitter", "--output", "evaluation")
    done = process_script(tmp_path, "evaluate", "phantoms", *options)
    assert "border" in done and "Written to evaluation" in done
    assert main(["report", str(tmp_path / "evaluation"), "--samples", "20"]) == 0
    assert ">border</th>" in (tmp_path / "evaluation" / "report.html").read_text("utf-8")


def process_script(folder: Path, *arguments: str) -> str:
    """What the command prints with the model of the example in it."""
    command = [sys.executable, str(DOCS / "evaluation" / "my_model.py"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout
