"""What a worker can time: a model of ours, its bare graphs, a whole volume, a published system as its authors run it.

Each engine is a few named parts.  A part gives None when the whole call is to be timed, or the seconds
that count.  Libraries are imported only by the engine that needs them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PICTURE_SIDE", "Part", "build", "picture", "random_input"]

Part = Callable[..., float | None]
PICTURE_SIDE = 512
"""Side of the picture that encoders and decoders are given, in pixels."""
_BOX = (140.0, 150.0, 340.0, 370.0)


def build(engine: dict[str, Any]) -> dict[str, Part]:
    """The parts of an engine: ``kind`` names it, the rest are its settings."""
    settings = dict(engine)
    return _KINDS[settings.pop("kind")](**settings)


def picture(side: int = PICTURE_SIDE) -> NDArray[np.uint8]:
    """A picture with structure and noise, the same every time."""
    rows, columns = np.mgrid[:side, :side] / side
    rings = 120 + 90 * np.sin(40 * np.hypot(rows - 0.5, columns - 0.45))
    noise = np.random.default_rng(0).normal(0, 8, (side, side))
    return np.clip(rings + noise, 0, 255).astype(np.uint8)


def _product(folder: str, runtime: str, threads: int) -> dict[str, Part]:
    """A model through our own code: encode and decode with all that belongs to them."""
    from medsam_backends.folder_backend import open_folder
    from medsam_backends.preprocess import network_input
    from medsam_backends.types import Prompt

    backend = open_folder(Path(folder), runtime, threads)
    grey = picture()
    seen = grey if backend.spec.channels == "grey" else np.stack([grey, grey, grey], axis=-1)
    embedding = backend.encode(seen)
    return {
        "encode": lambda: _whole(backend.encode, seen),
        "decode": lambda: _whole(backend.decode, embedding, [Prompt(_BOX)]),
        "input": lambda: _whole(network_input, seen, backend.manifest.input),
    }


def _whole(call: Callable[..., Any], *arguments: Any) -> None:
    """Call, and say that the whole call counts."""
    call(*arguments)


def _graphs(folder: str, runtime: str, threads: int) -> dict[str, Part]:
    """The two graphs of a model folder alone, through our own runtime."""
    from medsam_backends.manifest import read_manifest
    from medsam_backends.runtimes import SessionOptions, get_runtime
    from medsam_backends.weights_file import WeightsFile

    manifest = read_manifest(Path(folder))
    options = SessionOptions(threads=threads, weights=WeightsFile(manifest))
    parts: dict[str, Part] = {}
    for name, graph in (("encoder", manifest.encoder), ("decoder", manifest.decoder)):
        session = get_runtime(runtime).load(graph.path, options)
        feeds = {key: random_input(key, shape) for key, shape in session.inputs.items()}
        parts[name] = lambda run=session.run, feeds=feeds: _whole(run, feeds)
    return parts


def random_input(name: str, shape: tuple[Any, ...]) -> NDArray[np.float32]:
    """Plausible values for an input; a free axis has length 1."""
    if name == "boxes":
        return np.array([[60, 70, 150, 170]], np.float32)
    sides = [side if isinstance(side, int) and side > 0 else 1 for side in shape]
    return np.random.default_rng(0).random(sides).astype(np.float32)


def _plain(folder: str, runtime: str, threads: int) -> dict[str, Part]:
    """A plain export, run as a library's tutorial says (see `peer_export`)."""
    from .peers import plain_session

    parts: dict[str, Part] = {}
    for name in ("encoder", "decoder"):
        run, inputs = plain_session(Path(folder) / f"{name}.onnx", runtime, threads)
        feeds = {key: random_input(key, shape) for key, shape in inputs.items()}
        parts[name] = lambda run=run, feeds=feeds: _whole(run, feeds)
    return parts


def _torch(system: str, threads: int) -> dict[str, Part]:
    """A published system in PyTorch, eager, as its authors' own script runs it."""
    from .peers import torch_system

    encode, decode, side = torch_system(system, threads)
    image = random_input("image", (1, 3, side, side))
    features, boxes = encode(image), random_input("boxes", (1, 4))
    return {"encoder": lambda: _whole(encode, image), "decoder": lambda: _whole(decode, features, boxes)}


def _volume(folder: str, runtime: str, threads: int) -> dict[str, Part]:
    """Volumes through `VolumeSegmenter`, see `volume_parts`."""
    from .volume_parts import volume_parts

    return volume_parts(Path(folder), runtime, threads)


def _machine(threads: int) -> dict[str, Part]:
    """Loads that reach the machine's peaks, see `machine`."""
    from .machine import peak_parts

    return peak_parts(threads or os.cpu_count() or 1)


_KINDS: dict[str, Callable[..., dict[str, Part]]] = {
    "product": _product,
    "graphs": _graphs,
    "plain": _plain,
    "torch": _torch,
    "volume": _volume,
    "machine": _machine,
}
