"""Section: whole cases as users run them, a process each, from its start to the written file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .networks import export_plain
from .plan import BUNDLED, Plan
from .processes import ProcessRun, environment, run
from .results import Results
from .subjects import PICTURE, volume_file
from .timing import Timing, interleaved

__all__ = ["PEER", "measure"]

PEER = "MedficientSAM-L1's pipeline, Python over OpenVINO"
_PEER_SYSTEM = "medficientsam-l1"
Box = tuple[int, ...]


@dataclass
class _Program:
    """A command to repeat, and what its runs took."""

    command: list[str]
    folder: Path
    models: Path | None = None
    report: Path | None = None
    runs: list[tuple[ProcessRun, dict[str, float]]] = field(default_factory=list)
    encodes: int = 0

    def __call__(self) -> float:
        done = run(self.command, environment(self.models))
        told = json.loads(self.report.read_text("utf-8")) if self.report else {}
        self.runs.append((done, told.get("time_s", {})))
        self.encodes = told["cache"]["misses"] if told else 0
        return done.seconds

    def summary(self) -> dict[str, Any]:
        """Of the run in the middle by the clock: its times and stages (wall time); of all: most memory."""
        counted = sorted(self.runs, key=lambda pair: pair[0].seconds)
        done, stages = counted[len(counted) // 2]
        named = {name: seconds for name, seconds in stages.items() if name != "total"}
        start = max(0.0, done.wall_s - stages["total"]) if stages else 0.0
        return {
            "seconds": done.seconds,
            "wall_s": done.wall_s,
            "cpu_s": done.cpu_s,
            "peak_mib": max(run.peak_mib for run, _ in counted),
            "stages_s": {"python": start, **named} if stages else {},
            "encodes": self.encodes,
        }


def measure(plan: Plan, results: Results) -> None:
    """Run the case of a picture and of volumes; peers beside them where they can be run."""
    small, large, huge = plan.effort.volumes
    wanted = ",".join(str(slices) for slices in (small, large, huge) if slices)
    run([sys.executable, "-m", "benchmarks.subjects", str(plan.work), wanted, str(plan.effort.side)], environment())
    two = _two_boxes(plan.effort.side, small)
    quick = {**_ours(plan, "picture", PICTURE, [_flat(plan)]), **_ours(plan, "two boxes", volume_file(small), two)}
    quick |= _peer(plan, small, two, results)
    _run(plan, quick, plan.effort.repeats, results)
    six = _six_boxes(plan.effort.side, large)
    slow = {**_ours(plan, "one box", volume_file(large), six[:1]), **_ours(plan, "six boxes", volume_file(large), six)}
    _run(plan, slow, max(1, plan.effort.repeats // 2), results)
    if huge:
        through = (*six[0][:2], 0, *six[0][3:5], huge - 1)
        once = _ours(plan, "large volume", volume_file(huge), [through], ["--cache", "256"], first_only=True)
        _run(plan, once, 1, results)
    if plan.model("litemedsam"):
        _run(plan, _ours(plan, "two boxes", volume_file(small), two, model="litemedsam", first_only=True), 1, results)
    results.facts["sizes"] = {"small": small, "large": large, "huge": huge, "side": plan.effort.side}


def _flat(plan: Plan) -> Box:
    side = plan.effort.side
    return side // 4, side // 4, side // 2, side * 2 // 3


def _two_boxes(side: int, slices: int) -> list[Box]:
    """Two boxes of a third of the slices each that share three quarters of it: 60 give 25 encodes, 40 decodes."""
    depth, first = slices // 3, slices // 3
    shift = depth // 4
    a, b = side // 4, side * 5 // 8
    lower = b - side // 10
    return [
        (a, a, first, b, b, first + depth - 1),
        (a, lower, first + shift, b, side * 7 // 8, first + shift + depth - 1),
    ]


def _six_boxes(side: int, slices: int) -> list[Box]:
    first, last = slices * 2 // 5, slices * 3 // 5 - 1
    starts = [(side * (1 + n % 3) // 5, side * (1 + n // 3) // 4) for n in range(6)]
    return [(x, y, first, x + side // 5, y + side // 4, last) for x, y in starts]


def _ours(
    plan: Plan,
    case: str,
    file: str,
    boxes: list[Box],
    further: list[str] | None = None,
    model: str = BUNDLED,
    first_only: bool = False,
) -> dict[str, _Program]:
    programs = {}
    for runtime in plan.runtimes[: 1 if first_only else None]:
        name = f"{case}/{model} {runtime}"
        stem = plan.work / name.replace("/", " ").replace(" ", "-")
        report, output = stem.with_suffix(".json"), stem.with_suffix(".png" if case == "picture" else ".seg.nrrd")
        command = [sys.executable, "-m", "medsam_backends", "segment", str(plan.work / file), "--force"]
        for box in boxes:
            command += ["--box", *map(str, box)]
        command += ["--output", str(output), "--report", str(report), "--threads", str(plan.threads)]
        command += _runtime_option(runtime) + (further or []) + ([] if model == BUNDLED else ["--model", model])
        programs[name] = _Program(command, plan.work, plan.models_folder, report)
    return programs


def _runtime_option(runtime: str) -> list[str]:
    from medsam_backends.cli.segment import command

    known = any("--runtime" in parameter.opts for parameter in command.params)
    return ["--runtime", runtime] if known else []


def _peer(plan: Plan, slices: int, boxes: list[Box], results: Results) -> dict[str, _Program]:
    if plan.model(_PEER_SYSTEM) is None:
        results.skipped[PEER] = "the system was not asked for"
        return {}
    try:
        folder = export_plain(plan, _PEER_SYSTEM)
    except RuntimeError as error:
        results.skipped[PEER] = str(error)
        return {}
    command = [sys.executable, "-m", "benchmarks.peer_pipeline", str(folder), str(plan.work / f"volume-{slices}.npz")]
    command += [str(plan.work / "peer.npz"), str(plan.threads)]
    for box in boxes:
        command += map(str, (*box[:5], box[5] + 1))  # its last slice is left out
    return {f"two boxes/{PEER}": _Program(command, plan.work)}


def _run(plan: Plan, programs: dict[str, _Program], repeats: int, results: Results) -> None:
    working: dict[str, Callable[[], float]] = {}
    found: dict[str, Timing] = {}
    for name, program in programs.items():
        try:
            seconds = program()  # fills the system's file cache
        except RuntimeError as error:
            results.skipped[name] = str(error)
            continue
        if seconds > plan.effort.long_s:
            found[name] = Timing((seconds,))
        else:
            working[name] = program
            program.runs.clear()
    found |= interleaved(working, repeats, plan.effort.budget_s, least=1, warm=False)
    results.timings |= {f"cases/{name}": timing for name, timing in found.items()}
    for name in found:
        results.facts.setdefault("cases", {})[name] = programs[name].summary()
