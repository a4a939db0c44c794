"""Section: encoders and decoders of every model in every runtime, beside the authors' own way to run them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from .machine import COPIED_BYTES, PRODUCT_FLOP
from .plan import BUNDLED, Model, Plan
from .processes import environment, run
from .results import Results
from .timing import interleaved
from .workers import Worker, WorkerError

__all__ = ["PARTS", "export_plain", "measure"]

PARTS = {
    "product": ("encode", "decode", "input"),
    "graphs": ("encoder", "decoder"),
    "plain": ("encoder", "decoder"),
    "torch": ("encoder", "decoder"),
}
"""Parts of each kind of engine."""


def measure(plan: Plan, results: Results) -> None:
    """Time each published system with the bundled model beside it; the bundled one alone when there is none."""
    bundled = plan.model(BUNDLED)
    assert bundled is not None
    _machine(plan, results)
    others = [model for model in plan.models if model is not bundled]
    for model in others or [bundled]:
        contenders = _contenders(plan, model, results)
        if model is not bundled:
            contenders |= _contenders(plan, bundled, results)
        _group(plan, model.name, contenders, results)
    for model in plan.models:
        _costs(plan, model, results)


def _machine(plan: Plan, results: Results) -> None:
    with Worker({"kind": "machine", "threads": plan.threads}) as worker:
        tasks = {f"machine/{part}": partial(worker.time, part) for part in ("product", "copy")}
        results.timings |= interleaved(tasks, plan.effort.repeats, plan.effort.budget_s)
    results.facts["peak"] = {
        "gflop_per_s": PRODUCT_FLOP / results.timings["machine/product"].fastest / 1e9,
        "gb_per_s": COPIED_BYTES / results.timings["machine/copy"].fastest / 1e9,
    }


def _contenders(plan: Plan, model: Model, results: Results) -> dict[str, tuple[dict[str, Any], str]]:
    """Engines that run a model, by name, each with the interpreter it needs."""
    engines: dict[str, tuple[dict[str, Any], str]] = {}
    for runtime in plan.runtimes:
        for kind in ("product", "graphs"):
            engine = {"kind": kind, "folder": str(model.folder), "runtime": runtime, "threads": plan.threads}
            engines[f"{model.name} {kind} {runtime}"] = (engine, sys.executable)
    if model.system:
        engines |= _peers(plan, model, results)
    return engines


def _peers(plan: Plan, model: Model, results: Results) -> dict[str, tuple[dict[str, Any], str]]:
    if plan.torch is None:
        results.skipped[f"{model.name} as its authors run it"] = "no Python with PyTorch was found"
        return {}
    engines: dict[str, tuple[dict[str, Any], str]] = {
        f"{model.name} torch": ({"kind": "torch", "system": model.system, "threads": plan.threads}, plan.torch)
    }
    try:
        folder = export_plain(plan, model.system)
    except RuntimeError as error:
        results.skipped[f"{model.name} plain export"] = str(error)
        return engines
    for runtime in ("onnxruntime", "openvino"):
        engine = {"kind": "plain", "folder": str(folder), "runtime": runtime, "threads": plan.threads}
        engines[f"{model.name} plain {runtime}"] = (engine, sys.executable)
    return engines


def export_plain(plan: Plan, system: str) -> Path:
    """The folder of a system's plain export, made if this run has not done so yet.

    Raises
    ------
    RuntimeError
        If it cannot be exported.
    """
    folder = plan.work / "plain" / system
    if not (folder / "decoder.onnx").is_file():
        if plan.torch is None:
            raise RuntimeError("no Python with PyTorch was found")
        run([plan.torch, "-m", "benchmarks.peer_export", system, str(folder)], environment())
    return folder


def _group(plan: Plan, group: str, engines: dict[str, tuple[dict[str, Any], str]], results: Results) -> None:
    with ExitStack() as stack:
        tasks: dict[str, Callable[[], float]] = {}
        for name, (engine, python) in engines.items():
            try:
                worker = stack.enter_context(Worker(engine, python))
            except WorkerError as error:
                results.skipped[name] = str(error)
                continue
            results.facts.setdefault("load_s", {})[name] = worker.facts["load_s"]
            for part in PARTS[engine["kind"]]:
                tasks[f"{group}/{name}/{part}"] = partial(worker.time, part, plan.effort.sample_s)
        results.timings |= interleaved(tasks, plan.effort.repeats, plan.effort.budget_s)


def _costs(plan: Plan, model: Model, results: Results) -> None:
    arguments = [sys.executable, "-m", "benchmarks.graph_cost", str(model.folder), str(plan.threads)]
    try:
        found = json.loads(run(arguments, environment()).output.strip().splitlines()[-1])
    except RuntimeError as error:
        results.skipped[f"{model.name} arithmetic"] = str(error)
        return
    size = sum(path.stat().st_size for path in Path(model.folder).iterdir())
    results.facts.setdefault("graphs", {})[model.name] = found | {"folder_mb": size / 1e6, "stand_in": model.stand_in}
