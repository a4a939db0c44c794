"""``make bench``: measures everything and writes the table, the numbers and the plots."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from . import cases, memory, networks, startup, volumes
from .clock import CLOCKS, VARIABLE
from .machine import describe
from .plan import FULL, QUICK, USUAL, Effort, Plan, prepare
from .report import write
from .results import Results

_SECTIONS = {"start": startup, "networks": networks, "cases": cases, "volumes": volumes, "memory": memory}


def main() -> None:
    """Measure section by section; the tables are written after each, so that a run that is stopped leaves them."""
    arguments = _arguments()
    os.environ[VARIABLE] = arguments.clock
    runtimes = tuple(arguments.runtime or installed_runtimes())
    arguments.output.mkdir(parents=True, exist_ok=True)
    machine = describe()
    with tempfile.TemporaryDirectory() as folder:
        plan = prepare(_effort(arguments), arguments.threads, runtimes, Path(folder))
        results = _earlier(arguments.output, plan) if arguments.resume else Results()
        results.skipped |= plan.skipped
        results.facts["settings"] = _settings(plan)
        for name, section in _SECTIONS.items():
            if name in results.facts.setdefault("sections", {}) or name not in (arguments.section or _SECTIONS):
                continue
            started = time.perf_counter()
            try:
                section.measure(plan, results)
                results.facts["sections"][name] = round(time.perf_counter() - started, 1)
                results.skipped.pop(f"section {name}", None)
            except (RuntimeError, OSError) as error:  # what the other sections found is worth having
                results.skipped[f"section {name}"] = str(error)
            print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
            machine["load_after"] = round(os.getloadavg()[0], 2)
            write(arguments.output, plan, machine, results)
        from .plots import draw  # a large import: children that are started by a large parent look large themselves

        draw(arguments.output, plan, results)
    print(f"{arguments.output / 'speed.md'}, speed.json and plots are written")


def _settings(plan: Plan) -> str:
    """What the figures of two runs must have in common to stand in one table."""
    return f"{plan.effort} {plan.threads} {plan.runtimes} {os.environ[VARIABLE]}"


def _earlier(folder: Path, plan: Plan) -> Results:
    """What an earlier run with the same settings left in `folder`; nothing if there is none."""
    try:
        found = Results.from_json(json.loads((folder / "speed.json").read_text("utf-8")))
    except (OSError, ValueError, KeyError):
        return Results()
    return found if found.facts.get("settings") == _settings(plan) else Results()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small images, few rounds: under a minute")
    parser.add_argument("--full", action="store_true", help="every published system, more rounds: over an hour")
    parser.add_argument("--resume", action="store_true", help="keep the sections that an earlier run there finished")
    parser.add_argument("--output", type=Path, default=Path("bench-output"), help="folder for table, numbers and plots")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of every contender")
    parser.add_argument("--runtime", action="append", help="of ours, may be repeated; else all installed ones")
    parser.add_argument(
        "--system", action="append", help="published system, may be repeated; else two, or with --full all"
    )
    parser.add_argument("--section", action="append", choices=_SECTIONS, help="may be repeated; else all")
    parser.add_argument("--repeats", type=int, help="most rounds; fewer for a shorter run")
    parser.add_argument(
        "--clock", choices=CLOCKS, default=CLOCKS[0], help="processor, with --threads 1, for a machine that is not idle"
    )
    return parser.parse_args()


def _effort(arguments: argparse.Namespace) -> Effort:
    effort = QUICK if arguments.quick else FULL if arguments.full else USUAL
    if arguments.repeats:
        effort = replace(effort, repeats=arguments.repeats)
    if arguments.system:
        effort = replace(effort, systems=tuple(arguments.system))
    return effort


def installed_runtimes() -> list[str]:
    """Names of the runtimes that can be used here and calculate in float32."""
    from medsam_backends.runtimes import available_runtimes

    return [name for name, reason in available_runtimes().items() if not reason and not name.endswith("-reduced")]


if __name__ == "__main__":
    main()
