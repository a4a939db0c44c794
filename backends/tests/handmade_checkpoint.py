"""Writes PyTorch checkpoints byte by byte, sound and hostile ones, so that the tests need no PyTorch."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STORAGES = {
    "f4": "FloatStorage",
    "f8": "DoubleStorage",
    "f2": "HalfStorage",
    "i8": "LongStorage",
    "u2": "BFloat16Storage",
}
Arrays = Mapping[str, NDArray[np.generic]]


def text(value: str) -> bytes:
    """BINUNICODE."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    """BININT, or LONG1 where 32 bits are too few."""
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def name(path: str) -> bytes:
    """GLOBAL of a dotted path."""
    module, _, attribute = path.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def several(*parts: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(parts) + b"t"


def call(path: str, *arguments: bytes) -> bytes:
    """REDUCE."""
    return name(path) + several(*arguments) + b"R"


def mapping(entries: Mapping[str, bytes], kind: str = "collections.OrderedDict") -> bytes:
    """A dictionary of already written values."""
    start = b"}" if kind == "dict" else call(kind)
    return start + b"(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def tensor(
    key: str,
    shape: tuple[int, ...],
    strides: tuple[int, ...] | None = None,
    offset: int = 0,
    count: int | None = None,
    storage: str = "FloatStorage",
) -> bytes:
    """A tensor in the storage `key`, contiguous and alone in it unless said otherwise."""
    if strides is None:
        strides = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    count = int(np.prod(shape)) if count is None else count
    place = several(text("storage"), name(f"torch.{storage}"), text(key), text("cpu"), number(count)) + b"Q"
    sides, steps = several(*map(number, shape)), several(*map(number, strides))
    return call(
        "torch._utils._rebuild_tensor_v2", place, number(offset), sides, steps, b"\x89", call("collections.OrderedDict")
    )


def write(path: Path, body: bytes, data: Mapping[str, bytes] | None = None, **options: object) -> Path:
    """Write an archive round a pickle's body; ``byteorder`` and ``compression`` may be wrong on purpose."""
    compression = int(str(options.get("compression", zipfile.ZIP_STORED)))
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + body + b".")
        archive.writestr("archive/byteorder", str(options.get("byteorder", "little")))
        for key, raw in (data or {}).items():
            archive.writestr(f"archive/data/{key}", raw)
        archive.writestr("archive/version", "3\n")
    return path


def tensors(arrays: Arrays) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Each array as a written tensor, and the data of their storages."""
    entries, data = {}, {}
    for index, (key, array) in enumerate(arrays.items()):
        entries[key] = tensor(str(index), array.shape, storage=STORAGES[array.dtype.str[1:]])
        data[str(index)] = array.tobytes()
    return entries, data


def checkpoint(path: Path, arrays: Arrays) -> Path:
    """A plain state dict, as the authors publish it."""
    entries, data = tensors(arrays)
    return write(path, mapping(entries), data)


def data_parallel(path: Path, arrays: Arrays, prefix: str = "module.") -> Path:
    """A checkpoint of DAFT's training program: the state dict of a module wrapped for several GPUs."""
    entries, data = tensors({prefix + key: array for key, array in arrays.items()})
    return write(path, mapping({"model": mapping(entries), "epoch": number(7)}, "dict"), data)


def lightning(path: Path, arrays: Arrays, prefix: str = "model.") -> Path:
    """A checkpoint of PyTorch Lightning, as MedficientSAM's: settings and optimiser beside the state dict."""
    entries, data = tensors({prefix + key: array for key, array in arrays.items()})
    moment = tensor("moment", (2, 3))
    settings = call("functools.partial", name("torch.optim.adamw.AdamW")) + b"}b"
    tree = {
        "epoch": number(7),
        "pytorch-lightning_version": text("2.1.3"),
        "state_dict": mapping(entries),
        "callbacks": mapping({"ModelCheckpoint{'monitor': None}": mapping({"best_k_models": b"}"}, "dict")}, "dict"),
        "optimizer_states": b"]" + mapping({"exp_avg": moment}, "dict") + b"a",
        "hyper_parameters_name": text("kwargs"),
        "hyper_parameters": mapping({"optimizer": settings, "scheduler": b"N"}),
    }
    return write(path, mapping(tree, "dict"), {"moment": bytes(24), **data})


PUBLISHED = {
    "litemedsam": checkpoint,
    "medficientsam-l0": lightning,
    "medficientsam-l1": lightning,
    "medficientsam-l2": lightning,
    "daft": checkpoint,
    "rep-medsam": checkpoint,
}
"""Writes a system's checkpoint in the form in which its authors publish it."""


def standin_state(keys: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, NDArray[np.generic]]:
    """Weights by rule from a system's key list: the same on every machine, and tame enough to compute with."""
    return {key: _standin(key, shape, kind) for key, (kind, shape) in keys.items()}


def _standin(key: str, shape: tuple[int, ...], kind: str) -> NDArray[np.generic]:
    if kind == "int64":
        return np.array(1000, np.int64)
    values = np.random.default_rng(zlib.crc32(key.encode())).random(shape) * 2 - 1
    if key.endswith("running_var"):
        values = 1 + 0.5 * values
    elif len(shape) == 1 and key.endswith("weight"):
        values = 1 + 0.1 * values
    elif len(shape) < 2:
        values = 0.1 * values
    elif "gaussian" not in key:
        values = values * (3 / np.prod(shape[1:])) ** 0.5
    return values.astype(np.float32)
