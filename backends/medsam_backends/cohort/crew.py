"""Who does the work: this process alone, or the processes of a Dask cluster; both answer order by order."""

from __future__ import annotations

from collections import deque
from importlib import util
from typing import Protocol

from ..errors import PromptError
from .worker import Attempt, CaseWorker, Order

__all__ = ["Crew", "SingleCrew", "check_dask"]


class Crew(Protocol):
    """Takes orders and gives back attempts, in any order."""

    def submit(self, order: Order) -> None:
        """Take an order."""

    def next(self) -> tuple[Order, Attempt]:
        """Wait for an order to be done; there must be one."""


class SingleCrew:
    """Works in this process, while it is waited for."""

    def __init__(self) -> None:
        self._worker = CaseWorker()
        self._orders: deque[Order] = deque()

    def submit(self, order: Order) -> None:
        """Take an order."""
        self._orders.append(order)

    def next(self) -> tuple[Order, Attempt]:
        """Do the oldest order."""
        order = self._orders.popleft()
        return order, self._worker.segment(order)


def check_dask() -> None:
    """Raise `PromptError` unless there is Dask."""
    if util.find_spec("distributed") is None:
        raise PromptError(
            "Several workers need Dask: pip install 'dask[distributed]', or work in one process by --workers 0."
        )
