"""The command ``medsamlite``: finds the asked command, and says every error in one sentence."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence

import click

from .. import __version__
from ..errors import Cancelled, MedSAMLiteError
from .interrupted import INTERRUPTED

__all__ = ["main", "medsamlite"]

_COMMANDS = ("segment", "batch", "models", "presets", "evaluate", "rank", "report")
_HIDDEN = ("demo",)
_MODULES = {"report": "report_evaluation"}  # others are called as their command
MISTAKE = 2


class _Commands(click.Group):
    """Imports a command when it is used, so that ``--help`` and completion do not wait for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS + _HIDDEN:
            return None
        command: click.Command = importlib.import_module(f".{_MODULES.get(name, name)}", __package__).command
        return command


@click.command(cls=_Commands, epilog="Add --debug to any command to see the traceback of an error.")
@click.version_option(__version__, prog_name="medsamlite")
def medsamlite() -> None:
    """Segment medical images from boxes, on this computer's CPU."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, 2 for an error, 130 when interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        status = medsamlite.main([a for a in given if a != "--debug"], "medsamlite", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except (click.Abort, Cancelled, KeyboardInterrupt):
        return _fail("Cancelled: nothing was written.", INTERRUPTED)
    except (click.ClickException, MedSAMLiteError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        return _fail(_sentence(error), MISTAKE)
    except Exception as error:  # whatever it is, a user is told in a sentence
        if debug:
            traceback.print_exc()
        return _fail(
            f"Unexpected {type(error).__name__}: {' '.join(str(error).split())}; --debug shows where.", MISTAKE
        )


def _sentence(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        message = error.format_message()
        return message if "\n" in message else f"{message} See --help."  # a whole help page is said as it is
    if isinstance(error, MemoryError):
        return "The memory of this computer does not suffice: use a smaller image or a smaller --cache."
    return " ".join(str(error).split())


def _fail(message: str, status: int) -> int:
    click.echo(message, err=True)
    return status
