"""A model folder as a backend: what SAM-like and window models share, and the choice between them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .backend import Backend
from .fusion import FusionNetwork
from .manifest import Manifest
from .named_session import NamedRun, NamedSession, runtime_for
from .preprocess import network_input
from .routed import RoutedBackend, RoutedManifest, read_model
from .runtimes import AUTO, SessionOptions, usable_cores
from .types import Embedding
from .weights_file import WeightsFile

__all__ = ["FolderBackend", "open_folder"]

_LIGHT_BYTES = 8 << 20
"""Graphs up to this size run for a few milliseconds: so short that a second thread is better used on another slice."""


class FolderBackend(Backend):
    """Encoder and decoder graphs of one folder; subclasses say how a prompt is decoded.

    The decoder is loaded with the encoder: both are short, and a missing tensor is known at once.
    """

    decoder_inputs: tuple[str, ...] = ()
    decoder_outputs: tuple[str, ...] = ("logits", "iou")

    def __init__(self, manifest: Manifest, runtime: str = "onnxruntime", threads: int = 0) -> None:
        self.manifest = manifest
        self.spec = manifest.spec
        self.at_once = _at_once(manifest, runtime, threads or usable_cores())
        weights = WeightsFile(manifest)
        options = SessionOptions(threads if self.at_once == 1 else 1, weights, weights.digest)
        with ThreadPoolExecutor(1) as other:  # runtimes prepare both at once where there are two cores
            decoder = other.submit(self.load_decoder, runtime, options)
            self._encoder = NamedSession(manifest.encoder, runtime, options, ("image",), ("features",))
            self._decoder = decoder.result()
        if manifest.fusion is not None:
            grid, scale = manifest.cube["grid"], manifest.cube["scale"]
            once = SessionOptions(threads, options.weights)  # runs once an object: all threads are its own
            self.fusion = FusionNetwork(manifest.fusion, grid, scale, runtime, once)

    def load_decoder(self, runtime: str, options: SessionOptions) -> NamedRun:
        """The decoder under the standard tensor names."""
        return NamedSession(self.manifest.decoder, runtime, options, self.decoder_inputs, self.decoder_outputs)

    def encode(self, image: NDArray[np.generic]) -> Embedding:
        self.check_image(image)
        features = self._encoder.run({"image": network_input(image, self.manifest.input)})["features"]
        arrays: dict[str, NDArray[np.generic]] = {"features": features, **self.beside(image)}
        return Embedding(self.spec.identity, (image.shape[0], image.shape[1]), arrays)

    def beside(self, image: NDArray[np.generic]) -> Mapping[str, NDArray[np.generic]]:
        """Further arrays that `decode` needs of the picture, kept in the embedding."""
        return {}

    def close(self) -> None:
        self._encoder.close()
        self._decoder.close()
        if isinstance(self.fusion, FusionNetwork):
            self.fusion.close()


def _at_once(manifest: Manifest, runtime: str, threads: int) -> int:
    """How many slices to work on at once with so many threads."""
    graphs = [manifest.encoder.path, manifest.decoder.path]
    alike = all(runtime_for(path, runtime).concurrent for path in graphs)
    once = manifest.fusion.path if manifest.fusion is not None else None  # runs once an object
    size = sum(path.stat().st_size for path in manifest.digests if path != once)
    return threads if alike and size <= _LIGHT_BYTES else 1


def open_folder(folder: Path | str, runtime: str = "onnxruntime", threads: int = 0) -> Backend:
    """Load the model in `folder`; digests are checked first, of one with several parts when a part is loaded.

    Parameters
    ----------
    runtime : one of `runtimes.RUNTIMES`
    threads : inside an operator; 0 means the cores this process may use

    Raises
    ------
    ModelError
        If anything of the folder is missing, damaged, refused or of a wrong shape, or the runtime cannot be used.
    """
    from .sam import SamBackend
    from .sam_split import SplitSamBackend
    from .windowed import WindowBackend

    manifest = read_model(Path(folder))
    if isinstance(manifest, RoutedManifest):
        return RoutedBackend(manifest, lambda part: open_folder(part, runtime, threads))
    manifest.check_digests(weights=False)  # the largest file by far: checked when it is read
    kinds: dict[str, type[FolderBackend]] = {"sam": SamBackend, "sam_split": SplitSamBackend, "window": WindowBackend}
    cls = kinds[manifest.decoder.kind]
    if runtime != AUTO:
        return cls(manifest, runtime, threads)
    from .fastest_runtime import open_fastest

    return open_fastest(lambda name: cls(manifest, name, threads), manifest.spec.digest, threads)
