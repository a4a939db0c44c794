"""An exponential moving average of a network's weights and normalisation statistics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Average"]


class Average:
    """Averaged copy of `model`'s state.

    Parameters
    ----------
    model : the network in training
    """

    def __init__(self, model: nn.Module) -> None:
        self.state: dict[str, Tensor] = {name: value.clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, decay: float) -> None:
        """Move towards the current state by ``1 - decay``; counters are copied."""
        new = model.state_dict()
        names = [name for name, value in new.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.state[n] for n in names], [new[n] for n in names], 1 - decay)
        for name in new.keys() - set(names):
            self.state[name].copy_(new[name])
