"""Add a fusion network to a model: ``python -m medsam_research.fusion.export CHECKPOINT --model FOLDER``.

The averaged weights become ``fusion.onnx``, checked against PyTorch, and the manifest names it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from medsam_backends.manifest import sha256
from medsam_backends.propagation.click_cubes import paint_clicks

from medsam_research.training import checkpoint
from medsam_research.training.export import MOST_BYTES
from medsam_research.training.graphs import OPSET, halve_weights

from .network import Fusion
from .prepare import GRID, SCALE

__all__ = ["SHARE", "add_fusion", "main"]

log = logging.getLogger(__name__)
_INPUTS = ["picture", "valid", "logits", "scale", "clicks"]
SHARE = 0.5
"""Half the change is as good on held-out patients, and does less harm on kinds of objects that were not trained on."""
_MOST_DIFFERENCE = 2e-3  # logits
_MOST_HALF_DIFFERENCE = 0.25


def add_fusion(source: Path, folder: Path, version: str = "", share: float = SHARE) -> None:
    """Write ``fusion.onnx`` into the model folder `folder` and name it in ``model.json``.

    Parameters
    ----------
    share : of the learned change, that the graph gives

    Raises
    ------
    RuntimeError
        If the graph differs from PyTorch, or the model becomes larger than `MOST_BYTES`; the folder is then unchanged.
    """
    model = Fusion().eval()
    model.load_state_dict(checkpoint.load(source)["ema"])
    _scale_change(model, share)
    example, path = _example(), folder / "fusion.part"
    try:
        _write_graph(model, example, path)
        others = [part for part in folder.glob("*.onnx") if part.name != "fusion.onnx"]
        size = path.stat().st_size + sum(part.stat().st_size for part in others)
        if size > MOST_BYTES:
            raise RuntimeError(f"the graphs take {size} bytes, more than {MOST_BYTES}")
        os.replace(path, folder / "fusion.onnx")
    finally:
        path.unlink(missing_ok=True)
    _name_in_manifest(folder, version)


def _scale_change(model: Fusion, share: float) -> None:
    with torch.no_grad():
        for values in model.change.parameters():
            values *= share


def _write_graph(model: Fusion, example: tuple[torch.Tensor, ...], path: Path) -> None:
    """The graph with float16 weights, checked before and after they are rounded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that writes no second package's operators is deprecated
        torch.onnx.export(
            model, example, str(path), input_names=_INPUTS, output_names=["change"], opset_version=OPSET, dynamo=False
        )
    _check(model, path, example, _MOST_DIFFERENCE)
    halve_weights(path)
    _check(model, path, example, _MOST_HALF_DIFFERENCE)


def _check(model: Fusion, path: Path, example: tuple[torch.Tensor, ...], most: float) -> None:
    difference = _difference(model, path, example)
    log.info("largest difference %.2g; %d bytes", difference, path.stat().st_size)
    if difference > most:
        raise RuntimeError(f"the graph differs from PyTorch by {difference:.2g}")


def _example() -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(1)
    picture, views = (torch.rand(1, 1, GRID, GRID, GRID, generator=random) for _ in range(2))
    clicks = torch.from_numpy(paint_clicks([(9.0, 12.0, 20.0, True), (16.0, 3.0, 8.0, False)], GRID))[None]
    return picture * 255, (views > 0.05).float(), views * 12 - 6, torch.tensor([[0.5, -0.5, 1.0]]), clicks


def _difference(model: Fusion, path: Path, example: tuple[torch.Tensor, ...]) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    [got] = session.run(["change"], {name: value.numpy() for name, value in zip(_INPUTS, example, strict=True)})
    with torch.no_grad():
        return float(np.abs(model(*example).numpy() - got).max())


def _name_in_manifest(folder: Path, version: str) -> None:
    path = folder / "model.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["fusion"] = {"file": "fusion.onnx", "sha256": sha256(folder / "fusion.onnx")}
    manifest["cube"] = {"grid": GRID, "scale": SCALE}
    if version:
        manifest["version"] = version
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    os.replace(temporary, path)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m medsam_research.fusion.export", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="folder made by medsam_research.training.export")
    parser.add_argument("--version", default="", help="of the model from now on")
    parser.add_argument("--share", type=float, default=SHARE, help="of the learned change, that the graph gives")
    parsed = parser.parse_args(arguments)
    add_fusion(parsed.checkpoint, parsed.model, parsed.version, parsed.share)


if __name__ == "__main__":
    main()
