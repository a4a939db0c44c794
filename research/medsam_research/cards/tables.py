"""Markdown tables of what a model is made of, what its runs cost, and how they ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from medsam_backends.manifest import Manifest
from torch import nn

from medsam_research.fusion.network import Fusion
from medsam_research.training import checkpoint
from medsam_research.training.config import TrainConfig
from medsam_research.training.export import load_model
from medsam_research.training.journal import read_rows

__all__ = ["held_out_table", "markdown", "parts_table", "runs_table"]


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of `rows`; bars within cells are escaped."""
    lines = [list(map(str, row)) for row in [header, ["---"] * len(header), *rows]]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def parts_table(manifest: Manifest, run: Path) -> str:
    """The graphs of a model, their files and how many numbers each network learned in `run`."""
    network, _ = load_model(run / "checkpoint.pt")
    parts: list[tuple[str, Any, nn.Module | None]] = [
        ("encoder", manifest.encoder, network.encoder),
        ("decoder", manifest.decoder, network.decoder),
        ("fusion", manifest.fusion, Fusion()),
    ]
    return markdown(
        ("part", "parameters", "file", "kB", "SHA-256 begins with"),
        [
            (name, f"{_parameters(module):,}", graph.path.name, graph.path.stat().st_size // 1000, graph.sha256[:12])
            for name, graph, module in parts
            if graph is not None and module is not None
        ],
    )


def _parameters(module: nn.Module) -> int:
    return sum(values.numel() for values in module.parameters())


def runs_table(runs: Sequence[Path]) -> str:
    """What each run cost; a window is what the decoder sees of a picture round one box."""
    return markdown(
        ("run", "minutes", "steps", "pictures", "windows", "rate", "teacher"),
        [(folder.name, *_cost(checkpoint.load(folder / "checkpoint.pt"))) for folder in runs],
    )


def _cost(state: dict[str, Any]) -> tuple[str, ...]:
    steps, minutes = int(state["step"]), f"{state['elapsed'] / 60:.0f}"
    if "config" not in state:
        return minutes, f"{steps:,}", "-", "-", "-", "-"
    config = TrainConfig.of(state["config"])
    pictures = steps * config.pictures
    teacher = "LiteMedSAM" if config.teacher else "-"
    return minutes, f"{steps:,}", f"{pictures:,}", f"{pictures * config.boxes:,}", f"{config.lr:g}", teacher


def held_out_table(run: Path) -> str:
    """The last validation of `run`, on patients that it did not learn from; empty if there was none."""
    rows = read_rows(run / "validation.csv")
    last = [row for row in rows if row["step"] == rows[-1]["step"]]
    return markdown(
        ("prompt or modality", "windows", "DSC", "ellipse", "error of the expected IoU"),
        [
            (row["group"], row["count"], *(f"{float(row[n]):.3f}" for n in ("dsc", "ellipse", "iou_error")))
            for row in last
        ],
    )
