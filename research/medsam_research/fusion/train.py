"""Train the fusion network: ``python -m medsam_research.fusion.train --samples FOLDER --output runs/NAME``.

The run can be stopped at any time; the same command goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from medsam_backends.propagation.click_cubes import Click, paint_clicks
from numpy.typing import NDArray
from torch import Tensor, nn

from medsam_research.training.loss import dice_scores
from medsam_research.training.run import Plan, Run

from .clicks import answer, corrective_click, faded
from .network import Fusion
from .samples import Samples

__all__ = ["FusionRun", "corrected", "fused", "fusion_loss", "main", "validation_dsc"]

log = logging.getLogger(__name__)
_WARMUP = 0.02  # of the budget
_CLICKS = (0.35, 0.3, 0.2, 0.15)  # how often a sample has 0, 1, 2, 3
_DRAWN = 0.15  # of corrections are boxes drawn on a slice: its answer changes, and there is no click
_HEED = 3.0  # weight of a clicked cell
_MOST_CLICKS = len(_CLICKS) - 1


def fusion_loss(logits: Tensor, truth: Tensor, clicks: Tensor) -> Tensor:
    """Cross-entropy, heavier on and near the object and where the user clicked, and soft Dice.

    Parameters
    ----------
    logits, truth : (N, 1, G, G, G)
    clicks : (N, 2, G, G, G)
    """
    weight = 0.3 + F.max_pool3d(truth, 5, 1, 2) + _HEED * clicks.sum(1, keepdim=True)
    cross = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    cross = (cross * weight).sum((1, 2, 3, 4)) / weight.sum((1, 2, 3, 4))
    soft = torch.sigmoid(logits)
    overlap, sizes = (soft * truth).sum((1, 2, 3, 4)), (soft + truth).sum((1, 2, 3, 4))
    return (cross + 1 - (2 * overlap + 1) / (sizes + 1)).mean()


def fused(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """What is said of the object, and what the network adds to it, (N, 1, G, G, G)."""
    change: Tensor = model(batch["picture"], batch["valid"], batch["views"], batch["scale"], batch["clicks"])
    return batch["views"] + change


@torch.no_grad()
def corrected(
    rng: np.random.Generator, model: nn.Module, batch: dict[str, Tensor], counts: NDArray[np.int64]
) -> list[dict[str, Tensor]]:
    """`batch` before any click on what the network has wrong and after one, two, ...

    The clicks are a new tensor, (N, 2, G, G, G); what the slice model answers to them is added to the views.

    Parameters
    ----------
    counts : clicks of each sample
    """
    truth = (batch["truth"][:, 0] > 0.5).numpy()
    said: list[list[Click]] = [[] for _ in truth]
    told: list[dict[int, NDArray[np.float32]]] = [{} for _ in truth]
    stages = [batch | {"clicks": torch.zeros(len(truth), 2, *truth.shape[1:])}]
    for count in range(int(counts.max(initial=0))):
        rows = np.flatnonzero(counts > count)
        now = fused(model, {name: values[rows] for name, values in stages[-1].items()})[:, 0].numpy()
        after = stages[-1] | {name: stages[-1][name].clone() for name in ("clicks", "views")}
        for row, logits in zip(rows, now, strict=True):
            click = corrective_click(rng, truth[row], logits > 0)
            if click is None:
                continue
            if rng.random() >= _DRAWN:
                said[row].append(click)
            z = int(click[0])
            told[row][z] = told[row].get(z, np.float32(0)) + answer(rng, truth[row, z], logits[z], click)
            grid = logits.shape[0]
            after["clicks"][row] = torch.from_numpy(paint_clicks(said[row], grid))
            after["views"][row, 0] = batch["views"][row, 0] + torch.from_numpy(faded(told[row], grid))
        stages.append(after)
    return stages


@torch.no_grad()
def validation_dsc(model: nn.Module, samples: Samples, batch: int = 8) -> list[float]:
    """Mean DSC on the cubes of the views alone, after the network, and after one click, two, ..."""
    model.eval()
    rng = np.random.default_rng(0)
    rows: list[Tensor] = []
    for first in range(0, len(samples), batch):
        b = samples.batch(np.arange(first, min(first + batch, len(samples))))
        stages = corrected(rng, model, b, np.full(len(b["truth"]), _MOST_CLICKS))
        said = [b["views"], *(fused(model, stage) for stage in stages)]
        rows.append(torch.stack([dice_scores(s.flatten(2, 3), b["truth"].flatten(2, 3)).flatten() for s in said], 1))
    model.train()
    return torch.cat(rows).mean(0).tolist()


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m medsam_research.fusion.train", description=__doc__)
    parser.add_argument("--samples", required=True, help="folder of `prepare`; files that appear later are used too")
    parser.add_argument("--validation", required=True, help="folder of `prepare --split val`")
    parser.add_argument("--output", required=True)
    parser.add_argument("--init", type=Path, help="checkpoint to start a new run from")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--steps", type=int, default=0, help="if above 0, the budget in steps instead of minutes")
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--decay", type=float, default=0.6, help="share of the time over which the rate falls to 0")
    parser.add_argument("--ema", type=float, default=0.995)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parsed = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(parsed.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(parsed.seed)
    plan = Plan(parsed.minutes, parsed.steps, parsed.lr, _WARMUP, parsed.decay, parsed.ema)
    training, fixed = Samples(Path(parsed.samples)), Samples(Path(parsed.validation))
    run = FusionRun(plan, Path(parsed.output), training, fixed, parsed.init)
    rng = np.random.default_rng(parsed.seed + run.step)
    run.go(lambda: run.clicked(rng, run.samples.varied(rng, parsed.batch)))


class FusionRun(Run[Fusion]):
    """A run on `samples`, those that appear meanwhile among them, validated on `fixed` ones."""

    def __init__(self, plan: Plan, folder: Path, samples: Samples, fixed: Samples, init: Path | None = None) -> None:
        self.samples, self.fixed = samples, fixed
        model = _network()
        optimiser = torch.optim.AdamW(model.parameters(), plan.lr, weight_decay=0.02)
        super().__init__(plan, folder, model, optimiser, init)

    def clicked(self, rng: np.random.Generator, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """`batch` with clicks on what the network has wrong at present, none on some samples."""
        self.model.eval()
        counts = rng.choice(len(_CLICKS), len(batch["truth"]), p=_CLICKS)
        last = corrected(rng, self.model, batch, counts)[-1]
        self.model.train()
        return last

    def train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """One update; loss and DSC."""
        logits = fused(self.model, batch)
        loss = fusion_loss(logits, batch["truth"], batch["clicks"])
        self.learn(loss)
        dsc = dice_scores(logits.detach().flatten(2, 3), batch["truth"].flatten(2, 3)).mean().item()
        return {"loss": loss.item(), "dsc": dsc}

    def check(self) -> None:
        """Validate the averaged weights, and look for new samples."""
        self.samples.look()
        model = _network()
        model.load_state_dict(self.average.state)
        views, network, *clicked = (f"{dsc:.4f}" for dsc in validation_dsc(model, self.fixed))
        log.info("  validation: views %s, fused %s, clicks %s", views, network, " ".join(clicked))


def _network() -> Fusion:
    return Fusion().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


if __name__ == "__main__":
    main()
