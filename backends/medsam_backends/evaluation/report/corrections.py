"""What simulated corrective clicks bring: DSC with the box alone and after each click."""

from __future__ import annotations

import math
from statistics import fmean

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .study import Study
from .style import Plot, looks, png, quiet

__all__ = ["clicks"]


def clicks(study: Study) -> Plot | None:
    """Mean DSC over cases against clicks, a line a model; None where no model was corrected."""
    lines = {model: line for model in study.models if (line := _line(study, model))}
    if not lines:
        return None
    look = looks(study.seen)
    with quiet():
        figure = Figure(figsize=(6.4, 3.6))
        axes = figure.subplots()
        for model, line in lines.items():
            axes.plot(range(len(line)), line, color=look[model].colour, marker=look[model].marker, label=model)
        axes.set_xlabel("clicks after the box")
        axes.set_ylabel("mean DSC")
        axes.grid(True, axis="both")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside right upper", frameon=False)
        image = png(figure)
    count = max(sum(bool(case.clicks) for case in study.of(model)) for model in lines)
    alt = "; ".join(f"{model} from {line[0]:.3f} to {line[-1]:.3f}" for model, line in lines.items())
    caption = f"Mean DSC of up to {count} cases with the box alone and after each simulated corrective click."
    return Plot("clicks", image, "Corrections", f"{caption} The axis does not begin at 0.", f"Lines of DSC: {alt}.")


def _line(study: Study, model: str) -> list[float]:
    """Means of each step over the cases that came as far."""
    corrected = [case.clicks for case in study.of(model) if case.clicks]
    steps = min((len(scores) for scores in corrected), default=0)
    columns = [[scores[step] for scores in corrected if not math.isnan(scores[step])] for step in range(steps)]
    return [fmean(column) for column in columns] if all(columns) else []
