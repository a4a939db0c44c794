"""The benchmark itself: its counts against hand-made ones, its measuring of processes, and a whole quick run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from medsam_backends.registry import DEFAULT_MODEL, bundled_folder
from onnx import TensorProto, helper, numpy_helper

from benchmarks import __main__ as bench
from benchmarks.graph_cost import costs
from benchmarks.memory import memory_of
from benchmarks.page import BEGIN, END, insert
from benchmarks.processes import ROOT, environment, run
from benchmarks.results import Results
from benchmarks.timing import Timing, interleaved
from benchmarks.volumes import linear_fit
from benchmarks.workers import Worker, WorkerError

GOALS = (
    "bundled encoder",
    "decode of one box",
    "first mask",
    "2 boxes",
    "6 boxes",
    "a further box",
    "preview",
    "not encode",
)
SECTIONS = {"start", "networks", "cases", "volumes", "memory"}


def test_tasks_take_turns_and_the_first_run_of_each_does_not_count() -> None:
    calls: list[str] = []

    def task(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    found = interleaved({"a": lambda: task("a"), "b": lambda: task("b")}, repeats=3)
    assert calls == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert found["a"].seconds == (3.0, 6.0, 7.0)


def test_a_budget_ends_the_rounds_after_the_least_number() -> None:
    assert len(interleaved({"a": lambda: 1.0}, repeats=50, budget_s=-1, least=2)["a"].seconds) == 2


def test_spread_is_half_the_middle_half() -> None:
    assert Timing((1.0, 2.0, 3.0)).spread == pytest.approx(0.25)
    assert Timing((1.0,)).spread == 0


def test_a_process_is_measured_as_a_whole() -> None:
    child = run([sys.executable, "-c", "import time; x = b'x' * (300 * 2**20); time.sleep(0.2)"], environment())
    assert child.wall_s >= 0.2 and 300 <= child.peak_mib < 400


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux forgets a peak")
def test_memory_is_the_cache_and_a_constant_however_many_slices() -> None:
    folder = bundled_folder() / DEFAULT_MODEL
    few, many = (memory_of(folder, slices, side=192, cache_mib=8, threads=1) for slices in (60, 240))
    volume_mib = 150 * 192 * 192 * 2 / 2**20  # by which the second volume is larger
    assert many < few + 0.3 * volume_mib, "neither embeddings nor masks nor copies pile up"
    assert 6 < few < 6 + 40


def test_a_failing_process_says_its_last_line() -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        run([sys.executable, "-c", "raise SystemExit('no such thing')"], environment())


def test_a_contender_that_cannot_be_built_says_why() -> None:
    with pytest.raises(WorkerError, match="nowhere"):
        Worker({"kind": "product", "folder": "nowhere", "runtime": "onnxruntime", "threads": 1})


def test_a_line_is_found_and_its_residual() -> None:
    fit = linear_fit([1, 2, 3, 4], [3.0, 5.0, 7.0, 9.0])
    assert fit["per_step_s"] == pytest.approx(2) and fit["start_s"] == pytest.approx(1)
    assert fit["residual"] == pytest.approx(0, abs=1e-9)


def test_a_page_shows_the_last_run_only() -> None:
    page = f"# Speed\n{BEGIN}\nold\n{END}\ntail\n"
    once = insert(page, "machine\n\n## Goals\n")
    assert once == f"# Speed\n{BEGIN}\n\nmachine\n\n### Goals\n\n{END}\ntail\n"
    assert insert(once, "machine\n\n## Goals\n") == once
    with pytest.raises(ValueError, match="lacks"):
        insert("# Speed\n", "table")


def test_arithmetic_and_traffic_are_counted_from_shapes() -> None:
    weights = numpy_helper.from_array(np.ones((8, 3, 3, 3), np.float32), "w")
    matrix = numpy_helper.from_array(np.ones((16, 5), np.float32), "m")
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("MatMul", ["c", "m"], ["out"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 8, 16, 5]) for name in ("out",)]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 16, 16])
    graph = helper.make_graph(nodes, "g", [image], values, [weights, matrix])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    found = costs(model, threads=1)
    convolution, product = 2 * 8 * 16 * 16 * 27, 2 * 8 * 16 * 5 * 16
    assert found["gflop"] == pytest.approx((convolution + product) / 1e9)
    moved = 3 * 256 + 216 + 2 * 8 * 256 + 80 + 8 * 16 * 5
    assert found["moved_mb"] == pytest.approx(4 * moved / 1e6)
    assert found["operators"] == 2


def test_results_come_back_whole_from_their_file() -> None:
    results = Results({"a/b/c": Timing((1.0, 3.0))}, {"sections": {"start": 2.0}}, {"other": "why"})
    again = Results.from_json(json.loads(json.dumps(results.as_json())))
    assert again == results


@pytest.mark.skipif(sys.platform == "win32", reason="memory of a process is measured on POSIX systems only")
def test_a_quick_run_reports_every_goal_and_draws(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--runtime", "onnxruntime", "--output", str(tmp_path)],
        env=environment(),
        cwd=ROOT,
        check=True,
    )
    found = json.loads((tmp_path / "speed.json").read_text("utf-8"))
    table = (tmp_path / "speed.md").read_text("utf-8")
    for goal in GOALS:
        rows = [row for row in found["goals"] if goal in row["what"]]
        assert rows and rows[0]["what"] in table
    measured = [row for row in found["goals"] if row["value"] is not None]
    assert all(row["reached"] == (row["value"] <= row["reach"]) for row in measured)
    assert {"picture", "two boxes", "one box", "six boxes"} == {name.split("/")[0] for name in found["facts"]["cases"]}
    assert len(found["facts"]["memory"]["mib"]) == 2 and set(found["facts"]["sections"]) == SECTIONS
    for name in ("networks", "cases", "growth"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_resuming_repeats_a_section_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []

    class Section:
        @staticmethod
        def measure(plan: object, results: object) -> None:
            runs.append("run")
            if len(runs) == 1:
                raise RuntimeError("not now")

    monkeypatch.setattr(bench, "_SECTIONS", {"start": Section})
    monkeypatch.setattr(bench, "VARIABLE", "MEDSAMLITE_TEST_CLOCK")
    monkeypatch.setenv("MEDSAMLITE_TEST_CLOCK", "wall")
    arguments = ["bench", "--quick", "--runtime", "onnxruntime", "--resume", "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    for _ in range(3):
        bench.main()
    found = json.loads((tmp_path / "speed.json").read_text("utf-8"))
    assert len(runs) == 2 and "start" in found["facts"]["sections"] and "section start" not in found["skipped"]


def test_only_the_sections_asked_for_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []

    def section(name: str) -> type:
        return type(name, (), {"measure": staticmethod(lambda plan, results: runs.append(name))})

    monkeypatch.setattr(bench, "_SECTIONS", {name: section(name) for name in ("start", "networks", "memory")})
    monkeypatch.setattr(bench, "VARIABLE", "MEDSAMLITE_TEST_CLOCK")
    monkeypatch.setenv("MEDSAMLITE_TEST_CLOCK", "wall")
    asked = ["--section", "memory", "--section", "start"]
    monkeypatch.setattr(
        sys, "argv", ["bench", "--quick", "--runtime", "onnxruntime", *asked, "--output", str(tmp_path)]
    )
    bench.main()
    assert runs == ["start", "memory"]
