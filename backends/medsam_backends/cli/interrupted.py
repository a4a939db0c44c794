"""What commands say that were interrupted and can be taken up again."""

import click

__all__ = ["INTERRUPTED", "say_interrupted"]

INTERRUPTED = 130


def say_interrupted() -> int:
    """Say it; returns the exit status."""
    click.echo("Interrupted: the same command again goes on.", err=True)
    return INTERRUPTED
