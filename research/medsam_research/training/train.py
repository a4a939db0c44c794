"""Train a network: ``python -m medsam_research.training.train --config main --output runs/NAME``.

The run can be stopped at any time; the same command goes on from its last checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medsam_research.models.segmenter import Segmenter

from .config import TrainConfig, from_arguments
from .feed import Feed, stream_config
from .journal import append_row, draw_curves
from .loss import dice_scores, segmentation_loss
from .run import Plan, Run
from .teaching import Teaching
from .validation import fixed_batches, group_means, validate

__all__ = ["Trainer", "main"]

log = logging.getLogger(__name__)


def _optimiser(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW that leaves biases and normalisation undecayed."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, config.lr, weight_decay=config.weight_decay, foreach=True)


class Trainer(Run[Segmenter]):
    """One run in `folder`: the network, its average, and how far it has come.

    Parameters
    ----------
    config : the run; of a resumed run the budget and rates may differ from before
    folder : checkpoint.pt, steps.csv, validation.csv and curves.png live here
    init : checkpoint to start from when `folder` holds none
    teaching : a teacher's features as a second task, or None
    fixed : batches to validate on
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        init: Path | None = None,
        teaching: Teaching | None = None,
        fixed: Sequence[dict[str, NDArray[Any]]] = (),
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.teaching, self.fixed = config, teaching, fixed
        model = self._network()
        super().__init__(_plan(config), folder, model, _optimiser(model, config), init)

    def _network(self) -> Segmenter:
        model = Segmenter(self.config.encoder, decoder=self.config.decoder)
        return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def describe(self) -> dict[str, Any]:
        """The run's configuration."""
        return {"config": self.config.as_dict()}

    def train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """One update; returns the loss and its parts."""
        rate = self.rate
        logits, expected = self.model(batch)
        loss, parts = segmentation_loss(logits, expected, batch["target"], batch["inside"], self.config.edge)
        if self.teaching is not None and self.model.encoder is not None:
            taught = self.teaching.loss(self.model.encoder)
            loss, parts["taught"] = loss + taught, taught.item()
        self.learn(loss)
        if self.teaching is not None:
            self.teaching.step()
        present = batch["inside"][:, 0] > 0
        dsc = dice_scores(logits.detach(), batch["target"])[present].mean().item()
        return {"lr": rate, "loss": loss.item(), **parts, "dsc": dsc}

    def check(self) -> None:
        """Validate the averaged weights; log and draw."""
        model = self._network()
        model.load_state_dict(self.average.state)
        for row in group_means(validate(model, self.fixed)):
            where = {"step": self.step, "minutes": self.elapsed / 60}
            append_row(self.folder / "validation.csv", where | row)
            log.info("  %(group)-24s n=%(count)4d dsc %(dsc).3f ellipse %(ellipse).3f iou error %(iou_error).3f", row)
        draw_curves(self.folder)


def _plan(config: TrainConfig) -> Plan:
    return Plan(
        minutes=config.minutes,
        steps=config.steps,
        lr=config.lr,
        warmup=0.05 if config.steps else config.warmup_minutes / config.minutes,
        decay=config.decay,
        ema=config.ema,
        clip=config.clip,
        save_minutes=config.save_minutes,
        validate_minutes=config.validate_minutes,
    )


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    config, parsed = from_arguments(arguments)
    torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)
    teaching = Teaching.of(config.teacher, config.data, config.cache, config.seed) if config.teacher else None
    fixed = fixed_batches(stream_config(config, "val"), config.validation_batches)
    trainer = Trainer(config, Path(parsed.output), Path(parsed.init) if parsed.init else None, teaching, fixed)
    feed = Feed(stream_config(config), config.seed + trainer.step)
    try:
        trainer.go(feed.next)
    finally:
        feed.close()


if __name__ == "__main__":
    main()
