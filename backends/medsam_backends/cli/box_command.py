"""Lets a command take ``--box`` with as many numbers as follow it, negative ones included."""

from __future__ import annotations

import re

import click

from ..errors import PromptError

__all__ = ["BoxCommand", "numbers"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+|nan|inf)$", re.IGNORECASE)


class BoxCommand(click.Command):
    """A command whose ``--box I0 J0 K0 I1 J1 K1`` may be repeated, among arguments in any order.

    Click knows options with a fixed count of values only, and takes ``-5`` for an option.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _joined(args))


def _joined(args: list[str]) -> list[str]:
    """The numbers after each ``--box`` as one value."""
    joined, rest = [], list(args)
    while rest:
        argument = rest.pop(0)
        if argument == "--box":
            values = []
            while rest and all(_NUMBER.match(part) for part in _parts(rest[0])):
                values += _parts(rest.pop(0))
            if len(values) not in (4, 6):
                found = f", then '{rest[0]}'" if rest else ""
                raise PromptError(
                    f"--box has {len(values)} numbers{found}: give i0 j0 k0 i1 j1 k1, the first and the last voxel, "
                    "or i0 j0 i1 j1 on a 2-D image."
                )
            argument = f"--box={' '.join(values)}"
        joined.append(argument)
    return joined


def _parts(text: str) -> list[str]:
    return text.replace(",", " ").split() or [text]


def numbers(box: str) -> list[float]:
    """The numbers of one ``--box`` value.

    Raises
    ------
    PromptError
        If one is none.
    """
    try:
        return [float(part) for part in _parts(box)]
    except ValueError:
        raise PromptError(f"The box '{box}' holds something that is not a number.") from None
