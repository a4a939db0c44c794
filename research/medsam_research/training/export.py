"""Make a model folder: ``python -m medsam_research.training.export CHECKPOINT --id ID --output FOLDER``.

The averaged weights are written as two ONNX graphs that are checked against PyTorch, with the manifest.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from medsam_backends.manifest import SCHEMA_VERSION, sha256

from medsam_research.data.config import MODALITIES
from medsam_research.data.render import Arrays
from medsam_research.data.stream import batches
from medsam_research.models.planes import BOX_HALF
from medsam_research.models.segmenter import DECODER_INPUTS, Segmenter

from . import checkpoint
from .config import TrainConfig
from .feed import stream_config
from .graphs import decoder_example, halve_weights, merged, write_decoder, write_encoder
from .quantise import decoder_feeds, quantise_decoder

__all__ = ["export", "load_model", "main", "training_batches", "write_manifest"]

log = logging.getLogger(__name__)
MOST_BYTES = 4_000_000
MOST_GRAPH_DIFFERENCE = 1e-3  # float32 graphs against PyTorch, logits
MOST_HALF_DIFFERENCE = 0.25  # with weights rounded to float16; logits reach tens
NAMES = {"efficientvit": "EfficientViT", "repvit": "RepViT"}


def load_model(path: Path) -> tuple[Segmenter, int]:
    """The averaged network of a checkpoint, in evaluation mode, and the grid it was trained on."""
    state = checkpoint.load(path)
    model = Segmenter(state["config"]["encoder"], decoder=state["config"].get("decoder", "window"))
    model.load_state_dict(state["ema"])
    return model.eval(), int(state["config"]["grid"])


def training_batches(path: Path) -> Iterator[Arrays]:
    """The batches of a checkpoint's run, drawn anew, two boxes a picture."""
    config = TrainConfig.of(checkpoint.load(path)["config"])
    return batches(replace(stream_config(config), boxes=2), seed=123)


def _difference(model: Segmenter, folder: Path, grid: int) -> float:
    """Largest difference between the graphs in `folder` and PyTorch, over features, logits and IoU."""
    assert model.encoder is not None
    sessions = [
        onnxruntime.InferenceSession(str(folder / f"{part}.onnx"), providers=["CPUExecutionProvider"])
        for part in ("encoder", "decoder")
    ]
    image = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1)) * 255
    example = decoder_example(3, grid, seed=2)
    with torch.no_grad():
        features = model.encoder(image)
        expected = [features, *model.decoder(features, *example[1:])]
    got = sessions[0].run(["features"], {"image": image.numpy()})
    feeds = {name: value.numpy() for name, value in zip(DECODER_INPUTS, example, strict=True)}
    got += sessions[1].run(["logits", "iou"], feeds | {"features": features.numpy()})
    return max(float(np.abs(a.numpy() - b).max()) for a, b in zip(expected, got, strict=True))


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise RuntimeError(message)


def export(
    source: Path, identifier: str, folder: Path, feed: Iterator[Arrays] | None = None, version: str = "1.0"
) -> None:
    """Write encoder.onnx, decoder.onnx and model.json.

    Parameters
    ----------
    feed : training batches; if given, the decoder's convolutions compute in 8-bit integers, calibrated on them

    Raises
    ------
    RuntimeError
        If a graph differs from PyTorch, or the files are larger than `MOST_BYTES` together.
    """
    model, grid = load_model(source)
    folder.mkdir(parents=True, exist_ok=True)
    plain = merged(model)
    write_encoder(plain, folder / "encoder.onnx")
    write_decoder(plain, folder / "decoder.onnx", grid)
    exact = _difference(model, folder, grid)
    for part in ("encoder", "decoder"):
        halve_weights(folder / f"{part}.onnx")
    halved = _difference(model, folder, grid)
    if feed is not None:
        quantise_decoder(folder / "decoder.onnx", decoder_feeds(folder / "encoder.onnx", feed))
    size = sum((folder / f"{part}.onnx").stat().st_size for part in ("encoder", "decoder"))
    log.info("largest difference %.2g, with float16 weights %.2g; %d bytes", exact, halved, size)
    _require(exact < MOST_GRAPH_DIFFERENCE, f"the graphs differ from PyTorch by {exact:.2g}")
    _require(halved < MOST_HALF_DIFFERENCE, f"float16 weights change the output by {halved:.2g}")
    _require(size <= MOST_BYTES, f"the graphs take {size} bytes, more than {MOST_BYTES}")
    write_manifest(folder, identifier, checkpoint.load(source)["config"]["encoder"], grid, version)


def write_manifest(folder: Path, identifier: str, encoder: str, grid: int, version: str = "1.0") -> None:
    """Write ``model.json`` for the two graphs in `folder`."""
    name = NAMES[encoder]
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "id": identifier,
        "name": f"MedSAMLite {name}",
        "version": version,
        "family": name,
        "licence": "Apache-2.0",
        "modalities": list(MODALITIES),
        "prompts": ["box", "points", "prior", "position"],
        "rule": "views",
        "encoder": {"file": "encoder.onnx", "sha256": sha256(folder / "encoder.onnx")},
        "decoder": {"file": "decoder.onnx", "sha256": sha256(folder / "decoder.onnx"), "kind": "window"},
        "input": {
            "size": 256,
            "resize": "longest_side",
            "interpolation": "window",
            "channels": "adjacent",
            "normalisation": {"kind": "none"},
        },
        "window": {"grid": grid, "scale": BOX_HALF},
    }
    (folder / "model.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m medsam_research.training.export", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--id", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--version", default="1.0", help="of the model, in its manifest")
    parser.add_argument("--int8", choices=["decoder"], help="8-bit convolutions, calibrated on the run's own data")
    parsed = parser.parse_args(arguments)
    feed = training_batches(parsed.checkpoint) if parsed.int8 else None
    export(parsed.checkpoint, parsed.id, parsed.output, feed, parsed.version)


if __name__ == "__main__":
    main()
