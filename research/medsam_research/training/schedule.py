"""The learning rate as a function of how much of the budget is spent, and the decay of the averaged weights."""

from __future__ import annotations

__all__ = ["ema_decay", "rate_factor"]


def rate_factor(progress: float, warmup: float, decay: float) -> float:
    """Warm-up, constant, then a linear fall to zero (WSD), as a factor of the peak rate.

    Parameters
    ----------
    progress : spent share of the budget, 0..1
    warmup, decay : shares of the budget at its start and end
    """
    rising = min(1.0, 0.02 + progress / warmup) if warmup > 0 else 1.0
    falling = min(1.0, max(0.0, 1.0 - progress) / decay) if decay > 0 else 1.0
    return min(rising, falling)


def ema_decay(step: int, final: float) -> float:
    """Short memory at first, so that the average forgets the random start."""
    return min(final, (1 + step) / (10 + step))
