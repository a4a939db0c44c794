"""Writes a published system's weight-free graphs and key list: ``python -m medsam_research.templates.export``.

Options of the export keep every weight under its state-dict name: the tracing exporter, no constant
folding (which would merge and rename weights) and the module's own evaluation mode.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import warnings
from pathlib import Path

import onnx
import torch
from onnx import ModelProto
from torch import Tensor, nn

from ..published.system import SYSTEMS, PublishedSystem, build
from .rewrite import rewrite
from .weightless import weightless

__all__ = ["graphs", "key_list", "main", "write"]

OPSET = 20
DATA = Path(__file__).resolve().parents[3] / "backends" / "medsam_backends" / "data"


class Encoder(nn.Module):
    """The encoder under the name that its weights have in the state dict."""

    def __init__(self, system: PublishedSystem) -> None:
        super().__init__()
        self.image_encoder = system.image_encoder

    def forward(self, image: Tensor) -> Tensor:
        return self.image_encoder(image)


class Decoder(nn.Module):
    """Prompt encoder and mask decoder."""

    def __init__(self, system: PublishedSystem) -> None:
        super().__init__()
        self.prompt_encoder, self.mask_decoder = system.prompt_encoder, system.mask_decoder

    def forward(self, features: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        return self.mask_decoder(features, boxes, self.prompt_encoder)


def graphs(name: str) -> dict[str, ModelProto]:
    """The weight-free ``encoder`` and ``decoder`` of a system."""
    system = build(name)
    rewrite(system.image_encoder)
    _scatter(system)
    side = system.prompt_encoder.input_size
    image, features = torch.rand(1, 3, side, side), torch.rand(1, 256, 64, 64)
    boxes = torch.tensor([[8.0, 9.0, 70.0, 80.0], [20.0, 30.0, 90.0, 60.0]])
    many = {value: {0: "N"} for value in ("boxes", "logits", "iou")}
    keys = system.state_dict().keys()
    encoder = _export(Encoder(system), (image,), ["image"], ["features"], {})
    decoder = _export(Decoder(system), (features, boxes), ["features", "boxes"], ["logits", "iou"], many)
    return {"encoder": weightless(encoder, keys), "decoder": weightless(decoder, keys)}


def key_list(name: str) -> dict[str, list[object]]:
    """Every tensor of a system's state dict: ``{name: [dtype, *shape]}``."""
    state = build(name).state_dict()
    return {key: [str(value.dtype).removeprefix("torch."), *value.shape] for key, value in state.items()}


def write(name: str, folder: Path) -> list[Path]:
    """Write the files of a system into ``folder/templates`` and ``folder/keys``; returns their paths."""
    contents = {f"templates/{name}.{part}.onnx.gz": model.SerializeToString() for part, model in graphs(name).items()}
    contents[f"keys/{SYSTEMS[name].keys}.json.gz"] = json.dumps(key_list(name), separators=(",", ":")).encode()
    for file, content in contents.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content, 9, mtime=0))
    return [folder / file for file in contents]


def _scatter(system: nn.Module) -> None:
    """Make every tensor different: the exporter merges initializers of equal content."""
    generator = torch.Generator().manual_seed(0)
    for tensor in system.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.1 + 0.5)


def _export(
    module: nn.Module, inputs: tuple[Tensor, ...], names: list[str], outputs: list[str], axes: dict[str, dict[int, str]]
) -> ModelProto:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter announces its successor
        torch.onnx.export(
            module.eval(),
            inputs,
            file,
            dynamo=False,
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            opset_version=OPSET,
            input_names=names,
            output_names=outputs,
            dynamic_axes=axes,
        )
    model = onnx.load_from_string(file.getvalue())
    onnx.checker.check_model(model)
    return model


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", nargs="*", help=f"of {', '.join(SYSTEMS)}; all when none is named")
    parser.add_argument("--output", type=Path, default=DATA, help="folder for templates/ and keys/")
    arguments = parser.parse_args()
    for name in arguments.system or sorted(SYSTEMS):
        for path in write(name, arguments.output):
            print(f"{path}  {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
