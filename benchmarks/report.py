"""Writes what a run found: a table in Markdown, everything in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .clock import chosen
from .goals import Row, rows
from .plan import Plan
from .results import Results

__all__ = ["table", "write"]

_UNKNOWN = {"gflop_per_s": float("nan"), "gb_per_s": float("nan")}


def write(folder: Path, plan: Plan, machine: dict[str, Any], results: Results) -> None:
    """Write ``speed.md`` and ``speed.json``."""
    found = rows(plan, results)
    listed = [asdict(row) | {"reached": row.reached} for row in found]
    content = {"machine": machine, "clock": chosen(), "threads": plan.threads, "goals": listed, **results.as_json()}
    (folder / "speed.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    (folder / "speed.md").write_text("\n".join(_page(plan, machine, results, found)) + "\n", "utf-8")


def _page(plan: Plan, machine: dict[str, Any], results: Results, found: list[Row]) -> Iterator[str]:
    yield _machine(plan, machine, results)
    yield "\n## Goals\n"
    yield from table(("what", "ours", "anchor", "its value", "ratio", "to reach", "reached"), map(_goal, found))
    yield "\n## Encoders and decoders, ms\n"
    yield from _networks(results)
    yield "\n## Whole cases, each a process\n"
    yield from _cases(results)
    yield "\n## Volumes inside a process, ms\n"
    yield from _timings(results, "volumes/")
    yield "\n## Growth\n"
    yield from _growth(results)
    yield "\n## Memory beyond the volume, every slice of it segmented\n"
    yield from _memory(results)
    yield "\n## Start, ms\n"
    yield from _timings(results, "startup/")
    imports = results.facts.get("import_s", {})
    yield f"\nSlowest imports: {', '.join(f'{name} {1000 * own:.0f} ms' for name, own in imports.items())}"
    yield "\n## Arithmetic and memory traffic\n"
    yield from _graphs(results)
    if results.skipped:
        yield "\n## Left out\n"
        yield from (f"- {name}: {reason}" for name, reason in results.skipped.items())


def _machine(plan: Plan, machine: dict[str, Any], results: Results) -> str:
    peak = results.facts.get("peak", _UNKNOWN)
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items() if version)
    stand_ins = ", ".join(model.name for model in plan.models if model.stand_in)
    return (
        f"{machine['cores']} cores of an {machine['architecture']} machine at {machine['ghz']} GHz "
        f"({', '.join(machine['instructions'])}), {machine['memory_gib']} GiB, {machine['system']}, "
        f"{plan.threads} threads, {chosen()} time; load average before and after: {machine['load_average'][0]}, "
        f"{machine['load_after']}. "
        f"Python {machine['python']}, {packages}.\n\n"
        f"Measured peak: {peak['gflop_per_s']:.0f} GFLOP/s (float32 matrix product), "
        f"{peak['gb_per_s']:.1f} GB/s (copy). Medians of {plan.effort.repeats} interleaved rounds at most."
        + (f" Stand-in weights: {stand_ins}." if stand_ins else "")
    )


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from (f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}{f' {unit}' if unit else ''}"


def _goal(row: Row) -> tuple[str, ...]:
    ratio = row.ours / row.theirs if row.ours is not None and row.theirs else None
    absolute = row.value is not None and row.value == row.ours
    reach = f"<= {_number(row.reach, row.unit if absolute else '')}" if row.reach else "-"
    reached = {True: "yes", False: "**no**", None: row.note or "not measured"}[row.reached]
    ours, theirs = _number(row.ours, row.unit), _number(row.theirs, row.unit)
    return row.what, ours, row.anchor, theirs, _number(ratio), reach, reached


def _networks(results: Results) -> Iterator[str]:
    heads = ("beside", "contender", "part", "median", "fastest", "spread")
    skip = ("machine/", "volumes/", "growth/", "cases/", "startup/")
    names = [name for name in results.timings if not name.startswith(skip)]
    yield from table(heads, (_timing(results, name, name.split("/")) for name in names))


def _timings(results: Results, prefix: str) -> Iterator[str]:
    names = [name for name in results.timings if name.startswith(prefix)]
    lines = (_timing(results, name, [" ".join(name.removeprefix(prefix).split("/"))]) for name in names)
    yield from table(("what", "median", "fastest", "spread"), lines)


def _timing(results: Results, name: str, columns: list[str]) -> tuple[str, ...]:
    timing = results.timings[name]
    return *columns, _number(1000 * timing.median), _number(1000 * timing.fastest), f"{100 * timing.spread:.0f} %"


def _cases(results: Results) -> Iterator[str]:
    stages = ("python", "load", "encode", "decode", "other")
    lines = [
        (
            name.replace("/", ", "),
            _number(found["wall_s"]),
            _number(found["cpu_s"]),
            _number(found["peak_mib"]),
            str(found["encodes"] or "-"),
            *(_number(found["stages_s"].get(stage)) for stage in stages),
        )
        for name, found in results.facts.get("cases", {}).items()
    ]
    yield from table(
        ("case", "wall s", "processor s", "peak MiB", "encodes", *(f"{stage} s" for stage in stages)), lines
    )


def _growth(results: Results) -> Iterator[str]:
    heads = ("in", "values", "seconds", "line", "largest residual")
    lines = []
    for what, fit in results.facts.get("growth", {}).items():
        unit = "pixel" if what == "side" else what.rstrip("es") if what == "boxes" else "slice"
        line = f"{_number(fit['start_s'])} s + {1e3 * fit['per_step_s']:.3g} ms a {unit}"
        values, seconds = (" ".join(map(_number, map(float, fit[key]))) for key in ("values", "seconds"))
        lines.append((what, values, seconds, line, f"{100 * fit['residual']:.0f} %"))
    yield from table(heads, lines)


def _memory(results: Results) -> Iterator[str]:
    found = results.facts.get("memory", {"slices": [], "mib": [], "cache_mib": 0})
    lines = (
        (str(n), _number(mib), str(found["cache_mib"])) for n, mib in zip(found["slices"], found["mib"], strict=True)
    )
    yield from table(("slices", "MiB at most", "of it the cache's bound, MiB"), lines)


def _graphs(results: Results) -> Iterator[str]:
    peak, lines = results.facts.get("peak", _UNKNOWN), []
    for name, graphs in results.facts.get("graphs", {}).items():
        for part in ("encoder", "decoder"):
            cost = graphs[part]
            compute_ms = cost["gflop"] / peak["gflop_per_s"] * 1e3
            traffic_ms = cost["moved_mb"] / peak["gb_per_s"]
            busiest = ", ".join(f"{op} {100 * share:.0f} %" for op, share in list(cost["time_share"].items())[:4])
            numbers = (cost["gflop"], cost["weights_mb"], cost["moved_mb"], compute_ms, traffic_ms)
            lines.append((f"{name} {part}", *map(_number, numbers), str(cost["operators"]), busiest))
    heads = (
        "graph",
        "GFLOP",
        "weights MB",
        "moved MB",
        "ms at peak arithmetic",
        "ms at peak traffic",
        "operators",
        "time",
    )
    yield from table(heads, lines)
