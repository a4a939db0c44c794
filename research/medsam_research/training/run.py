"""A training run of any network: rate, averaged weights, log and checkpoint; it goes on where it stopped."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from . import checkpoint
from .average import Average
from .journal import append_row
from .schedule import ema_decay, rate_factor

__all__ = ["Plan", "Run"]

log = logging.getLogger(__name__)
_LOG_EVERY = 25
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Plan:
    """How long a run lasts and how it learns.

    Parameters
    ----------
    minutes : wall-clock budget of all parts of the run together; the learning rate follows it
    steps : if above 0, the budget in optimiser steps instead
    lr : peak learning rate
    warmup, decay : shares of the budget at its start and end over which the rate rises and falls
    ema : final decay of the averaged weights
    clip : largest norm of a gradient
    save_minutes, validate_minutes : how often
    """

    minutes: float
    steps: int
    lr: float
    warmup: float
    decay: float
    ema: float
    clip: float = 1.0
    save_minutes: float = 2.0
    validate_minutes: float = 2.0


class Run(ABC, Generic[Network]):
    """A network on its way, kept in `folder`: checkpoint.pt and steps.csv.

    Parameters
    ----------
    plan : of a resumed run the budget and rates may differ from before
    folder : made when absent; an unfinished run in it is resumed
    model, optimiser : as they are at the start of a new run
    init : checkpoint whose averaged tensors of equal name and shape are the start of a new run
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        model: Network,
        optimiser: torch.optim.Optimizer,
        init: Path | None = None,
    ) -> None:
        resumed = (folder / "checkpoint.pt").exists()
        if init is not None and not resumed:
            count = checkpoint.load_matching(model, checkpoint.load(init)["ema"])
            log.info("took %d tensors from %s", count, init)
        self.plan, self.folder = plan, folder
        self.model, self.optimiser, self.average = model, optimiser, Average(model)
        self.step, self.elapsed = 0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        if resumed:
            self._resume()

    @abstractmethod
    def train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """One update by `learn`; what is worth a column of the log, ``loss`` and perhaps ``dsc`` among it."""

    @abstractmethod
    def check(self) -> None:
        """Validate the averaged weights."""

    def describe(self) -> Mapping[str, Any]:
        """What else the checkpoint should hold."""
        return {}

    def _resume(self) -> None:
        state = checkpoint.load(self.folder / "checkpoint.pt")
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimizer"])
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
        }
        checkpoint.save(self.folder / "checkpoint.pt", state | dict(self.describe()))

    @property
    def progress(self) -> float:
        """Spent share of the budget."""
        if self.plan.steps:
            return self.step / self.plan.steps
        return self.elapsed / (60 * self.plan.minutes)

    @property
    def rate(self) -> float:
        """The learning rate of the next update."""
        return self.plan.lr * rate_factor(self.progress, self.plan.warmup, self.plan.decay)

    def learn(self, loss: Tensor) -> None:
        """One update of the network and its average."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        self.optimiser.step()
        self.step += 1
        self.average.update(self.model, ema_decay(self.step, self.plan.ema))

    def go(self, batches: Callable[[], dict[str, Tensor]]) -> None:
        """Train until the budget is spent; saving and validating count as time."""
        last = saved = checked = time.monotonic()
        sums: dict[str, float] = {}
        count = 0  # a resumed run may begin in the middle of a row
        while self.progress < 1:
            values = self.train_step(batches())
            now = time.monotonic()
            self.elapsed, last = self.elapsed + now - last, now
            sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
            count += 1
            if self.step % _LOG_EVERY == 0:
                self._log({name: value / count for name, value in sums.items()})
                sums, count = {}, 0
            if now - saved > 60 * self.plan.save_minutes:
                self.save()
                saved = now
            if now - checked > 60 * self.plan.validate_minutes:
                self.check()
                checked = time.monotonic()
        self.save()
        self.check()

    def _log(self, row: dict[str, float]) -> None:
        append_row(self.folder / "steps.csv", {"step": self.step, "minutes": self.elapsed / 60} | row)
        shown = " ".join(f"{name} {row[name]:.3f}" for name in ("loss", "dsc") if name in row)
        log.info("%6d %6.1f min %s", self.step, self.elapsed / 60, shown)
