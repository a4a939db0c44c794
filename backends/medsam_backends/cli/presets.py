"""``medsamlite presets``: the intensity presets and where their values come from."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

__all__ = ["command"]


@click.command("presets")
@click.option("--json", "as_json", is_flag=True, help="A list of objects, for programs.")
def command(as_json: bool) -> None:
    """List the intensity presets."""
    from ..intensity import PRESETS

    if as_json:
        click.echo(json.dumps([asdict(preset) for preset in PRESETS.values()], indent=2))
        return
    click.echo(f"{'name':<14} {'level':>6} {'width':>6}  description (source)")
    for preset in PRESETS.values():
        level, width = ("" if value is None else f"{value:g}" for value in (preset.level, preset.width))
        click.echo(f"{preset.name:<14} {level:>6} {width:>6}  {preset.description} ({preset.source})")
