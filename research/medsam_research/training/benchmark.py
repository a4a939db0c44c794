"""Time of a training step and of the exported graphs: ``python -m medsam_research.training.benchmark``."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch

from medsam_research.models.segmenter import DECODER_INPUTS

from .graphs import decoder_example

__all__ = ["main", "median_ms"]


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Median time of `work` in milliseconds after two unmeasured calls."""
    times = []
    for n in range(repeats + 2):
        start = time.perf_counter()
        work()
        if n >= 2:
            times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main(arguments: list[str] | None = None) -> None:
    """Print the medians of encode and decode of a model folder."""
    parser = argparse.ArgumentParser(prog="python -m medsam_research.training.benchmark", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--grid", type=int, default=64)
    parsed = parser.parse_args(arguments)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = parsed.threads
    image = {"image": (torch.rand(1, 3, 256, 256) * 255).numpy()}
    prompts = {n: v.numpy() for n, v in zip(DECODER_INPUTS, decoder_example(1, parsed.grid), strict=True)}
    for part, feeds in (("encoder", image), ("decoder", prompts)):
        session = onnxruntime.InferenceSession(
            str(parsed.folder / f"{part}.onnx"), options, providers=["CPUExecutionProvider"]
        )
        print(f"{part} {median_ms(lambda s=session, f=feeds: s.run(None, f), 30):.1f} ms")


if __name__ == "__main__":
    main()
