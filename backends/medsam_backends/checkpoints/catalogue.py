"""The published models: who publishes them, where, how they can be had, and what their model folder will say."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from ..errors import ModelError

__all__ = [
    "PublishedAccuracy",
    "PublishedFile",
    "PublishedModel",
    "PublishedPackage",
    "catalogue",
    "importable",
    "published_model",
]


@dataclass(frozen=True)
class PublishedFile:
    """A checkpoint as its authors publish it; what is not known of it is empty or 0.

    Attributes
    ----------
    sha256, git_blob : hexadecimal digests of the content and of the git object that holds it
    size : in bytes
    url : where it can be downloaded unattended
    """

    name: str
    sha256: str = ""
    git_blob: str = ""
    size: int = 0
    url: str = ""
    note: str = ""


@dataclass(frozen=True)
class PublishedPackage:
    """A Python package that carries the checkpoint as one of its files, `member`."""

    name: str
    version: str
    member: str


@dataclass(frozen=True)
class PublishedAccuracy:
    """Figures that a publication gives, in %, on which data, and where."""

    dsc: float
    nsd: float
    on: str
    source: str


@dataclass(frozen=True)
class PublishedModel:
    """A published system.

    Attributes
    ----------
    id : its name on the command line, and the id of its model folder
    paper, page : where it is described, and where its authors publish it, for people
    licence : SPDX id of its code's licence; empty where none was found
    files : the checkpoints
    package : one way to install it unattended; a file's `url` is the other
    get : how to come by it, a sentence for people
    keys : name of the list of its state dict's tensors; empty when it cannot be imported
    input_size : in pixels
    encode_seconds : for one slice in PyTorch on one thread; 0 when not measured
    manifest : what its ``model.json`` says, but for id, source and files
    """

    id: str
    system: str
    authors: str
    paper: str
    page: str
    licence: str
    weights_licence: str
    files: tuple[PublishedFile, ...]
    get: str
    input_size: int
    parameters: int
    accuracy: tuple[PublishedAccuracy, ...] = ()
    encode_seconds: float = 0.0
    package: PublishedPackage | None = None
    keys: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of its files, as far as they are known."""
        return sum(file.size for file in self.files)

    @property
    def installable(self) -> bool:
        """Whether it can be downloaded unattended and be told from any other file."""
        file = self.files[0]
        return self.package is not None or bool(file.url and (file.sha256 or file.git_blob))

    @property
    def by_hand(self) -> str:
        """How to have it without an unattended download: the end of a sentence."""
        source = self.files[0].name if len(self.files) == 1 else "its files"
        what = "FILE" if len(self.files) == 1 else "FOLDER"
        return f"get {source} from {self.page} on any computer and run 'medsamlite models import {self.id} {what}'"


@functools.cache
def catalogue() -> dict[str, PublishedModel]:
    """Every published model by id, those that cannot be imported included."""
    text = resources.files("medsam_backends").joinpath("data/models.json").read_text("utf-8")
    return {raw["id"]: _model(raw) for raw in json.loads(text)["models"]}


def importable() -> dict[str, PublishedModel]:
    """Those published models that can become a model folder."""
    return {name: model for name, model in catalogue().items() if model.keys}


def published_model(system: str) -> PublishedModel:
    """The published model called `system`, which can be imported.

    Raises
    ------
    ModelError
        If there is none of that name, or it cannot be imported.
    """
    known = catalogue()
    if system not in known:
        raise ModelError(f"There is no published model {system!r}: choose one of {', '.join(importable())}.")
    if not known[system].keys:
        raise ModelError(f"{known[system].system} ({known[system].page}): {known[system].get}")
    return known[system]


def _model(raw: dict[str, Any]) -> PublishedModel:
    facts = dict(raw)
    facts["files"] = tuple(_file(file) for file in raw["files"])
    facts["accuracy"] = tuple(PublishedAccuracy(**figures) for figures in raw["accuracy"])
    if "package" in raw:
        facts["package"] = PublishedPackage(**raw["package"])
    if "manifest" in raw:
        facts["manifest"] = {"licence": raw["licence"], **raw["manifest"]}
    return PublishedModel(**facts)


def _file(raw: dict[str, Any]) -> PublishedFile:
    return PublishedFile(**{"size" if name == "bytes" else name: value for name, value in raw.items()})
