"""Embeddings kept in memory, least recently used first out, bounded in bytes.  Knows nothing of models."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from .types import Embedding

__all__ = ["CacheCounters", "EmbeddingCache"]


@dataclass(frozen=True)
class CacheCounters:
    """What a cache did so far.

    Attributes
    ----------
    hits, misses : requests answered from memory, and those that had to make the embedding
    evictions : embeddings dropped to keep the bound
    items, size_bytes : held now
    peak_bytes : the most that was ever held
    """

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    items: int = 0
    size_bytes: int = 0
    peak_bytes: int = 0


@dataclass(eq=False)
class _Pending:
    """An embedding that one thread is making and others wait for; `made` stays None if that failed."""

    done: threading.Event = field(default_factory=threading.Event)
    made: Embedding | None = None


class EmbeddingCache:
    """A bounded store of embeddings that several threads may use.

    Parameters
    ----------
    max_bytes : the arrays held never exceed this; 0 keeps nothing
    half : store float32 arrays as float16; then `get_or_make` always answers with the halved
        embedding, so that a result does not depend on what was in the cache
    """

    def __init__(self, max_bytes: int = 512 * 2**20, *, half: bool = False) -> None:
        if max_bytes < 0:
            raise ValueError(f"max_bytes is {max_bytes}: give 0 or more")
        self.max_bytes = max_bytes
        self.half = half
        self._lock = threading.Lock()
        self._items: OrderedDict[Hashable, Embedding] = OrderedDict()
        self._pending: dict[Hashable, _Pending] = {}
        self._hits = self._misses = self._evictions = self._bytes = self._peak = 0

    def get_or_make(self, key: Hashable, make: Callable[[], Embedding]) -> Embedding:
        """The embedding of `key`; calls `make` if it is not held, once however many threads ask.

        An embedding larger than the bound is returned and not kept.  What `make` raises goes to the
        thread that called it; another thread waiting for the same key then tries itself.
        """
        while True:
            with self._lock:
                if key in self._items:
                    self._items.move_to_end(key)
                    self._hits += 1
                    return self._items[key]
                pending = self._pending.get(key)
                if pending is None:
                    own = self._pending[key] = _Pending()
                    self._misses += 1
                    break
            pending.done.wait()
            if pending.made is not None:
                with self._lock:
                    self._hits += 1
                return pending.made
        return self._make(key, make, own)

    def _make(self, key: Hashable, make: Callable[[], Embedding], own: _Pending) -> Embedding:
        try:
            made = make()
            own.made = made.halved() if self.half else made
        finally:
            with self._lock:
                del self._pending[key]
                if own.made is not None:
                    self._keep(key, own.made)
            own.done.set()
        return own.made

    def _keep(self, key: Hashable, embedding: Embedding) -> None:
        if embedding.nbytes > self.max_bytes:
            return
        while self._bytes + embedding.nbytes > self.max_bytes:
            _, dropped = self._items.popitem(last=False)
            self._bytes -= dropped.nbytes
            self._evictions += 1
        self._items[key] = embedding
        self._bytes += embedding.nbytes
        self._peak = max(self._peak, self._bytes)

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._items

    @property
    def counters(self) -> CacheCounters:
        """A snapshot."""
        with self._lock:
            return CacheCounters(self._hits, self._misses, self._evictions, len(self._items), self._bytes, self._peak)

    def discard(self, is_unwanted: Callable[[Hashable], bool]) -> None:
        """Drop the embeddings of the keys that are not wanted any more."""
        with self._lock:
            for key in [key for key in self._items if is_unwanted(key)]:
                self._bytes -= self._items.pop(key).nbytes

    def clear(self) -> None:
        """Drop every embedding; the counters go on."""
        with self._lock:
            self._items.clear()
            self._bytes = 0
