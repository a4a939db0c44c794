"""Section: volumes inside one process: sharing of encoded slices, previews, growth with slices, boxes and size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from .plan import BUNDLED, Model, Plan
from .results import Results
from .timing import interleaved
from .workers import Worker

__all__ = ["GROWTH", "SHARED_BOXES", "measure"]

SHARED_BOXES = 6
GROWTH = {"slices": "slices in the box", "boxes": "boxes on the same slices", "side": "side of a slice in pixels"}
_SLOW, _FEW = "litemedsam", 3


def measure(plan: Plan, results: Results) -> None:
    """Time the bundled model on each runtime, and LiteMedSAM on few slices, as its encoder is slow."""
    side, slices = plan.effort.side, max(plan.effort.growth_slices)
    for runtime in plan.runtimes:
        for model in plan.models:
            if model.name == BUNDLED:
                _sharing(plan, model, runtime, slices, side, results)
            elif model.name == _SLOW and runtime == plan.runtimes[0]:
                _sharing(plan, model, runtime, _FEW, side, results, least=1)
    _growth(plan, results)


def _engine(plan: Plan, model: Model, runtime: str) -> dict[str, Any]:
    return {"kind": "volume", "folder": str(model.folder), "runtime": runtime, "threads": plan.threads}


def _sharing(plan: Plan, model: Model, runtime: str, slices: int, side: int, results: Results, least: int = 2) -> None:
    with Worker(_engine(plan, model, runtime)) as worker:
        size = {"slices": slices, "side": side}
        tasks = {
            "six boxes": partial(worker.time, "segment", **size, boxes=SHARED_BOXES),
            "six boxes, box by box": partial(worker.time, "box_by_box", **size, boxes=SHARED_BOXES),
            "one box": partial(worker.time, "segment", **size, boxes=1),
            "a further box": partial(worker.time, "further_box", **size),
            "encode of those slices": partial(worker.time, "encode_slices", **size),
            "preview, slice cached": partial(worker.time, "preview", side=side, at_least_s=plan.effort.sample_s),
            "preview, slice new": partial(worker.time, "preview", side=side, cached=False),
        }
        group = f"volumes/{model.name} {runtime}"
        effort = plan.effort
        found = interleaved(tasks, effort.repeats, effort.budget_s, least=least, warm=least > 1)
    results.timings |= {f"{group}/{name}": timing for name, timing in found.items()}
    results.facts.setdefault("shared_slices", {})[f"{model.name} {runtime}"] = slices


def _growth(plan: Plan, results: Results) -> None:
    bundled = plan.model(BUNDLED)
    assert bundled is not None
    effort = plan.effort
    grid: Mapping[str, tuple[Sequence[int], dict[str, int]]] = {
        "slices": (effort.growth_slices, {"boxes": 1, "side": effort.side}),
        "boxes": (effort.growth_boxes, {"slices": effort.growth_slices[1], "side": effort.side}),
        "side": (effort.growth_sides, {"slices": effort.growth_slices[1], "boxes": 1}),
    }
    with Worker(_engine(plan, bundled, plan.runtimes[0])) as worker:
        tasks = {
            f"growth/{what}/{value}": partial(worker.time, "segment", **{**fixed, what: value})
            for what, (values, fixed) in grid.items()
            for value in values
        }
        found = interleaved(tasks, effort.repeats, effort.budget_s * 2)
    results.timings |= found
    for what, (values, _) in grid.items():
        seconds = [found[f"growth/{what}/{value}"].median for value in values]
        # A slice's own work grows with its pixels, not with its side.
        steps = [value**2 if what == "side" else value for value in values]
        results.facts.setdefault("growth", {})[what] = linear_fit(steps, seconds) | {"values": list(values)}


def linear_fit(x: Sequence[float], seconds: Sequence[float]) -> dict[str, Any]:
    """Seconds a step, seconds at zero, and the largest distance from the line as a share of the largest value."""
    step, start = np.polyfit(x, seconds, 1)
    residual = np.abs(np.polyval([step, start], x) - seconds).max() / max(seconds)
    return {"per_step_s": float(step), "start_s": float(start), "residual": float(residual), "seconds": list(seconds)}
