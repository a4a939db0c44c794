"""Reads `model.json`, the description that makes a folder of ONNX graphs a backend without code."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO

from .backend import BackendSpec
from .errors import ModelError
from .schema import violations

__all__ = [
    "SCHEMA_VERSION",
    "Graph",
    "Manifest",
    "check_description",
    "read_description",
    "read_manifest",
    "schema",
    "sha256",
]

SCHEMA_VERSION = 1
"""The newest manifest that this version of the package reads."""
_TOLD = ("name", "family", "source", "licence", "citation", "modalities", "limits")
"""What people are told of a model, and no result depends on."""
_NEEDED_BY_KIND = {"window": ("window",), "sam_split": ("prompt_encoder", "positions")}


@functools.cache
def schema(kind: str = "model") -> dict[str, Any]:
    """The published JSON Schema of the `model.json` of one ``"model"``, or of several that are ``"routed"``."""
    text = resources.files(__package__).joinpath(f"data/{kind}.schema.json").read_text("utf-8")
    return dict(json.loads(text))


@dataclass(frozen=True)
class Graph:
    """One graph of a model folder (ONNX, or OpenVINO's .xml) and its own names for the standard tensors."""

    path: Path
    sha256: str
    kind: str
    names: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """A model folder whose `model.json` is sound and whose files exist (their content is not yet read).

    `input`, `box`, `output`, `window` and `cube` are the objects of that name in `model.json`, defaults filled in.

    Attributes
    ----------
    weights : arrays of the graphs' external initializers, when the graphs carry none
    prompt_encoder, positions : of a decoder of kind ``sam_split``
    fusion : the network that weighs views of an object in its `cube`; None for a model without
    digests : SHA-256 of every file
    """

    folder: Path
    spec: BackendSpec
    encoder: Graph
    decoder: Graph
    weights: Path | None
    prompt_encoder: Graph | None
    positions: Path | None
    fusion: Graph | None
    digests: dict[Path, str]
    input: dict[str, Any]
    box: dict[str, Any]
    output: dict[str, Any]
    window: dict[str, Any]
    cube: dict[str, Any]

    def check_digests(self, *, weights: bool = True) -> None:
        """Raise `ModelError` if a file's SHA-256 is not the manifest's; the weights' only if asked."""
        for path in self.digests:
            if weights or path != self.weights:
                self.check_digest(path)

    def check_digest(self, path: Path, file: BinaryIO | None = None) -> None:
        """Raise `ModelError` if this file's SHA-256 is not the manifest's.

        Parameters
        ----------
        file : it, opened by who goes on to read it, so that no other can take its place in between
        """
        if (sha256(path) if file is None else _sha256(file)) != self.digests[path]:
            raise ModelError(
                f"{path.name} of the model {self.spec.id} is not the file its manifest describes "
                "(SHA-256 differs): it is damaged or was changed; install the model again."
            )


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with open(path, "rb") as file:
        return _sha256(file)


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
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
    raw, path = read_description(folder), folder / "model.json"
    check_description(raw, path, schema())
    encoder, decoder = _graph(folder, raw["encoder"]), _graph(folder, raw["decoder"])
    for kind, needed in _NEEDED_BY_KIND.items():
        lacking = [name for name in needed if name not in raw]
        if decoder.kind == kind and lacking:
            raise ModelError(f"{path}: a decoder of kind {kind} needs the object {lacking[0]}.")
    if ("fusion" in raw) != ("cube" in raw):
        raise ModelError(f"{path}: a fusion network and its cube come together.")
    return Manifest(
        folder=folder,
        spec=_spec(raw),
        encoder=encoder,
        decoder=decoder,
        weights=_inside(folder, raw["weights"]["file"]) if "weights" in raw else None,
        prompt_encoder=_graph(folder, raw["prompt_encoder"]) if "prompt_encoder" in raw else None,
        positions=_inside(folder, raw["positions"]["file"]) if "positions" in raw else None,
        fusion=_graph(folder, raw["fusion"]) if "fusion" in raw else None,
        digests={_inside(folder, file["file"]): file["sha256"] for file in _files(raw)},
        input={"channels": "grey", **raw["input"]},
        box=raw.get("box", {"corners": "inclusive", "rounding": "truncate", "unit": "pixel"}),
        output={"upsample": "torch_linear", "threshold": 0.0, **raw.get("output", {})},
        window=raw.get("window", {}),
        cube=raw.get("cube", {}),
    )


def read_description(folder: Path) -> Any:
    """What ``folder/model.json`` holds, unchecked.

    Raises
    ------
    ModelError
        If the file is missing or not JSON.
    """
    path = folder / "model.json"
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(f"{folder} is not a model folder: it has no model.json.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}): install the model again.") from None


def check_description(raw: Any, path: Path, rules: dict[str, Any]) -> None:
    """Raise `ModelError` if what `path` holds is of a newer version or against the schema `rules`."""
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ModelError(
            f"{path} is of version {version}, this program reads up to {SCHEMA_VERSION}: update MedSAMLite."
        )
    problems = list(violations(raw, rules))
    if problems:
        raise ModelError(f"{path} is not a valid model description: {'; '.join(problems[:3])}.")


def _files(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """Every object of the manifest that names a file and its digest."""
    named = [
        raw[part] for part in ("encoder", "decoder", "weights", "prompt_encoder", "positions", "fusion") if part in raw
    ]
    return named + [graph["data"] for graph in named if "data" in graph]


def _spec(raw: dict[str, Any]) -> BackendSpec:
    decisive = json.dumps({key: value for key, value in raw.items() if key not in _TOLD}, sort_keys=True)
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
        digest=hashlib.sha256(decisive.encode()).hexdigest(),
    )


def _graph(folder: Path, raw: dict[str, Any]) -> Graph:
    path = _inside(folder, raw["file"])
    beside = path.with_suffix(".bin").name
    if path.suffix == ".xml" and raw.get("data", {}).get("file") != raw["file"].removesuffix(path.name) + beside:
        raise ModelError(f"The model in {folder} must name {beside} as the data of {raw['file']}.")
    return Graph(path, raw["sha256"], raw.get("kind", "sam"), raw.get("names", {}))


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"The model in {folder} names the file {name}, which lies outside its folder: it is refused.")
    if not path.is_file():
        raise ModelError(f"The model in {folder} lacks its file {name}: install it again.")
    return path
