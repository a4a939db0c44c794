"""A run's tables (CSV, appended to) and its curves (PNG, redrawn from the tables)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["append_row", "draw_curves", "read_rows"]


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a line, with the header if the file is new; floats with six digits."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(row)
        writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row.values()])


def read_rows(path: Path) -> list[dict[str, str]]:
    """All lines, or none if the file does not exist."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def draw_curves(folder: Path) -> None:
    """Write ``curves.png``: loss, and validation DSC of each kind of prompt, over minutes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    steps = read_rows(folder / "steps.csv")
    minutes = [float(r["minutes"]) for r in steps]
    for name in ("loss", "cross", "dice"):
        left.plot(minutes, [float(r[name]) for r in steps], label=name)
    left.set(xlabel="minutes", ylabel="training loss", yscale="log")
    left.legend()
    checks = read_rows(folder / "validation.csv")
    for name in ("all", "box", "slice", "slice+prior"):
        part = [r for r in checks if r["group"] == name]
        (line,) = right.plot([float(r["minutes"]) for r in part], [float(r["dsc"]) for r in part], label=name)
        if part:
            right.axhline(float(part[-1]["ellipse"]), color=line.get_color(), linestyle=":", linewidth=1)
    right.set(xlabel="minutes", ylabel="validation DSC (dotted: ellipse)")
    right.legend()
    figure.tight_layout()
    figure.savefig(folder / "curves.png", dpi=90)
    plt.close(figure)
