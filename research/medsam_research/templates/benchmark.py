"""Figures of the imports: ``python -m medsam_research.templates.benchmark [SYSTEM]...``, a Markdown table.

Random weights do, for neither time nor memory depends on them.  What ships and the plain export of the
textbook form take turns on one thread, and CPU time is what counts, so that a busy machine matters little.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from medsam_backends.runtimes import Session, SessionOptions, get_runtime
from torch import Tensor, nn

from ..published.system import SYSTEMS, PublishedSystem, build
from ..published.textbook import textbook
from .export import DATA, Decoder, Encoder

__all__ = ["main"]

PLAIN_OPSET = 17
"""As MedficientSAM's authors export."""

IMPORT = """
import re, sys, time
from medsam_backends.checkpoints import import_published
import_published(*sys.argv[1:])
print(time.process_time(), re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""

Arrays = dict[str, np.ndarray]


def plain_export(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], path: Path) -> None:
    """What ``torch.onnx.export`` writes when nothing is done for speed; the first axis of ``boxes`` is free."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter announces its successor
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            path,
            dynamo=False,
            opset_version=PLAIN_OPSET,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes={name: {0: "N"} for name in ("boxes", "logits", "iou") if name in [*inputs, *outputs]},
        )


def import_alone(name: str, system: PublishedSystem, scratch: Path) -> tuple[Path, float, float]:
    """Import in a process of its own: the folder with the graphs, CPU seconds and peak megabytes (Linux)."""
    checkpoint = scratch / "general.pth"  # the name of a part of DAFT; others may have any
    torch.save(system.state_dict(), checkpoint)
    command = [sys.executable, "-c", IMPORT, name, str(checkpoint), str(scratch / name)]
    seconds, kilobytes = map(float, subprocess.run(command, check=True, capture_output=True).stdout.split())
    return next((scratch / name).rglob("encoder.onnx")).parent, seconds, kilobytes / 1024


def compare(ours: Session, plain: Session, feeds: Arrays, runs: int) -> tuple[float, float, float]:
    """Median CPU milliseconds of both, and their greatest difference in standard deviations."""
    sessions, times = (ours, plain), ([], [])
    for _ in range(runs + 1):
        for session, own in zip(sessions, times, strict=True):
            start = time.process_time()
            session.run(feeds)
            own.append(1000 * (time.process_time() - start))
    first, second = (next(iter(session.run(feeds).values())) for session in sessions)
    worst = float(np.abs(first - second).max() / second.std())
    return statistics.median(times[0][1:]), statistics.median(times[1][1:]), worst


def row(name: str, runs: int, scratch: Path) -> str:
    """The table's line of a system."""
    torch.manual_seed(0)
    system = build(name)
    folder, seconds, megabytes = import_alone(name, system, scratch)
    textbook(system.mask_decoder)
    image = torch.rand(1, 3, SYSTEMS[name].input_size, SYSTEMS[name].input_size)
    boxes = torch.tensor([[8.0, 9.0, 70.0, 80.0]])
    features = system.encode(image)
    plain_export(Encoder(system), {"image": image}, ["features"], scratch / "encoder.onnx")
    decoder_inputs = {"features": features, "boxes": boxes}
    plain_export(Decoder(system), decoder_inputs, ["logits", "iou"], scratch / "decoder.onnx")
    with np.load(folder / "weights.npz") as archive:
        options = SessionOptions(1, {key: archive[key] for key in archive.files})
    figures = []
    for part, feeds in (("encoder", {"image": image}), ("decoder", decoder_inputs)):
        ours = get_runtime().load(folder / f"{part}.onnx", options)
        plain = get_runtime().load(scratch / f"{part}.onnx", SessionOptions(1, {}))
        fast, slow, worst = compare(ours, plain, {key: value.numpy() for key, value in feeds.items()}, runs)
        figures += [f"{fast:.0f} / {slow:.0f} = {fast / slow:.2f}", f"{worst:.0e}"]
    sizes = [(DATA / "templates" / f"{name}.{part}.onnx.gz").stat().st_size / 1000 for part in ("encoder", "decoder")]
    cells = [name, f"{sizes[0]:.1f} + {sizes[1]:.1f}", f"{seconds:.1f}", f"{megabytes:.0f}", *figures]
    return f"| {' | '.join(cells)} |"


@torch.inference_mode()
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", nargs="*", help=f"of {', '.join(SYSTEMS)}; all when none is named")
    parser.add_argument("--runs", type=int, default=9, help="of each graph, after one that does not count")
    arguments = parser.parse_args()
    columns = "system", "templates, kB", "import, CPU s", "its peak, MB"
    print(f"| {' | '.join(columns)} | encoder, CPU ms | differs | decoder, CPU ms | differs |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.system or SYSTEMS:
        with tempfile.TemporaryDirectory() as scratch:
            print(row(name, arguments.runs, Path(scratch)), flush=True)


if __name__ == "__main__":
    main()
