"""A model folder as a backend: what SAM-like and window models share, and the choice between them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .backend import Backend
from .errors import ModelError
from .manifest import Graph, Manifest
from .preprocess import network_input
from .routed import RoutedBackend, RoutedManifest, read_model
from .runtimes import AUTO, Runtime, Session, SessionOptions, get_runtime, usable_cores
from .types import Embedding

__all__ = ["FolderBackend", "NamedRun", "NamedSession", "open_folder"]

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
        options = SessionOptions(threads if self.at_once == 1 else 1, read_weights(manifest))
        with ThreadPoolExecutor(1) as other:  # runtimes prepare both at once where there are two cores
            decoder = other.submit(self.load_decoder, runtime, options)
            self._encoder = NamedSession(manifest.encoder, runtime, options, ("image",), ("features",))
            self._decoder = decoder.result()

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


class NamedRun(Protocol):
    """What runs under the standard tensor names."""

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Every output by name."""

    def close(self) -> None:
        """Free what it holds."""


class NamedSession:
    """A session under the standard tensor names, whatever the graph calls them.

    Attributes
    ----------
    shapes : of the inputs, by standard name
    """

    def __init__(
        self, graph: Graph, runtime: str, options: SessionOptions, inputs: tuple[str, ...], outputs: tuple[str, ...]
    ) -> None:
        session = _runtime_for(graph.path, runtime).load(graph.path, options)
        self._names = {name: graph.names.get(name, name) for name in (*inputs, *outputs)}
        self._outputs = outputs
        for names, present in ((inputs, session.inputs), (outputs, session.outputs)):
            missing = [self._names[name] for name in names if self._names[name] not in present]
            if missing:
                raise ModelError(
                    f"{graph.path.name} has no tensor {', '.join(missing)} (it has {', '.join(present)}): "
                    "correct the names in model.json."
                )
        self.shapes = {name: session.inputs[self._names[name]] for name in inputs}
        self._session: Session | None = session
        self._path = graph.path

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        if self._session is None:
            raise ModelError(f"The model of {self._path.parent} was closed: load it again.")
        try:
            got = self._session.run({self._names[name]: value for name, value in feeds.items()})
        except ModelError:
            raise
        except Exception as error:  # every runtime has classes of its own
            reason = str(error).strip().splitlines()[0]
            raise ModelError(
                f"{self._path.name} failed on its input ({reason}): the model folder is not sound."
            ) from None
        return {name: got[self._names[name]] for name in self._outputs}

    def close(self) -> None:
        self._session = None


def _runtime_for(path: Path, asked: str) -> Runtime:
    """The runtime asked for, but OpenVINO for a graph in its own format, which no other reads."""
    if path.suffix != ".xml":
        return get_runtime(asked)
    try:
        return get_runtime("openvino")
    except ModelError:
        raise ModelError(
            f"{path.name} is a file of OpenVINO, which is not installed here: install it ('pip install openvino'; in "
            "3D Slicer slicer.util.pip_install('openvino')), then try again."
        ) from None


def _at_once(manifest: Manifest, runtime: str, threads: int) -> int:
    """How many slices to work on at once with so many threads."""
    graphs = [manifest.encoder.path, manifest.decoder.path]
    alike = all(_runtime_for(path, runtime).concurrent for path in graphs)
    return threads if alike and sum(path.stat().st_size for path in manifest.digests) <= _LIGHT_BYTES else 1


def read_weights(manifest: Manifest) -> dict[str, NDArray[Any]]:
    """The arrays of the manifest's weights file, by name; empty when the graphs carry their own.

    Raises
    ------
    ModelError
        If the file is damaged or holds anything but plain arrays.
    """
    if manifest.weights is None:
        return {}
    try:
        with np.load(manifest.weights, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{manifest.weights.name} cannot be read ({error}): install the model again.") from None


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
    manifest.check_digests()
    kinds: dict[str, type[FolderBackend]] = {"sam": SamBackend, "sam_split": SplitSamBackend, "window": WindowBackend}
    cls = kinds[manifest.decoder.kind]
    if runtime != AUTO:
        return cls(manifest, runtime, threads)
    from .fastest_runtime import open_fastest

    return open_fastest(lambda name: cls(manifest, name, threads), manifest.spec.digest, threads)
