"""``python -m benchmarks.peer_export SYSTEM FOLDER``: a system's graphs as `torch.onnx.export` writes them unasked.

This is what somebody without this project's templates would run, the decoder as SAM's authors write it; weights are
PyTorch's initial ones.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

__all__ = ["main"]

_OPSET = 17  # that of the authors' own export scripts


def main() -> None:
    """Write ``encoder.onnx`` and ``decoder.onnx``."""
    import torch
    from medsam_research.published.system import build
    from medsam_research.published.textbook import textbook
    from medsam_research.templates.export import Decoder, Encoder

    system, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    module = build(system)
    textbook(module.mask_decoder)
    side = module.prompt_encoder.input_size
    examples = {
        "encoder": (Encoder(module), (torch.rand(1, 3, side, side),), ["image"]),
        "decoder": (
            Decoder(module),
            (torch.rand(1, 256, 64, 64), torch.tensor([[8.0, 9.0, 70.0, 80.0]])),
            ["features", "boxes"],
        ),
    }
    warnings.simplefilter("ignore")  # the tracing exporter announces its successor
    for name, (part, inputs, names) in examples.items():
        torch.onnx.export(
            part.eval(), inputs, str(folder / f"{name}.onnx"), input_names=names, opset_version=_OPSET, dynamo=False
        )


if __name__ == "__main__":
    main()
