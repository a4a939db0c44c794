"""A model over the slices of one volume: intensities on demand, each slice encoded once, all of it timed."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .backend import Backend
from .boxes import Axis
from .cache import EmbeddingCache
from .errors import Cancelled
from .intensity import IntensityTransform
from .runtimes import usable_cores
from .slices import SliceStack
from .types import Embedding, Prediction, Prompt

if TYPE_CHECKING:
    from .disk_store import DiskStore

__all__ = ["Timings", "VolumeSlices"]


@dataclass(frozen=True)
class Timings:
    """Seconds spent, and how often."""

    encode_s: float = 0.0
    decode_s: float = 0.0
    encodes: int = 0
    decodes: int = 0

    def __add__(self, other: Timings) -> Timings:
        """Both together."""
        return Timings(
            self.encode_s + other.encode_s,
            self.decode_s + other.decode_s,
            self.encodes + other.encodes,
            self.decodes + other.decodes,
        )

    def __sub__(self, earlier: Timings) -> Timings:
        """What was spent since `earlier`."""
        return Timings(
            self.encode_s - earlier.encode_s,
            self.decode_s - earlier.decode_s,
            self.encodes - earlier.encodes,
            self.decodes - earlier.decodes,
        )


class VolumeSlices:
    """Implements `propagation.SliceModel` for a backend, a stack of slices and a cache.

    Parameters
    ----------
    fingerprint : identifies the voxels in the cache; must change when they do.  Empty: unique to
        this object, so that embeddings are shared by nothing else.
    cancelled : asked before every prediction

    Attributes
    ----------
    store : where embeddings are kept between runs; None for nowhere
    """

    def __init__(
        self,
        backend: Backend,
        stack: SliceStack,
        transform: IntensityTransform,
        cache: EmbeddingCache,
        fingerprint: str = "",
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._backend = backend
        self._stack = stack
        self._transform = transform
        self._cache = cache
        self._fingerprint = fingerprint or os.urandom(16).hex()
        self.cancelled = cancelled
        self.store: DiskStore | None = None
        self._pictures: dict[int, NDArray[np.generic]] = {}
        self._spent = Timings()
        self._clock = threading.Lock()
        self._coming: dict[int, Future[Embedding]] = {}
        self._views: dict[Axis, VolumeSlices] = {}

    @property
    def axis(self) -> Axis:
        """The axis that the slices are stacked along."""
        return self._stack.axis

    def view(self, axis: Axis) -> VolumeSlices:
        """The same volume, model, cache and clock along another axis."""
        if axis == self.axis:
            return self
        if axis not in self._views:
            stack = SliceStack(self._stack.array, axis, self._stack.rgb)
            view = VolumeSlices(self._backend, stack, self._transform, self._cache, self._fingerprint)
            view.cancelled = lambda: self.cancelled()
            view.store = self.store
            self._views[axis] = view
        return self._views[axis]

    @property
    def timings(self) -> Timings:
        """What was spent so far, on this axis and the views of others."""
        return sum((view.timings for view in self._views.values()), self._spent)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns)."""
        return self._stack.shape

    @property
    def prompts(self) -> frozenset[str]:
        """Which parts of a prompt the model uses."""
        return frozenset(self._backend.spec.prompts)

    @property
    def box_side(self) -> int:
        """Size of the network frame in which published rules carry boxes."""
        return self._backend.spec.box_side

    def key(self, index: int) -> tuple[object, ...]:
        """What the cache knows the embedding of a slice by."""
        axis = self._stack.axis
        return (self._fingerprint, axis, index, self._transform.key, self._backend.spec.identity)

    def picture(self, index: int) -> NDArray[np.generic]:
        """The slice as the encoder is given it, (H, W) or (H, W, 3) in [0, 255]."""
        if self._stack.rgb or self._backend.spec.channels == "grey":
            return self._transform.apply(self._stack.slice(index))
        beside = self._stack.neighbours(index)
        known = self._pictures  # slices are mostly asked for in a row, and share two neighbours of three
        now = {n: known[n] if n in known else self._transform.apply(self._stack.slice(n)) for n in beside}
        self._pictures = now
        return np.moveaxis(np.stack([now[n] for n in beside]), 0, -1)

    def embedding(self, index: int) -> Embedding:
        """The embedding of a slice, from the cache or made now."""
        return self._cache.get_or_make(self.key(index), lambda: self._encode(index))

    def expect(self, index: int) -> None:
        """Slice `index` will be asked for soon: it is encoded meanwhile where there is a second core.

        At most one slice is encoded at a time this way; what goes wrong is raised when the slice is asked for.
        """
        known = index in self._coming or self.key(index) in self._cache
        if not known and not self.cancelled() and usable_cores() > 1:
            self._coming[index] = _other_thread().submit(self.embedding, index)

    def forget_expected(self) -> None:
        """Give up what was expected and is not being encoded yet, on this axis and the views of others."""
        while self._coming:
            self._coming.popitem()[1].cancel()
        for view in self._views.values():
            view.forget_expected()

    def predict(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        """Segment the objects of `prompts` on a slice.

        Raises
        ------
        Cancelled
            If the user cancelled.
        """
        if self.cancelled():
            raise Cancelled("Cancelled: nothing was changed.")
        coming = self._coming.pop(index, None)
        embedding = self.embedding(index) if coming is None else coming.result()
        start = time.perf_counter()
        predictions = self._backend.decode(embedding, prompts)
        self._count(Timings(decode_s=time.perf_counter() - start, decodes=len(prompts)))
        return predictions

    def _encode(self, index: int) -> Embedding:
        start = time.perf_counter()
        picture = self.picture(index)
        name = self.store.name(picture, self._backend.spec.identity) if self.store else ""
        kept = self.store.get(name) if self.store else None
        if kept is not None:
            return kept
        embedding = self._backend.encode(picture)
        if self.store:
            self.store.put(name, embedding)
        self._count(Timings(encode_s=time.perf_counter() - start, encodes=1))
        return embedding

    def _count(self, spent: Timings) -> None:
        with self._clock:
            self._spent += spent


@functools.cache
def _other_thread() -> ThreadPoolExecutor:
    """The one thread that encodes ahead, whatever volumes are at work."""
    return ThreadPoolExecutor(1, "encode ahead")
