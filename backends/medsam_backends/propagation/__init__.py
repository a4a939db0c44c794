"""From one slice to the next: rules that carry a 3-D box through a volume, by name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType

from ..errors import PromptError
from .base import CubeView, Fusion, Request, Rule, SliceModel, SliceResult
from .neighbours import Neighbours
from .published import PUBLISHED, PublishedRule
from .track import Track
from .views import Views

__all__ = [
    "CubeView",
    "RULES",
    "Fusion",
    "Neighbours",
    "PublishedRule",
    "Request",
    "Rule",
    "SliceModel",
    "SliceResult",
    "Track",
    "Views",
    "get_rule",
]

_SWEEP = Views(along=sys.maxsize, across=0, shape=1.0)  # every slice of the user's axis, and no other view
RULES: Mapping[str, Rule] = MappingProxyType(
    {"track": Track(), "sweep": _SWEEP, "views": Views(), "neighbours": Neighbours(), **PUBLISHED}
)


def get_rule(name: str) -> Rule:
    """The rule of that name; raises `PromptError` naming all rules if there is none."""
    if name not in RULES:
        raise PromptError(f"There is no propagation rule '{name}': choose one of {', '.join(RULES)}.")
    return RULES[name]
