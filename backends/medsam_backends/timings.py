"""Counts what encoding and decoding take, in however many threads at once.  Knows nothing of models."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Stopwatch", "Timings"]


@dataclass(frozen=True)
class Timings:
    """Seconds spent, and how often.

    Attributes
    ----------
    encode_s, decode_s : added up over all threads
    busy_s : during which at least one thread encoded or decoded
    """

    encode_s: float = 0.0
    decode_s: float = 0.0
    encodes: int = 0
    decodes: int = 0
    busy_s: float = 0.0

    def __add__(self, other: Timings) -> Timings:
        """Both together."""
        return Timings(
            self.encode_s + other.encode_s,
            self.decode_s + other.decode_s,
            self.encodes + other.encodes,
            self.decodes + other.decodes,
            self.busy_s + other.busy_s,
        )

    def __sub__(self, earlier: Timings) -> Timings:
        """What was spent since `earlier`."""
        return Timings(
            self.encode_s - earlier.encode_s,
            self.decode_s - earlier.decode_s,
            self.encodes - earlier.encodes,
            self.decodes - earlier.decodes,
            self.busy_s - earlier.busy_s,
        )


class Stopwatch:
    """Adds up `Timings`; what fails is not counted, but for the time in which threads were busy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent = Timings()
        self._running = 0
        self._since = 0.0

    @property
    def spent(self) -> Timings:
        """All so far."""
        with self._lock:
            return self._spent

    @contextmanager
    def encoding(self) -> Iterator[None]:
        """Counts one encode."""
        with self._busy() as started:
            yield
            self._add(Timings(encode_s=time.perf_counter() - started, encodes=1))

    @contextmanager
    def decoding(self, prompts: int) -> Iterator[None]:
        """Counts a decode of each of so many prompts."""
        with self._busy() as started:
            yield
            self._add(Timings(decode_s=time.perf_counter() - started, decodes=prompts))

    @contextmanager
    def _busy(self) -> Iterator[float]:
        started = time.perf_counter()
        with self._lock:
            if not self._running:
                self._since = started
            self._running += 1
        try:
            yield started
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._spent += Timings(busy_s=time.perf_counter() - self._since)

    def _add(self, spent: Timings) -> None:
        with self._lock:
            self._spent += spent
