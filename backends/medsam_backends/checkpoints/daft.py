"""Imports DAFT: one model a modality, from its published OpenVINO files or from checkpoints, as one routed folder.

Every part becomes a complete model folder.  OpenVINO's files are copied as they are and run by OpenVINO.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..manifest import SCHEMA_VERSION, sha256
from .catalogue import PublishedModel, published_model
from .importer import import_checkpoint
from .new_folder import check_free, new_folder

__all__ = ["import_daft"]

# The model for each modality, the first that is there: the authors' own rule for file names.  "CT" and
# "lite_medsam" belong to the version of the challenge, the others to the one after it.
_ROUTES = {
    "CT": ("CT", "3D"),
    "MR": ("3D",),
    "PET": ("3D",),
    "US": ("US", "lite_medsam"),
    "XRay": ("XRay",),
    "Dermoscopy": ("Dermoscopy",),
    "Endoscopy": ("Endoscopy",),
    "Fundus": ("Fundus",),
    "Mammography": ("Mammography",),
    "Microscopy": ("Microscopy",),
    "OCT": ("OCT",),
}
_FALLBACK = ("general", "lite_medsam")
_PARTS = tuple(dict.fromkeys([*(part for parts in _ROUTES.values() for part in parts), *_FALLBACK]))

_ENCODER, _DECODER, _PROMPT = "image_encoder", "mask_decoder", "prompt_encoder"
_NAMES = {
    _ENCODER: {"features": "image_embedding"},
    _PROMPT: {"sparse": "sparse_embeddings", "dense": "dense_embeddings"},
    _DECODER: {
        "features": "image_embeddings",
        "positions": "image_pe",
        "sparse": "sparse_prompt_embeddings",
        "dense": "dense_prompt_embeddings",
        "logits": "low_res_masks",
        "iou": "iou_predictions",
    },
}
_POSITIONS = "positional_encoding.npy"


def import_daft(
    source: Path | str,
    folder: Path | str,
    half: bool = False,
    replace: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """Write what is there of DAFT as one model folder, whole or not at all.

    Parameters
    ----------
    source : folder of OpenVINO files as the authors publish them, or of checkpoints called after the parts
        (``3D.pth``, ``general.pth``, ...), or one such checkpoint
    folder : the model folder to make
    half : as for `import_checkpoint`; OpenVINO's files are float16 already
    replace, cancelled : as for `import_checkpoint`

    Returns
    -------
    `folder`

    Raises
    ------
    ModelError
        If `source` holds no part, or a part is incomplete, damaged or refused.
    OutputError
        If the folder cannot be written.
    Cancelled
        If `cancelled` said so; nothing is left behind.
    """
    source, folder = Path(source), Path(folder)
    check_free(folder, replace, source)
    if not source.exists():
        raise ModelError(f"{source} does not exist: check the path.")
    checkpoints, ir_parts = _find_checkpoints(source), _find_ir(source)
    if not (checkpoints or ir_parts):
        raise ModelError(
            f"{source} holds no part of DAFT: choose the folder of its OpenVINO files (3D_image_encoder.xml, ...) "
            f"or of checkpoints called {', '.join(f'{part}.pth' for part in _PARTS[:3])} and so on."
        )
    model = published_model("daft")
    with new_folder(folder, cancelled) as unfinished:
        for part in ir_parts:
            _write_ir(part, unfinished / part.name, model)
        for name, checkpoint in checkpoints.items():
            if not (unfinished / name).exists():
                import_checkpoint("daft", checkpoint, unfinished / name, half, cancelled=cancelled)
        _write_json(unfinished, _routed(model, [path.name for path in unfinished.iterdir()]))
    return folder


def _find_checkpoints(source: Path) -> dict[str, Path]:
    files = [source] if source.is_file() else sorted(source.glob("*.pth"))
    found = {name: path for path in files if (name := _part_name(path.stem))}
    if source.is_file() and not found:
        raise ModelError(
            f"Which part of DAFT {source.name} is cannot be told: call the file {', '.join(_PARTS)} (.pth)."
        )
    return found


@dataclass(frozen=True)
class _IrPart:
    """The OpenVINO files of one part, by the name they get in its folder; prompt encoder and positions are shared."""

    name: str
    files: dict[str, Path]


def _find_ir(source: Path) -> list[_IrPart]:
    """Parts in the authors' layout (``3D_image_encoder.xml``) or with a folder each (``3D/image_encoder.xml``)."""
    if not source.is_dir():
        return []
    found = []
    for encoder in sorted([*source.glob(f"*_{_ENCODER}.xml"), *source.glob(f"*/{_ENCODER}.xml")]):
        prefix = encoder.name.removesuffix(f"{_ENCODER}.xml")
        name = _part_name(prefix.rstrip("_") or encoder.parent.name)
        if name:
            own = {stem: encoder.with_name(f"{prefix}{stem}.xml") for stem in (_ENCODER, _DECODER)}
            shared = next(iter(sorted(source.glob(f"*{_PROMPT}.xml"))), source / f"{_PROMPT}.xml")
            files = {f"{stem}{end}": xml.with_suffix(end) for stem, xml in own.items() for end in (".xml", ".bin")}
            files |= {f"{_PROMPT}{end}": shared.with_suffix(end) for end in (".xml", ".bin")}
            found.append(_IrPart(name, {**files, _POSITIONS: source / _POSITIONS}))
    return found


def _part_name(text: str) -> str:
    return next((part for part in _PARTS if part.lower() == text.lower()), "")


def _write_ir(part: _IrPart, folder: Path, model: PublishedModel) -> None:
    missing = [path.name for path in part.files.values() if not path.is_file()]
    if missing:
        raise ModelError(f"The part {part.name} of DAFT lacks {', '.join(missing)}: download it into the same folder.")
    folder.mkdir()
    for name, path in part.files.items():
        _put(path, folder, name)
    graphs = {stem: _graph(folder, stem) for stem in _NAMES}
    description = {
        **_head(model),
        **model.manifest,
        "encoder": graphs[_ENCODER],
        "decoder": {**graphs[_DECODER], "kind": "sam_split"},
        "prompt_encoder": graphs[_PROMPT],
        "positions": _file(folder, _POSITIONS),
    }
    _write_json(folder, description)


def _put(path: Path, folder: Path, name: str) -> None:
    """Copy a file, or link it to the same file of a sister part, which the parts share."""
    for sister in folder.parent.iterdir():
        twin = sister / name
        if sister != folder and name in (f"{_PROMPT}.xml", f"{_PROMPT}.bin", _POSITIONS) and twin.is_file():
            try:
                os.link(twin, folder / name)
                return
            except OSError:
                break  # a file system without links
    shutil.copyfile(path, folder / name)


def _graph(folder: Path, stem: str) -> dict[str, Any]:
    return {**_file(folder, f"{stem}.xml"), "data": _file(folder, f"{stem}.bin"), "names": _NAMES[stem]}


def _file(folder: Path, name: str) -> dict[str, str]:
    return {"file": name, "sha256": sha256(folder / name)}


def _routed(model: PublishedModel, parts: Iterable[str]) -> dict[str, Any]:
    present = set(parts)
    routes = {
        modality: next(part for part in wanted if part in present)
        for modality, wanted in _ROUTES.items()
        if present & set(wanted)
    }
    fallback = next((part for part in _FALLBACK if part in present), None)
    facts = {name: model.manifest[name] for name in ("name", "version", "family", "licence", "citation", "limits")}
    return {**_head(model), **facts, "routes": routes, **({"fallback": fallback} if fallback else {})}


def _head(model: PublishedModel) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, "id": model.id, "source": f"{model.system}, {model.page}"}


def _write_json(folder: Path, description: dict[str, Any]) -> None:
    (folder / "model.json").write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n", "utf-8")
