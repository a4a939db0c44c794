"""``medsamlite models``: what models there are, and how to get, check and remove them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ModelError

if TYPE_CHECKING:
    from ..registry import ModelEntry

__all__ = ["command"]


@click.group("models")
def command() -> None:
    """List, install, import, check and remove models."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="A list of objects, for programs.")
@click.option("--catalog", is_flag=True, help="All that is known of the published models, here or not.")
def list_command(as_json: bool, catalog: bool) -> None:
    """List the models found, broken ones with their reason, and those that can be had; and the folder of yours."""
    if catalog:
        _list_catalogue(as_json)
        return
    from ..registry import user_folder

    click.echo(f"The folder of your models is {user_folder()}", err=True)  # apart from the JSON
    rows = list(_rows())
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    width = max((len(row["id"]) for row in rows), default=2)
    for row in rows:
        facts = row["reason"] or ", ".join(filter(None, (row["name"], row["version"], row["licence"])))
        click.echo(f"{row['id']:<{width}}  {row['state']:<11}  {row['source']:<11}  {facts}")


@command.command("install")
@click.argument("system")
@click.option("--half", is_flag=True, help="Keep weights as float16: half the size on disk.")
def install_command(system: str, half: bool) -> None:
    """Download a published model, check it and make it ready."""
    from ..checkpoints import install, published_model
    from ..registry import user_folder
    from .progress_bar import download_bar

    model = published_model(system)
    size = f"{model.size / 1e6:.0f} MB" if model.size else f"about {4 * model.parameters / 1e6:.0f} MB"
    if model.installable:
        click.echo(f"{model.system}, {size}, licence {model.licence}, from {model.page}", err=True)
    target = user_folder() / system
    with download_bar(model.system) as progress:
        done = install(system, target, half, progress)
    click.echo(f"{system} is installed in {target}" if done else f"{system} is installed already, in {target}")


@command.command("import")
@click.argument("system")
@click.argument("checkpoint", type=Path)
@click.option("--output", type=Path, help="The model folder to make.  [default: SYSTEM in your models' folder]")
@click.option("--half", is_flag=True, help="Keep weights as float16: half the size on disk.")
@click.option("--force", is_flag=True, help="Replace the model if it is there already.")
def import_command(system: str, checkpoint: Path, output: Path | None, half: bool, force: bool) -> None:
    """Make a model of a published checkpoint that you downloaded: a file, or for daft the folder of its files."""
    from ..checkpoints import import_published, published_model
    from ..registry import user_folder

    published_model(system)
    target = output or user_folder() / system
    if target.exists() and not force:
        raise ModelError(f"{system} is there already, in {target}: --force replaces it.")
    import_published(system, checkpoint, target, half, replace=force)
    click.echo(f"{system} is installed in {target}")


@command.command("add")
@click.argument("folder", type=Path)
@click.option("--force", is_flag=True, help="Replace the model if it is there already.")
def add_command(folder: Path, force: bool) -> None:
    """Copy a model folder of yours among the models, once it is found sound."""
    from ..checkpoints import add_folder
    from ..registry import list_models, user_folder
    from ..routed import read_model

    identifier = read_model(folder).spec.id
    target = user_folder() / identifier
    sources = [entry.source for entry in list_models() if entry.id == identifier and entry.path != target]
    if sources:
        raise ModelError(f"The id {identifier} is taken by another model ({sources[0]}): give this one another id.")
    if target.exists() and not force:
        raise ModelError(f"{identifier} is there already, in {target}: --force replaces it.")
    add_folder(folder, user_folder(), replace=force)
    click.echo(f"{identifier} is installed in {target}")


@command.command("check")
@click.argument("identifiers", nargs=-1, metavar="[ID]...")
def check_command(identifiers: tuple[str, ...]) -> int:
    """Load models (all when none is named) and run each on a test picture."""
    from ..registry import find_model, list_models

    entries = [entry for entry in list_models() if not identifiers or entry.id in identifiers]
    for missing in set(identifiers) - {entry.id for entry in entries}:
        find_model(missing)  # says how to have it, or which ones there are
    sound = True
    for entry in entries:
        reason = entry.reason or _trial(entry.id)
        sound = sound and not reason
        click.echo(f"{entry.id}: {reason or 'sound'}")
    return 0 if sound else 2


@command.command("remove")
@click.argument("identifier", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_command(identifier: str, yes: bool) -> None:
    """Delete a model of yours; bundled ones stay."""
    from ..checkpoints import remove_folder

    path = _own_folder(identifier)
    if not yes:
        click.confirm(f"Delete {path}?", abort=True)
    remove_folder(path)
    click.echo(f"{identifier} is removed")


def _list_catalogue(as_json: bool) -> None:
    from dataclasses import asdict

    from ..checkpoints import catalogue
    from ..registry import list_models
    from .catalogue_text import paragraph

    models = catalogue().values()
    if as_json:
        click.echo(json.dumps([asdict(model) for model in models], indent=2, ensure_ascii=False))
        return
    states = {entry.id: entry.state for entry in list_models()}
    click.echo("\n\n".join(paragraph(model, states.get(model.id, "")) for model in models))


def _rows() -> Iterator[dict[str, Any]]:
    from ..checkpoints import importable
    from ..registry import list_models

    entries = list_models()
    for entry in entries:
        yield _row(entry)
    for model in importable().values():
        if model.id not in {entry.id for entry in entries}:
            yield {
                "id": model.id,
                "name": model.system,
                "version": model.manifest["version"],
                "state": "installable" if model.installable else "importable",
                "reason": "" if model.installable else model.by_hand,
                "source": "published",
                "licence": model.licence,
                "path": None,
            }


def _row(entry: ModelEntry) -> dict[str, Any]:
    spec = entry.spec
    return {
        "id": entry.id,
        "name": spec.name if spec else entry.id,
        "version": spec.version if spec else "",
        "state": entry.state,
        "reason": entry.reason,
        "source": entry.source,
        "licence": spec.licence if spec else "",
        "path": str(entry.path) if entry.path else None,
    }


def _trial(identifier: str) -> str:
    """Why the model cannot be used; empty when it can.  One of several parts is tried part by part."""
    import numpy as np

    from ..folder_backend import FolderBackend
    from ..propagation import CubeView
    from ..registry import open_model
    from ..routed import RoutedBackend
    from ..types import Prompt

    try:
        backend = open_model(identifier)
        parts = [backend]
        if isinstance(backend, RoutedBackend):
            parts = [backend.part(name) for name in backend.manifest.parts]
        for part in parts:
            if isinstance(part, FolderBackend):
                part.manifest.check_digests()  # of the weights too, which a kept graph does without
            embedding = part.encode(np.zeros((48, 64), np.uint8))
            part.decode(embedding, [Prompt((8.0, 8.0, 40.0, 40.0))])
            if part.fusion is not None:
                cube = np.zeros((part.fusion.grid,) * 3, np.float32)
                part.fusion(CubeView(cube, cube, cube, (1.0, 1.0, 1.0), np.stack([cube, cube])))
        backend.close()
    except ModelError as error:
        return str(error)
    except Exception as error:  # a plug-in may fail in any way; the others are still checked
        return f"It failed on a test picture: {error}."
    return ""


def _own_folder(identifier: str) -> Path:
    from ..registry import list_models

    entries = [entry for entry in list_models() if entry.id == identifier]
    own = [entry.path for entry in entries if entry.source == "user" and entry.path is not None]
    if own:
        return own[0]
    if entries:
        raise ModelError(f"{identifier} ({entries[0].source}) is not in the folder of your models, so it stays.")
    raise ModelError(f"There is no model {identifier!r}; see 'medsamlite models list'.")
