"""Ctrl-C that cannot get lost: raised at once, and again at the next `check` if what ran just then swallowed it."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Interruption"]


class Interruption:
    """While entered in the main thread, remembers that the user interrupted.

    Python drops exceptions that are raised in finalisers and callbacks of the garbage collector, of which a Dask client
    runs many; an interruption that arrives there would be ignored and the cohort go on.
    """

    def __init__(self) -> None:
        self._came = False
        self._former: Any = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if the user interrupted since this was entered."""
        if self._came:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        raise KeyboardInterrupt
