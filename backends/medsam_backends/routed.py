"""Several models under one name, of which the image's modality chooses one: a folder of model folders and a table.

Only the models that are used are loaded, and only their files are checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backend import Backend, BackendSpec
from .errors import ModelError
from .manifest import Manifest, check_description, read_description, read_manifest, schema
from .modalities import canonical_modality
from .types import Embedding, Prediction, Prompt

__all__ = ["RoutedBackend", "RoutedManifest", "read_model"]


@dataclass(frozen=True)
class RoutedManifest:
    """A folder whose `model.json` names sub-folders, each a model folder, by modality.

    Attributes
    ----------
    routes : name of the sub-folder for each modality
    fallback : the sub-folder for all others; empty when there is none
    """

    folder: Path
    spec: BackendSpec
    routes: dict[str, str]
    fallback: str

    @property
    def parts(self) -> list[str]:
        """Every sub-folder once."""
        return list(dict.fromkeys([*self.routes.values(), *([self.fallback] if self.fallback else [])]))

    def check_digests(self) -> None:
        """Raise `ModelError` if a file of any part is not the one its manifest describes."""
        for part in self.parts:
            read_manifest(self.folder / part).check_digests()

    def part_for(self, modality: str) -> str:
        """The sub-folder for a modality, by any of its names.

        Raises
        ------
        ModelError
            If there is none for it.
        """
        part = self.routes.get(canonical_modality(modality), self.fallback)
        if not part:
            what = f"images of the modality {modality}" if modality else "images whose modality is not stated"
            known = ", ".join(self.routes)
            raise ModelError(f"{self.spec.name} has no model for {what}: state one of {known}, or add a general model.")
        return part


def read_model(folder: Path) -> Manifest | RoutedManifest:
    """Read and check ``folder/model.json``, of one model or of several.

    Raises
    ------
    ModelError
        As `read_manifest`; of several models, if any of them is broken.
    """
    raw = read_description(folder)
    if not (isinstance(raw, dict) and "routes" in raw):
        return read_manifest(folder)
    check_description(raw, folder / "model.json", schema("routed"))
    routes, fallback = raw["routes"], raw.get("fallback", "")
    names = list(dict.fromkeys([*routes.values(), *([fallback] if fallback else [])]))
    if not names:
        raise ModelError(f"{folder / 'model.json'} names no model: give at least one route or a fallback.")
    specs = {name: read_manifest(_part(folder, name)).spec for name in names}
    return RoutedManifest(folder, _spec(raw, specs), routes, fallback)


def _part(folder: Path, name: str) -> Path:
    path = folder / name
    if path.resolve().parent != folder.resolve():
        raise ModelError(f"The model in {folder} names the folder {name}, which is no folder in it: it is refused.")
    return path


def _spec(raw: dict[str, Any], specs: dict[str, BackendSpec]) -> BackendSpec:
    """What holds for all parts; the digest covers every part, which modality it serves, and the rule."""
    first = specs[raw.get("fallback") or next(iter(raw["routes"].values()))]
    digests = {name: spec.digest for name, spec in specs.items()}
    rule = raw.get("rule", first.rule)
    text = json.dumps([raw["routes"], raw.get("fallback", ""), rule, digests], sort_keys=True)
    return replace(
        first,
        id=raw["id"],
        name=raw["name"],
        version=raw["version"],
        licence=raw["licence"],
        citation=raw.get("citation", first.citation),
        modalities=tuple(raw["routes"]),
        rule=rule,
        family=raw.get("family", first.family),
        source=raw.get("source", first.source),
        limits=tuple(raw.get("limits", first.limits)),
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


class RoutedBackend(Backend):
    """Loads a part when `for_modality` first asks for it; used as a model itself, it is its fallback.

    Parameters
    ----------
    open_part : loads the model folder of a part
    """

    def __init__(self, manifest: RoutedManifest, open_part: Callable[[Path], Backend]) -> None:
        self.manifest = manifest
        self.spec = manifest.spec
        self._open_part = open_part
        self._loaded: dict[str, Backend] = {}

    def for_modality(self, modality: str) -> Backend:
        return self.part(self.manifest.part_for(modality))

    def part(self, name: str) -> Backend:
        """The model of a sub-folder, under this model's id; its digest stays its own."""
        if name not in self._loaded:
            backend = self._open_part(self.manifest.folder / name)
            backend.spec = replace(
                backend.spec, id=self.spec.id, name=f"{self.spec.name} ({name})", rule=self.spec.rule
            )
            self._loaded[name] = backend
        return self._loaded[name]

    def encode(self, image: NDArray[np.generic]) -> Embedding:
        return self.for_modality("").encode(image)

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Prediction]:
        makers = [part for part in self._loaded.values() if part.spec.identity == embedding.model]
        if not makers:
            self.check_prompts(embedding, prompts)
        return makers[0].decode(embedding, prompts)

    def close(self) -> None:
        for backend in self._loaded.values():
            backend.close()
