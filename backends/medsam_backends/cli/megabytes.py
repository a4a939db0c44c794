"""Sizes as options take them: numbers from 0 on, which "nan" and "inf" are not."""

from __future__ import annotations

import math
from typing import Any

import click

__all__ = ["MEGABYTES"]


class _Megabytes(click.FloatRange):
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        size: float = super().convert(value, param, ctx)
        if not math.isfinite(size):
            self.fail(f"{value} is no size: give a number of megabytes.", param, ctx)
        return size


MEGABYTES = _Megabytes(0)
