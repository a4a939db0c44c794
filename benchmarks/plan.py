"""What a run measures: the models found or stood in for, the runtimes, and how much of everything."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from .processes import environment, python_with, run

__all__ = ["BUNDLED", "FULL", "QUICK", "USUAL", "Effort", "Model", "Plan", "prepare"]

BUNDLED = "bundled"
"""Short for the default bundled model in the names of measurements."""


@dataclass(frozen=True)
class Effort:
    """How much a run measures.

    Attributes
    ----------
    repeats : rounds of interleaved tasks, and of processes
    budget_s : no further round of a group of tasks begins after so long
    sample_s : short calls are repeated for so long within a round
    long_s : a whole case that takes longer is run once
    side : of slices and pictures, in pixels
    volumes : slices of the three volumes: of the case with two boxes, with one and six, and of the large one (0: none)
    systems : published systems beside the bundled model; None for all that the package can import
    memory_slices, memory_cache_mib : of the volumes whose segmentation's memory is measured, and the cache's bound
    """

    repeats: int
    budget_s: float
    sample_s: float
    long_s: float
    side: int
    volumes: tuple[int, int, int]
    growth_slices: tuple[int, ...]
    growth_boxes: tuple[int, ...]
    growth_sides: tuple[int, ...]
    systems: tuple[str, ...] | None
    memory_slices: tuple[int, ...]
    memory_cache_mib: int


FULL = Effort(
    7,
    45,
    0.25,
    60,
    512,
    (60, 300, 1000),
    (5, 10, 20, 40, 60),
    (1, 2, 3, 4, 6, 8),
    (128, 256, 384, 512, 768, 1024),
    None,
    (200, 600, 1000),
    256,
)
USUAL = replace(FULL, repeats=3, budget_s=20, sample_s=0.1, long_s=10, systems=("litemedsam", "medficientsam-l1"))
QUICK = Effort(1, 1, 0.0, 10, 128, (12, 20, 0), (2, 4), (1, 2), (64, 128), (), (8, 16), 4)


@dataclass(frozen=True)
class Model:
    """A model folder under a short name; `stand_in` when its weights are none that anybody trained."""

    name: str
    folder: Path
    stand_in: bool
    system: str = ""  # id of the published system, empty for the bundled model


@dataclass(frozen=True)
class Plan:
    """All that the sections need to know.

    Attributes
    ----------
    work : a temporary folder
    models_folder : where children find the models, the user's own never
    torch : a Python with PyTorch, or None
    """

    effort: Effort
    threads: int
    runtimes: tuple[str, ...]
    work: Path
    models: tuple[Model, ...]
    torch: str | None
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def models_folder(self) -> Path:
        """The folder that stands for the user's."""
        return self.work / "models"

    def model(self, name: str) -> Model | None:
        """The model of that name, if there is one."""
        return next((model for model in self.models if model.name == name), None)


def prepare(effort: Effort, threads: int, runtimes: tuple[str, ...], work: Path) -> Plan:
    """Find the bundled model, copy installed published ones, make the others with stand-in weights."""
    from medsam_backends.checkpoints import importable
    from medsam_backends.registry import DEFAULT_MODEL, bundled_folder, user_folder

    bundled = bundled_folder()
    if bundled is None:
        raise SystemExit("No model is bundled here: there is nothing to measure.")
    plan = Plan(effort, threads, runtimes, work, (), python_with("torch"))
    plan.models_folder.mkdir()
    models = [Model(BUNDLED, bundled / DEFAULT_MODEL, stand_in=False)]
    for system in importable() if effort.systems is None else effort.systems:
        folder = plan.models_folder / system
        if (user_folder() / system / "model.json").is_file():
            shutil.copytree(user_folder() / system, folder)
            models.append(Model(system, folder, stand_in=False, system=system))
            continue
        try:
            run([sys.executable, "-m", "benchmarks.stand_in", system, str(folder)], environment())
            models.append(Model(system, folder, stand_in=True, system=system))
        except RuntimeError as error:
            plan.skipped[system] = str(error)
    return Plan(effort, threads, runtimes, work, tuple(models), plan.torch, plan.skipped)
