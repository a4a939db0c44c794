"""From one slice to the next: rules that carry a 3-D box through a volume, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import PromptError
from .base import Request, Rule, SliceModel, SliceResult
from .published import PUBLISHED, PublishedRule
from .sweep import Sweep
from .track import Track
from .views import Views

__all__ = [
    "RULES",
    "PublishedRule",
    "Request",
    "Rule",
    "SliceModel",
    "SliceResult",
    "Sweep",
    "Track",
    "Views",
    "get_rule",
]

RULES: Mapping[str, Rule] = MappingProxyType({"track": Track(), "sweep": Sweep(), "views": Views(), **PUBLISHED})


def get_rule(name: str) -> Rule:
    """The rule of that name; raises `PromptError` naming all rules if there is none."""
    if name not in RULES:
        raise PromptError(f"There is no propagation rule '{name}': choose one of {', '.join(RULES)}.")
    return RULES[name]
