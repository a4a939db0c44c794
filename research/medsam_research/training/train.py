"""Train a network: ``python -m medsam_research.training.train --config main --output runs/NAME``.

The run can be stopped at any time; the same command goes on from its last checkpoint.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from medsam_research.models.segmenter import Segmenter

from . import checkpoint
from .average import Average
from .config import TrainConfig, from_arguments
from .feed import Feed, stream_config
from .journal import append_row, draw_curves
from .loss import dice_scores, segmentation_loss
from .schedule import ema_decay, rate_factor
from .teaching import Teaching
from .validation import fixed_batches, group_means, validate

__all__ = ["Trainer", "main"]

log = logging.getLogger(__name__)
LOG_EVERY = 25


def _optimiser(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW that leaves biases and normalisation undecayed."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, config.lr, weight_decay=config.weight_decay, foreach=True)


class Trainer:
    """One run in `folder`: the network, its average, and how far it has come.

    Parameters
    ----------
    config : the run; of a resumed run the budget and rates may differ from before
    folder : checkpoint.pt, steps.csv, validation.csv and curves.png live here
    init : checkpoint to start from when `folder` holds none
    teaching : a teacher's features as a second task, or None
    """

    def __init__(
        self, config: TrainConfig, folder: Path, init: Path | None = None, teaching: Teaching | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.folder, self.teaching = config, folder, teaching
        self.model = self._network()
        self.optimiser = _optimiser(self.model, config)
        self.step, self.elapsed = 0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "checkpoint.pt").exists():
            self._resume()
        else:
            if init is not None:
                count = checkpoint.load_matching(self.model, checkpoint.load(init)["ema"])
                log.info("took %d tensors from %s", count, init)
            self.average = Average(self.model)

    def _network(self) -> Segmenter:
        model = Segmenter(self.config.encoder, decoder=self.config.decoder)
        return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _resume(self) -> None:
        state = checkpoint.load(self.folder / "checkpoint.pt")
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimizer"])
        self.average = Average(self.model)
        self.average.state = state["ema"]
        torch.set_rng_state(state["rng"])
        self.step, self.elapsed = state["step"], state["elapsed"]
        log.info("resumed at step %d, minute %.1f", self.step, self.elapsed / 60)

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "model": self.model.state_dict(),
            "ema": self.average.state,
            "optimizer": self.optimiser.state_dict(),
            "rng": torch.get_rng_state(),
            "step": self.step,
            "elapsed": self.elapsed,
            "config": self.config.as_dict(),
        }
        checkpoint.save(self.folder / "checkpoint.pt", state)

    @property
    def progress(self) -> float:
        """Spent share of the budget."""
        if self.config.steps:
            return self.step / self.config.steps
        return self.elapsed / (60 * self.config.minutes)

    def _rate(self) -> float:
        warmup = 0.05 if self.config.steps else self.config.warmup_minutes / self.config.minutes
        return self.config.lr * rate_factor(self.progress, warmup, self.config.decay)

    def train_step(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        """One update; returns the loss and its parts."""
        rate = self._rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        logits, expected = self.model(batch)
        loss, parts = segmentation_loss(logits, expected, batch["target"], batch["inside"], self.config.edge)
        if self.teaching is not None and self.model.encoder is not None:
            taught = self.teaching.loss(self.model.encoder)
            loss, parts["taught"] = loss + taught, taught.item()
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimiser.step()
        if self.teaching is not None:
            self.teaching.step()
        self.step += 1
        self.average.update(self.model, ema_decay(self.step, self.config.ema))
        present = batch["inside"][:, 0] > 0
        dsc = dice_scores(logits.detach(), batch["target"])[present].mean().item()
        return {"lr": rate, "loss": loss.item(), **parts, "dsc": dsc}

    def check(self, fixed: list[Any]) -> None:
        """Validate the averaged weights; log and draw."""
        model = self._network()
        model.load_state_dict(self.average.state)
        for row in group_means(validate(model, fixed)):
            where = {"step": self.step, "minutes": self.elapsed / 60}
            append_row(self.folder / "validation.csv", where | row)
            log.info("  %(group)-24s n=%(count)4d dsc %(dsc).3f ellipse %(ellipse).3f iou error %(iou_error).3f", row)
        draw_curves(self.folder)

    def run(self, feed: Feed, fixed: list[Any]) -> None:
        """Train until the budget is spent; saving and validating count as time."""
        last = saved = checked = time.monotonic()
        sums: dict[str, float] = {}
        count = 0  # a resumed run may begin in the middle of a row
        while self.progress < 1:
            values = self.train_step(feed.next())
            now = time.monotonic()
            self.elapsed, last = self.elapsed + now - last, now
            sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
            count += 1
            if self.step % LOG_EVERY == 0:
                row = {name: value / count for name, value in sums.items()}
                append_row(self.folder / "steps.csv", {"step": self.step, "minutes": self.elapsed / 60} | row)
                log.info("%6d %6.1f min loss %.3f dsc %.3f", self.step, self.elapsed / 60, row["loss"], row["dsc"])
                sums, count = {}, 0
            if now - saved > 60 * self.config.save_minutes:
                self.save()
                saved = now
            if now - checked > 60 * self.config.validate_minutes:
                self.check(fixed)
                checked = time.monotonic()
        self.save()
        self.check(fixed)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    config, parsed = from_arguments(arguments)
    torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)
    teaching = Teaching.of(config.teacher, config.data, config.cache, config.seed) if config.teacher else None
    trainer = Trainer(config, Path(parsed.output), Path(parsed.init) if parsed.init else None, teaching)
    feed = Feed(stream_config(config), config.seed + trainer.step)
    try:
        trainer.run(feed, fixed_batches(stream_config(config, "val"), config.validation_batches))
    finally:
        feed.close()


if __name__ == "__main__":
    main()
