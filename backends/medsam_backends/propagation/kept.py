"""What a rule keeps of an object, so that a correction need not begin anew.  Knows nothing of objects and rules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

__all__ = ["Kept"]


class Kept:
    """Things by key, bounded in bytes, least recently put first out; for one thread.

    Parameters
    ----------
    max_bytes : of all things together; 0 keeps nothing
    """

    def __init__(self, max_bytes: int = 64 * 2**20) -> None:
        self.max_bytes = max_bytes
        self._things: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._bytes = 0

    def take(self, key: Hashable) -> object | None:
        """What was put under `key`, None if it is not held; it is held no more until it is put back."""
        thing, size = self._things.pop(key, (None, 0))
        self._bytes -= size
        return thing

    def put(self, key: Hashable, thing: object, size_bytes: int) -> None:
        """Hold a thing of that size under `key`, unless it is larger than the bound."""
        self.take(key)
        if size_bytes > self.max_bytes:
            return
        self._things[key], self._bytes = (thing, size_bytes), self._bytes + size_bytes
        while self._bytes > self.max_bytes:
            self.take(next(iter(self._things)))
