"""Reads `model.json`, the description that makes a folder of ONNX graphs a backend without code."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from .backend import BackendSpec
from .errors import ModelError
from .schema import violations

__all__ = ["SCHEMA_VERSION", "Graph", "Manifest", "read_manifest", "schema", "sha256"]

SCHEMA_VERSION = 1
"""The newest manifest that this version of the package reads."""


@functools.cache
def schema() -> dict[str, Any]:
    """The published JSON Schema of `model.json`."""
    text = resources.files(__package__).joinpath("data/model.schema.json").read_text("utf-8")
    return dict(json.loads(text))


@dataclass(frozen=True)
class Graph:
    """One ONNX file of a model folder and the graph's own names for the standard tensors."""

    path: Path
    sha256: str
    kind: str
    names: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """A model folder whose `model.json` is sound and whose files exist (their content is not yet read).

    `input`, `box`, `output` and `window` are the objects of that name in `model.json`, defaults filled in.
    """

    folder: Path
    spec: BackendSpec
    encoder: Graph
    decoder: Graph
    weights: Path | None
    weights_sha256: str
    input: dict[str, Any]
    box: dict[str, Any]
    output: dict[str, Any]
    window: dict[str, Any]

    def check_digests(self) -> None:
        """Raise `ModelError` if a file's SHA-256 is not the manifest's."""
        files = [(self.encoder.path, self.encoder.sha256), (self.decoder.path, self.decoder.sha256)]
        if self.weights is not None:
            files.append((self.weights, self.weights_sha256))
        for path, expected in files:
            if sha256(path) != expected:
                raise ModelError(
                    f"{path.name} of the model {self.spec.id} is not the file its manifest describes "
                    "(SHA-256 differs): it is damaged or was changed; install the model again."
                )


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``folder/model.json``.

    Raises
    ------
    ModelError
        If the file is missing, not JSON, of a newer version, against the schema, or names a file
        that does not exist or lies outside the folder.
    """
    path = folder / "model.json"
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} is not a model folder: it has no model.json.") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}): install the model again.") from None
    _check(raw, path)
    spec = _spec(raw)
    weights = raw.get("weights")
    graph_decoder = _graph(folder, raw["decoder"])
    if graph_decoder.kind == "window" and "window" not in raw:
        raise ModelError(f"{path}: a decoder of kind window needs the object window.")
    return Manifest(
        folder=folder,
        spec=spec,
        encoder=_graph(folder, raw["encoder"]),
        decoder=graph_decoder,
        weights=_inside(folder, weights["file"]) if weights else None,
        weights_sha256=weights["sha256"] if weights else "",
        input={"channels": "grey", **raw["input"]},
        box=raw.get("box", {"corners": "inclusive", "rounding": "truncate", "unit": "pixel"}),
        output={"upsample": "torch_linear", "threshold": 0.0, **raw.get("output", {})},
        window=raw.get("window", {}),
    )


def _check(raw: Any, path: Path) -> None:
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ModelError(
            f"{path} is of version {version}, this program reads up to {SCHEMA_VERSION}: update MedSAMLite."
        )
    problems = list(violations(raw, schema()))
    if problems:
        raise ModelError(f"{path} is not a valid model description: {'; '.join(problems[:3])}.")


def _spec(raw: dict[str, Any]) -> BackendSpec:
    weights = raw.get("weights", {}).get("sha256", "")
    files = f"{raw['encoder']['sha256']} {raw['decoder']['sha256']} {weights}"
    box = raw.get("box", {})
    return BackendSpec(
        id=raw["id"],
        name=raw["name"],
        version=raw["version"],
        licence=raw["licence"],
        citation=raw.get("citation", ""),
        modalities=tuple(raw["modalities"]),
        prompts=frozenset(raw["prompts"]),
        input_size=raw["input"]["size"],
        channels=raw["input"].get("channels", "grey"),
        box_side=1 if box.get("unit") == "fraction" else raw["input"]["size"],
        rule=raw.get("rule", "track"),
        family=raw.get("family", ""),
        source=raw.get("source", ""),
        limits=tuple(raw.get("limits", ())),
        digest=hashlib.sha256(files.encode()).hexdigest(),
    )


def _graph(folder: Path, raw: dict[str, Any]) -> Graph:
    return Graph(_inside(folder, raw["file"]), raw["sha256"], raw.get("kind", "sam"), raw.get("names", {}))


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"The model in {folder} names the file {name}, which lies outside its folder: it is refused.")
    if not path.is_file():
        raise ModelError(f"The model in {folder} lacks its file {name}: install it again.")
    return path
