"""Times several tasks in turn, so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Timing", "interleaved"]


@dataclass(frozen=True)
class Timing:
    """Seconds of every repeat."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)

    @property
    def fastest(self) -> float:
        """The least disturbed one."""
        return min(self.seconds)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles as a share of the median; 0 for fewer than two repeats."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / 2 / self.median


def interleaved(
    tasks: Mapping[str, Callable[[], float]],
    repeats: int,
    budget_s: float = float("inf"),
    least: int = 3,
    warm: bool = True,
) -> dict[str, Timing]:
    """Run all tasks round after round.

    Parameters
    ----------
    tasks : each gives the seconds it took
    budget_s : no further round begins after so many seconds, but for the first `least`
    warm : run every task once before anything is counted

    Notes
    -----
    Every round begins with another task, so that none always follows the same one.
    """
    for task in tasks.values() if warm else ():
        task()
    names: Sequence[str] = list(tasks)
    found: dict[str, list[float]] = {name: [] for name in names}
    started = time.perf_counter()
    for number in range(repeats):
        if number >= least and time.perf_counter() - started > budget_s:
            break
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            found[name].append(tasks[name]())
    return {name: Timing(tuple(seconds)) for name, seconds in found.items()}
