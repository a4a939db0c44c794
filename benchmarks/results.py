"""What a run found: timings and facts by name, and why something was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .timing import Timing

__all__ = ["Results"]


@dataclass
class Results:
    """Filled section by section.

    Attributes
    ----------
    timings : by ``group/contender/part``
    facts : anything else that was measured or counted, by section
    skipped : what was left out, and why
    """

    timings: dict[str, Timing] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def median(self, name: str) -> float | None:
        """Median seconds of a timing, or None if it was left out."""
        found = self.timings.get(name)
        return found.median if found else None

    def ratio(self, name: str, anchor: str) -> float | None:
        """Ratio of two medians, or None if either was left out."""
        ours, theirs = self.median(name), self.median(anchor)
        return ours / theirs if ours is not None and theirs else None

    def fastest(self, names: Mapping[str, str]) -> str | None:
        """The key of `names` whose timing has the smallest median."""
        medians = {key: median for key, name in names.items() if (median := self.median(name)) is not None}
        return min(medians, key=lambda key: medians[key]) if medians else None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Results:
        """What `as_json` gave."""
        timings = {name: Timing(tuple(found["seconds"])) for name, found in content["timings"].items()}
        return cls(timings, dict(content["facts"]), dict(content["skipped"]))

    def as_json(self) -> dict[str, Any]:
        """Plain values: seconds of every repeat, their median and spread."""
        timings = {
            name: {"median_s": timing.median, "spread": round(timing.spread, 3), "seconds": timing.seconds}
            for name, timing in self.timings.items()
        }
        return {"timings": timings, "facts": self.facts, "skipped": self.skipped}
