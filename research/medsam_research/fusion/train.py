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
from torch import Tensor, nn

from medsam_research.training.loss import dice_scores
from medsam_research.training.run import Plan, Run

from .network import Fusion
from .samples import Samples

__all__ = ["FusionRun", "fusion_loss", "main", "validation_dsc"]

log = logging.getLogger(__name__)
_WARMUP = 0.02  # of the budget


def fusion_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy, heavier on and near the object, and soft Dice; (N, 1, G, G, G) each."""
    near = F.max_pool3d(truth, 5, 1, 2)
    cross = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    cross = (cross * (0.3 + near)).sum((1, 2, 3, 4)) / (0.3 + near).sum((1, 2, 3, 4))
    soft = torch.sigmoid(logits)
    overlap, sizes = (soft * truth).sum((1, 2, 3, 4)), (soft + truth).sum((1, 2, 3, 4))
    return (cross + 1 - (2 * overlap + 1) / (sizes + 1)).mean()


@torch.no_grad()
def validation_dsc(model: nn.Module, samples: Samples, batch: int = 8) -> tuple[float, float]:
    """Mean DSC on the cubes of the views alone and after the network."""
    model.eval()
    before, after = [], []
    for first in range(0, len(samples), batch):
        b = samples.batch(np.arange(first, min(first + batch, len(samples))))
        logits = b["views"] + model(b["picture"], b["valid"], b["views"], b["scale"])
        before.append(dice_scores(b["views"].flatten(2, 3), b["truth"].flatten(2, 3)))
        after.append(dice_scores(logits.flatten(2, 3), b["truth"].flatten(2, 3)))
    model.train()
    return torch.cat(before).mean().item(), torch.cat(after).mean().item()


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
    run.go(lambda: run.samples.varied(rng, parsed.batch))


class FusionRun(Run[Fusion]):
    """A run on `samples`, those that appear meanwhile among them, validated on `fixed` ones."""

    def __init__(self, plan: Plan, folder: Path, samples: Samples, fixed: Samples, init: Path | None = None) -> None:
        self.samples, self.fixed = samples, fixed
        model = _network()
        optimiser = torch.optim.AdamW(model.parameters(), plan.lr, weight_decay=0.02)
        super().__init__(plan, folder, model, optimiser, init)

    def train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """One update; loss and DSC."""
        logits = batch["views"] + self.model(batch["picture"], batch["valid"], batch["views"], batch["scale"])
        loss = fusion_loss(logits, batch["truth"])
        self.learn(loss)
        dsc = dice_scores(logits.detach().flatten(2, 3), batch["truth"].flatten(2, 3)).mean().item()
        return {"loss": loss.item(), "dsc": dsc}

    def check(self) -> None:
        """Validate the averaged weights, and look for new samples."""
        self.samples.look()
        model = _network()
        model.load_state_dict(self.average.state)
        before, after = validation_dsc(model, self.fixed)
        log.info("  validation: views %.4f, fused %.4f (%d samples)", before, after, len(self.fixed))


def _network() -> Fusion:
    return Fusion().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


if __name__ == "__main__":
    main()
