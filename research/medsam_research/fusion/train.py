"""Train the fusion network: ``python -m medsam_research.fusion.train --samples FOLDER --output runs/NAME``.

The run can be stopped at any time; the same command goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medsam_research.training import checkpoint
from medsam_research.training.average import Average
from medsam_research.training.loss import dice_scores
from medsam_research.training.schedule import ema_decay, rate_factor

from .network import Fusion
from .samples import Samples

__all__ = ["main", "fusion_loss", "validation_dsc"]

log = logging.getLogger(__name__)
_LOG_EVERY = 25
_SAVE_SECONDS = 120.0


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
    _Run(parsed).go()


class _Run:
    """Network, optimiser, average, and how far they have come."""

    def __init__(self, options: argparse.Namespace) -> None:
        torch.manual_seed(options.seed)
        self.options, self.path = options, Path(options.output) / "checkpoint.pt"
        self.model = Fusion().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.optimiser = torch.optim.AdamW(self.model.parameters(), options.lr, weight_decay=0.02)
        self.average = Average(self.model)
        self.step, self.elapsed = 0, 0.0
        if self.path.exists():
            self._resume()

    def _resume(self) -> None:
        state = checkpoint.load(self.path)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimizer"])
        self.average.state = state["ema"]
        self.step, self.elapsed = state["step"], state["elapsed"]
        log.info("resumed at step %d, minute %.1f", self.step, self.elapsed / 60)

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "model": self.model.state_dict(),
            "ema": self.average.state,
            "optimizer": self.optimiser.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
        }
        checkpoint.save(self.path, state)

    @property
    def progress(self) -> float:
        """Spent share of the budget."""
        if self.options.steps:
            return self.step / float(self.options.steps)
        return self.elapsed / (60 * float(self.options.minutes))

    def train_step(self, batch: dict[str, Tensor]) -> tuple[float, float]:
        """One update; loss and DSC."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.lr * rate_factor(self.progress, 0.02, self.options.decay)
        logits = batch["views"] + self.model(batch["picture"], batch["valid"], batch["views"], batch["scale"])
        loss = fusion_loss(logits, batch["truth"])
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        self.average.update(self.model, ema_decay(self.step, self.options.ema))
        return loss.item(), dice_scores(logits.detach().flatten(2, 3), batch["truth"].flatten(2, 3)).mean().item()

    def check(self, samples: Samples) -> None:
        """Validate the averaged weights."""
        model = Fusion().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        model.load_state_dict(self.average.state)
        before, after = validation_dsc(model, samples)
        log.info("  validation: views %.4f, fused %.4f (%d samples)", before, after, len(samples))

    def go(self) -> None:
        """Train until the time is spent."""
        training, fixed = Samples(Path(self.options.samples)), Samples(Path(self.options.validation))
        rng = np.random.default_rng(self.options.seed + self.step)
        last = saved = time.monotonic()
        sums = np.zeros(2)
        while self.progress < 1:
            sums += self.train_step(training.varied(rng, self.options.batch))
            now = time.monotonic()
            self.elapsed, last = self.elapsed + now - last, now
            if self.step % _LOG_EVERY == 0:
                loss, dsc = sums / _LOG_EVERY
                sums[:] = 0
                log.info("%6d %6.1f min loss %.3f dsc %.3f", self.step, self.elapsed / 60, loss, dsc)
            if now - saved > _SAVE_SECONDS:
                self.save()
                training.look()
                self.check(fixed)
                saved = time.monotonic()
        self.save()
        self.check(fixed)


if __name__ == "__main__":
    main()
