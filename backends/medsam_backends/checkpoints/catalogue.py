"""The published models that can be imported: who publishes them, where, and what their model folder will say."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from ..errors import ModelError

__all__ = ["PublishedFile", "PublishedModel", "PublishedPackage", "catalogue", "published_model"]


@dataclass(frozen=True)
class PublishedFile:
    """A checkpoint as its authors publish it; what is not known of it is empty or 0.

    Attributes
    ----------
    sha256, git_blob : hexadecimal digests of the content and of the git object that holds it
    size : in bytes
    """

    name: str
    sha256: str = ""
    git_blob: str = ""
    size: int = 0


@dataclass(frozen=True)
class PublishedPackage:
    """A Python package that carries the checkpoint as one of its files, `member`."""

    name: str
    version: str
    member: str


@dataclass(frozen=True)
class PublishedModel:
    """A published system.

    Attributes
    ----------
    id : its name on the command line, and the id of its model folder
    page : where its authors publish it, for people
    files : the checkpoints that can be imported
    package : where it can be installed from, or None when the user must fetch the file
    keys : name of the list of its state dict's tensors
    manifest : what its ``model.json`` says, but for the files
    """

    id: str
    system: str
    authors: str
    paper: str
    page: str
    files: tuple[PublishedFile, ...]
    package: PublishedPackage | None
    keys: str
    parameters: int
    accuracy: str
    manifest: dict[str, Any]

    @property
    def licence(self) -> str:
        """SPDX id of the licence it is published under."""
        return str(self.manifest["licence"])


@functools.cache
def catalogue() -> dict[str, PublishedModel]:
    """Every published model by id."""
    text = resources.files("medsam_backends").joinpath("data/models.json").read_text("utf-8")
    return {raw["id"]: _model(raw) for raw in json.loads(text)["models"]}


def published_model(system: str) -> PublishedModel:
    """The published model called `system`.

    Raises
    ------
    ModelError
        If there is none of that name.
    """
    known = catalogue()
    if system not in known:
        raise ModelError(f"There is no published model {system!r}: choose one of {', '.join(known)}.")
    return known[system]


def _model(raw: dict[str, Any]) -> PublishedModel:
    files = tuple(
        PublishedFile(file["name"], file.get("sha256", ""), file.get("git_blob", ""), file.get("bytes", 0))
        for file in raw["files"]
    )
    package = PublishedPackage(**raw["package"]) if "package" in raw else None
    plain = ("id", "system", "authors", "paper", "page", "keys", "parameters", "accuracy", "manifest")
    return PublishedModel(files=files, package=package, **{name: raw[name] for name in plain})
