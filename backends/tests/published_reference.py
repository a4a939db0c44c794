"""Reference arrays of the published systems, where the shared folder with them lies beside the checkout."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from medsam_backends.checkpoints import published_model
from medsam_backends.manifest import sha256
from numpy.typing import NDArray

FOLDER = Path(__file__).parents[3] / "shared" / "published-models"
FILES = {
    "litemedsam": ("litemedsam", ""),
    "medficientsam-l0": ("medficientsam-l0", "py."),
    "medficientsam-l1": ("medficientsam-l1", "py."),
    "medficientsam-l2": ("medficientsam-l2", "py."),
    "daft": ("daft-l0", ""),
    "rep-medsam": ("rep-medsam", ""),
}
"""System to its reference file with stand-in weights, and to the program in it (MedficientSAM has also one in C++)."""


@dataclass(frozen=True)
class Case:
    """A picture, its boxes, and what the authors' module made of them.

    Attributes
    ----------
    boxes : (3, 4) first and last column and row
    prompts : (3, 4) the same as the authors give them to the prompt encoder, in network pixels
    arrays : further reference arrays, see the shared README
    """

    name: str
    image: NDArray[np.uint8]
    boxes: NDArray[np.int64]
    prompts: NDArray[np.int64]
    masks: NDArray[np.bool_]
    arrays: dict[str, NDArray[Any]]

    def check_input(self, image: NDArray[np.float32], levels: float) -> None:
        """Compare an encoder's input (1, 3, S, S); `levels` in grey levels of the resized picture."""
        expected = self.arrays["input_sub"]
        step = image.shape[2] // expected.shape[1]
        low, high = self.arrays.get("resized_minmax", (0, 255))
        worst = float(np.abs(image[0, :, ::step, ::step] - expected).max()) * (int(high) - int(low))
        assert worst <= levels, f"{self.name} differs by {worst} grey levels"

    def check_features(self, features: NDArray[np.float32], tolerance: float) -> None:
        """Compare an embedding (1, 256, 64, 64); `tolerance` in standard deviations of the reference."""
        expected = self.arrays["embedding_sub"]
        channels, cells = 256 // expected.shape[0], 64 // expected.shape[1]
        _check(f"{self.name} features", features[0, ::channels, ::cells, ::cells], expected, tolerance)
        whole = features[0].reshape(256, -1)
        stats = np.stack([whole.mean(1), whole.std(1), whole.min(1), whole.max(1)])
        _check(f"{self.name} channels", stats, self.arrays["embedding_channel_stats"], tolerance)

    def check_logits(self, logits: NDArray[np.float32], tolerance: float) -> None:
        """Compare logits (3, 256, 256)."""
        key = next(key for key in self.arrays if key.startswith("logits_sub"))
        step = int(key.removeprefix("logits_sub"))
        _check(f"{self.name} logits", logits[:, ::step, ::step], self.arrays[key], tolerance)


def _check(what: str, got: NDArray[Any], expected: NDArray[Any], tolerance: float) -> None:
    worst = float(np.abs(got - expected).max() / expected.std())
    print(f"{what}: {worst:.1e} standard deviations")
    assert worst <= tolerance, f"{what} differ by {worst} standard deviations"


def reference(name: str) -> dict[str, NDArray[Any]]:
    """A reference file; the test is skipped where it is absent."""
    path = FOLDER / f"{name}.reference.npz"
    if not path.is_file():
        pytest.skip("needs the shared reference arrays of the published systems, which a clone does not have")
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def standin() -> Any:
    """The shared module that makes stand-in weights, pictures and volumes by rule."""
    path = FOLDER / "standin.py"
    if not path.is_file():
        pytest.skip("needs the shared stand-in weights of the published systems, which a clone does not have")
    spec = importlib.util.spec_from_file_location("standin", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def standin_weights(keys: str) -> dict[str, NDArray[np.generic]]:
    """The shared stand-in state dict for a key list."""
    maker = standin()
    listed = json.loads((FOLDER / f"{keys}.keys.json").read_text("utf-8"))
    return dict(maker.state_dict(listed))


def standin_cases(system: str) -> list[Case]:
    """The pictures of a system with stand-in weights."""
    return cases(*FILES[system])


def cases(name: str, prefix: str = "") -> list[Case]:
    """The pictures of a reference file."""
    arrays = reference(name)
    pictures = {letter: image for letter, (image, _) in standin().images().items()}
    if "ct.image" in arrays:
        pictures["ct"] = arrays["ct.image"]
    return [
        _case(f"{prefix}{key}.", image, arrays) for key, image in pictures.items() if f"{prefix}{key}.boxes" in arrays
    ]


def _case(start: str, image: NDArray[np.uint8], arrays: dict[str, NDArray[Any]]) -> Case:
    own = {key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)}
    shape = (3, *image.shape[:2])
    masks = np.unpackbits(own["masks_bits"])[: int(np.prod(shape))].reshape(shape).astype(bool)
    return Case(start.rstrip("."), image, own["boxes"], own["prompt_boxes"], masks, own)


def real_checkpoint() -> Path:
    """The published LiteMedSAM, named by MEDSAMLITE_TEST_CHECKPOINT; the test is skipped where it is absent."""
    path = Path(os.environ.get("MEDSAMLITE_TEST_CHECKPOINT", ""))
    if not path.is_file():
        pytest.skip("needs lite_medsam.pth, named by the environment variable MEDSAMLITE_TEST_CHECKPOINT")
    assert sha256(path) == published_model("litemedsam").files[0].sha256
    return path
