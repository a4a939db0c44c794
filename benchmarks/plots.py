"""Draws what a run found: networks, whole cases by stage, and growth; a PNG each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from .plan import Plan
from .results import Results
from .volumes import GROWTH

__all__ = ["draw"]

_STAGES = {"python": "#9aa5b1", "load": "#6b8fb5", "encode": "#d95f4c", "decode": "#e9a23b", "other": "#5fa777"}
_KINDS = {"product": "#d95f4c", "plain": "#6b8fb5", "torch": "#9aa5b1"}


def draw(folder: Path, plan: Plan, results: Results) -> None:
    """Write ``networks.png``, ``cases.png`` and ``growth.png``."""
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 130})
    _networks(folder / "networks.png", plan, results)
    _cases(folder / "cases.png", results)
    if "growth" in results.facts:
        _growth(folder / "growth.png", results)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def _networks(path: Path, plan: Plan, results: Results) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(11, 0.6 + 0.2 * len(_bars(plan, results, "encode"))), sharey=True)
    for axis, part in zip(axes, ("encode", "decode"), strict=True):
        bars = _bars(plan, results, part)
        places = np.arange(len(bars))[::-1]
        axis.barh(places, [ms for _, ms, _ in bars], color=[_KINDS[kind] for _, _, kind in bars])
        for place, (_, ms, _) in zip(places, bars, strict=True):
            axis.text(ms, place, f" {ms:.3g}", va="center", fontsize=7)
        axis.set(title=f"{part}, ms (logarithmic)", xscale="log")
        axis.set_yticks(places, [name for name, _, _ in bars])
        axis.margins(x=0.12, y=0.01)
    _save(figure, path)


def _bars(plan: Plan, results: Results, part: str) -> list[tuple[str, float, str]]:
    """(label, ms, kind) of ours with all that belongs to a picture, and of the peers' bare networks."""
    bars = []
    for model in plan.models:
        group = model.name if model.system else plan.models[-1].name
        for kind in _KINDS:
            name = part if kind == "product" else {"encode": "encoder", "decode": "decoder"}[part]
            for runtime in ("onnxruntime", "openvino", ""):
                contender = f"{model.name} {kind} {runtime}".strip()
                seconds = results.median(f"{group}/{contender}/{name}")
                if seconds is not None:
                    bars.append((contender.replace(" product", ", ours,"), 1000 * seconds, kind))
    return bars


def _cases(path: Path, results: Results) -> None:
    cases = results.facts.get("cases", {})
    names = [name for name in cases if cases[name]["wall_s"] < 60]
    figure, axis = plt.subplots(figsize=(9, 0.9 + 0.32 * len(names)))
    places = np.arange(len(names))[::-1]
    for place, name in zip(places, names, strict=True):
        left, stages = 0.0, cases[name]["stages_s"] or {"other": cases[name]["wall_s"]}
        for stage, color in _STAGES.items():
            axis.barh(place, stages.get(stage, 0), left=left, color=color if cases[name]["stages_s"] else "#cccccc")
            left += stages.get(stage, 0)
        axis.text(
            left, place, f" {cases[name]['wall_s']:.2f} s, {cases[name]['peak_mib']:.0f} MiB", va="center", fontsize=7
        )
    axis.set(yticks=places, yticklabels=[name.replace("/", ", ") for name in names], xlabel="seconds, whole process")
    axis.margins(x=0.18)
    handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in _STAGES.values()]
    axis.legend(handles, _STAGES, ncols=5, loc="lower center", bbox_to_anchor=(0.4, 1.0), frameon=False)
    _save(figure, path)


def _growth(path: Path, results: Results) -> None:
    figure, axes = plt.subplots(1, len(GROWTH) + 1, figsize=(14, 3.2))
    _memory(axes[-1], results)
    for axis, (what, label) in zip(axes[:-1], GROWTH.items(), strict=True):
        fit = results.facts["growth"][what]
        values = np.array(fit["values"])
        fine = np.linspace(0, values.max(), 60)
        steps = fine**2 if what == "side" else fine
        axis.plot(fine, fit["start_s"] + fit["per_step_s"] * steps, color="#9aa5b1", label="fit")
        axis.plot(values, fit["seconds"], "o", color="#d95f4c", label="median")
        axis.set(xlabel=label, ylabel="seconds", ylim=(0, None))
        name = "parabola" if what == "side" else "line"
        axis.set_title(f"{name}, largest residual {100 * fit['residual']:.0f} %")
        axis.legend(frameon=False)
    _save(figure, path)


def _memory(axis: Any, results: Results) -> None:
    found = results.facts.get("memory")
    if found is None:
        axis.set_visible(False)
        return
    axis.plot(found["slices"], found["mib"], "o-", color="#d95f4c", label="at most")
    axis.axhline(found["cache_mib"], color="#9aa5b1", label="bound of the cache")
    axis.set(xlabel="slices in the box", ylabel="MiB beyond the volume", xlim=(0, None), ylim=(0, None))
    axis.set_title("memory")
    axis.legend(frameon=False)
