"""Teach an encoder the features of another: ``python -m medsam_research.training.distil TEACHER --output runs/NAME``.

No decoder runs, so a step costs a third of a training step. The result holds the new encoder and the teacher's decoder:
the start (``--init``) of a run of ``medsam_research.training.train``. A run that was stopped is resumed by the same
command.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from medsam_research.models.encoder import TRUNKS
from medsam_research.models.segmenter import Segmenter

from .config import PRESETS, TrainConfig
from .export import load_model
from .feed import Feed, stream_config, to_tensors
from .run import Plan, Run
from .validation import fixed_batches

__all__ = ["Distillation", "feature_loss", "main"]

log = logging.getLogger(__name__)
_WARMUP = 0.05  # share of the budget


def feature_loss(features: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error relative to the variance of what is wanted: 1 for a constant answer, 0 for a perfect one."""
    return F.mse_loss(features, wanted) / wanted.var()


class Distillation(Run[Segmenter]):
    """The encoder of `config` learns the features of the network in the checkpoint `teacher`, whose decoder it takes.

    Parameters
    ----------
    teacher : checkpoint of a network with an encoder
    config : the run; pictures alone are looked at, no boxes
    folder : checkpoint.pt and steps.csv live here
    fixed : batches to validate on

    Raises
    ------
    ValueError
        If the teacher has no encoder.
    """

    def __init__(
        self, teacher: Path, config: TrainConfig, folder: Path, fixed: Sequence[dict[str, NDArray[Any]]] = ()
    ) -> None:
        source, _ = load_model(teacher)
        if source.encoder is None:
            raise ValueError(f"{teacher} has no encoder to learn from")
        torch.manual_seed(config.seed)
        self.config, self.wanted, self.fixed = config, source.encoder, fixed
        student = _student(config)
        student.decoder.load_state_dict(source.decoder.state_dict())
        assert student.encoder is not None
        optimiser = torch.optim.AdamW(student.encoder.parameters(), config.lr, weight_decay=config.weight_decay)
        plan = Plan(config.minutes, config.steps, config.lr, _WARMUP, config.decay, config.ema, config.clip)
        super().__init__(plan, folder, student, optimiser)

    def describe(self) -> dict[str, Any]:
        """The run's configuration."""
        return {"config": self.config.as_dict()}

    def train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """One update; the loss."""
        loss = self._loss(self.model, batch["image"])
        self.learn(loss)
        return {"loss": loss.item()}

    @torch.no_grad()
    def check(self) -> None:
        """The averaged encoder's loss on held-out pictures, in the log."""
        student = _student(self.config)
        student.load_state_dict(self.average.state)
        losses = [self._loss(student.eval(), to_tensors(arrays)["image"]).item() for arrays in self.fixed]
        if losses:
            log.info("  held-out loss %.4f", np.mean(losses))

    def _loss(self, student: Segmenter, image: Tensor) -> Tensor:
        assert student.encoder is not None
        with torch.no_grad():
            wanted = self.wanted(image)
        return feature_loss(student.encoder(image), wanted)


def _student(config: TrainConfig) -> Segmenter:
    return Segmenter(config.encoder, decoder=config.decoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(prog="python -m medsam_research.training.distil", description=__doc__)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--encoder", choices=TRUNKS, default="repvit")
    parser.add_argument("--data", default=TrainConfig.data)
    parser.add_argument("--synthetic", default="")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--threads", type=int, default=1)
    options = vars(parser.parse_args(arguments))
    teacher, output = options.pop("teacher"), options.pop("output")
    torch.set_num_threads(options["threads"])
    torch.set_flush_denormal(True)
    config = replace(PRESETS["main"], boxes=1, decay=0.5, **options)
    fixed = fixed_batches(stream_config(config, "val"), config.validation_batches)
    run = Distillation(teacher, config, output, fixed)
    feed = Feed(stream_config(config), config.seed + run.step)
    try:
        run.go(feed.next)
    finally:
        feed.close()


if __name__ == "__main__":
    main()
