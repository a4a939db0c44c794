"""A model over the slices of one volume: intensities on demand, each slice encoded once, several at once, all timed."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .ahead import Ahead
from .backend import Backend
from .boxes import Axis
from .cache import EmbeddingCache
from .errors import Cancelled
from .intensity import IntensityTransform
from .propagation.kept import Kept
from .slices import SliceStack
from .timings import Stopwatch, Timings
from .types import Embedding, Prediction, Prompt

if TYPE_CHECKING:
    from .disk_store import DiskStore
    from .propagation.base import CubeView, Fusion

__all__ = ["VolumeSlices"]

_TURNS: WeakKeyDictionary[Backend, AbstractContextManager[object]] = WeakKeyDictionary()
"""Held while a backend encodes, whatever the volume: most must not do so in two threads at once."""


class VolumeSlices:
    """Implements `propagation.SliceModel` for a backend, a stack of slices and a cache.

    Parameters
    ----------
    fingerprint : identifies the voxels in the cache; must change when they do.  Empty: unique to
        this object, so that embeddings are shared by nothing else.

    Attributes
    ----------
    cancelled : asked before every prediction; says no until it is replaced
    store : where embeddings are kept between runs; None for nowhere
    kept : what rules keep of the objects that they worked on last
    """

    def __init__(
        self,
        backend: Backend,
        stack: SliceStack,
        transform: IntensityTransform,
        cache: EmbeddingCache,
        fingerprint: str = "",
    ) -> None:
        self._backend = backend
        self._stack = stack
        self._transform = transform
        self._cache = cache
        self._fingerprint = fingerprint or os.urandom(16).hex()
        self.cancelled: Callable[[], bool] = lambda: False
        self.store: DiskStore | None = None
        self._pictures: dict[int, NDArray[np.uint8]] = {}
        self._clock = Stopwatch()
        self._turn = _TURNS.setdefault(backend, nullcontext() if backend.at_once > 1 else threading.Lock())
        self._ahead = Ahead(backend.at_once, backend.batch, self._decode_many)
        self._views: dict[Axis, VolumeSlices] = {}
        self.kept = Kept()

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
            view._clock, view._ahead = self._clock, self._ahead
            self._views[axis] = view
        return self._views[axis]

    @property
    def timings(self) -> Timings:
        """What was spent so far, on this axis and the views of others."""
        return self._clock.spent

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

    def picture(self, index: int) -> NDArray[np.uint8]:
        """The slice as the encoder is given it, (H, W) or (H, W, 3) uint8."""
        if self._stack.rgb or self._backend.spec.channels == "grey":
            return self._transform.to_bytes(self._stack.slice(index))
        beside = self._stack.neighbours(index)
        known = self._pictures  # slices are mostly asked for in a row, and share two neighbours of three
        now = {n: known[n] if n in known else self._transform.to_bytes(self._stack.slice(n)) for n in beside}
        self._pictures = now
        return np.moveaxis(np.stack([now[n] for n in beside]), 0, -1)

    @property
    def fusion(self) -> Fusion | None:
        """The model's fusion network, its time counted as decoding; None where it has none."""
        network = self._backend.fusion
        return None if network is None else _Timed(network, self._clock)

    def plane(self, index: int) -> NDArray[np.uint8]:
        """The slice alone, (H, W) uint8, colours as their mean.

        Raises
        ------
        Cancelled
            If the user cancelled.
        """
        self.check_cancelled()
        picture = self._transform.to_bytes(self._stack.slice(index))
        return picture if picture.ndim == 2 else picture.mean(axis=2).astype(np.uint8)

    def embedding(self, index: int) -> Embedding:
        """The embedding of a slice, from the cache or made now."""
        return self._cache.get_or_make(self.key(index), lambda: self._encode(index))

    def expect(self, index: int, prompt: Prompt) -> None:
        """Slice `index` will be asked for `prompt` soon: work on it begins where there is a core for it.

        What goes wrong is raised when the slice is asked for.
        """
        if not self.cancelled():
            embed = functools.partial(self._embedding_unless_cancelled, index)
            self._ahead.expect((self.axis, index, prompt.box), prompt, embed, self.key(index) in self._cache)

    def forget_expected(self) -> None:
        """Give up what was expected and is not being worked on yet, on this axis and the views of others."""
        self._ahead.forget()

    def predict(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        """Segment the objects of `prompts` on a slice.

        Raises
        ------
        Cancelled
            If the user cancelled.
        """
        expected = self._ahead.take((self.axis, index, prompts[0].box) if prompts else None)
        self.check_cancelled()
        if expected is None:
            return self._decode(self.embedding(index), prompts)
        if len(prompts) == 1 and expected.prompt.asks_like(prompts[0]):
            return [self._ahead.answer(expected)]
        return self._decode(expected.embedding(), prompts)

    def _embedding_unless_cancelled(self, index: int) -> Embedding:
        self.check_cancelled()
        return self.embedding(index)

    def _decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Prediction]:
        with self._clock.decoding(len(prompts)):
            return self._backend.decode(embedding, prompts)

    def _decode_many(self, asks: Sequence[tuple[Embedding, Prompt]]) -> list[Prediction]:
        self.check_cancelled()
        with self._clock.decoding(len(asks)):
            return self._backend.decode_many(asks)

    def _encode(self, index: int) -> Embedding:
        if self.store is None:
            with self._turn, self._clock.encoding():
                return self._backend.encode(self.picture(index))
        picture = self.picture(index)
        name = self.store.name(picture, self._backend.spec.identity)
        kept = self.store.get(name)
        if kept is not None:
            return kept
        with self._turn, self._clock.encoding():
            embedding = self._backend.encode(picture)
        self.store.put(name, embedding)
        return embedding

    def check_cancelled(self) -> None:
        """Raise `Cancelled` if the user cancelled."""
        if self.cancelled():
            raise Cancelled("Cancelled: nothing was changed.")


class _Timed:
    """A fusion network on a clock."""

    def __init__(self, network: Fusion, clock: Stopwatch) -> None:
        self.grid, self.scale = network.grid, network.scale
        self._network, self._clock = network, clock

    def __call__(self, seen: CubeView) -> NDArray[np.float32]:
        with self._clock.decoding(0):
            return self._network(seen)
