"""Teach an encoder the features of another: ``python -m medsam_research.training.distil TEACHER --output CHECKPOINT``.

No decoder runs, so a step costs a third of a training step. The result holds the new encoder and the teacher's decoder:
the start (``--init``) of a run of ``medsam_research.training.train``.
"""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from medsam_research.models.encoder import TRUNKS
from medsam_research.models.segmenter import Segmenter

from . import checkpoint
from .average import Average
from .config import PRESETS, TrainConfig
from .export import load_model
from .feed import Feed, stream_config
from .schedule import ema_decay, rate_factor

__all__ = ["distil", "feature_loss", "main"]

log = logging.getLogger(__name__)
LOG_EVERY = 50
SAVE_SECONDS = 120
WARMUP = 0.05  # share of the budget


def feature_loss(features: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error relative to the variance of what is wanted: 1 for a constant answer, 0 for a perfect one."""
    return F.mse_loss(features, wanted) / wanted.var()


class Images(Protocol):
    """Where pictures come from, say a `Feed`."""

    def next(self) -> dict[str, Tensor]:
        """A batch with ``image``."""


def distil(teacher: Path, encoder: str, config: TrainConfig, feed: Images, output: Path) -> list[float]:
    """Train an `encoder` on the features of `teacher` over the budget of `config`; returns the loss by step.

    Raises
    ------
    ValueError
        If the teacher has no encoder.
    """
    source, _ = load_model(teacher)
    if source.encoder is None:
        raise ValueError(f"{teacher} has no encoder to learn from")
    torch.manual_seed(config.seed)
    student = Segmenter(encoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    student.decoder.load_state_dict(source.decoder.state_dict())
    assert student.encoder is not None
    optimiser = torch.optim.AdamW(student.encoder.parameters(), config.lr, weight_decay=config.weight_decay)
    average, losses = Average(student), list[float]()
    start = saved = time.monotonic()
    while (progress := _progress(config, len(losses), start)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = config.lr * rate_factor(progress, WARMUP, config.decay)
        image = feed.next()["image"]
        with torch.no_grad():
            wanted = source.encoder(image)
        loss = feature_loss(student.encoder(image), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        average.update(student, ema_decay(len(losses), config.ema))
        if len(losses) % LOG_EVERY == 0:
            log.info("%6d %3.0f %% loss %.4f", len(losses), 100 * progress, sum(losses[-LOG_EVERY:]) / LOG_EVERY)
        if time.monotonic() - saved > SAVE_SECONDS:
            _save(output, average, encoder, config)
            saved = time.monotonic()
    _save(output, average, encoder, config)
    return losses


def _progress(config: TrainConfig, steps: int, start: float) -> float:
    return steps / config.steps if config.steps else (time.monotonic() - start) / (60 * config.minutes)


def _save(output: Path, average: Average, encoder: str, config: TrainConfig) -> None:
    checkpoint.save(output, {"ema": average.state, "config": replace(config, encoder=encoder).as_dict()})


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
    parsed = parser.parse_args(arguments)
    torch.set_num_threads(parsed.threads)
    torch.set_flush_denormal(True)
    config = replace(
        PRESETS["main"],
        data=parsed.data,
        synthetic=parsed.synthetic,
        minutes=parsed.minutes,
        lr=parsed.lr,
        boxes=1,
        decay=0.5,
        threads=parsed.threads,
    )
    feed = Feed(stream_config(config), config.seed)
    try:
        distil(parsed.teacher, parsed.encoder, config, feed, parsed.output)
    finally:
        feed.close()


if __name__ == "__main__":
    main()
