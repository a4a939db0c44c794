"""Slices that are expected: encoded and decoded ahead where cores allow, several to a call where the model gains by it.

Knows nothing of volumes: it is told how to get an embedding and how to decode.
"""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from .runtimes import usable_cores
from .types import Embedding, Prediction, Prompt

__all__ = ["Ahead", "Ask"]


@dataclass(eq=False)
class Ask:
    """A prompt on a slice.

    Attributes
    ----------
    embed : gets the slice's embedding, from the cache or made
    encoding : the embedding that another thread makes; None when that is left to whoever decodes
    """

    prompt: Prompt
    embed: Callable[[], Embedding]
    encoding: Future[Embedding] | None = None
    answer: Future[Prediction] = field(default_factory=Future)

    @property
    def ready(self) -> bool:
        """Whether it is not answered yet and need not wait for another thread."""
        return not self.answer.done() and (self.encoding is None or self.encoding.done())

    def embedding(self) -> Embedding:
        """Waits for the other thread, if there is one."""
        return self.embed() if self.encoding is None else self.encoding.result()


class Ahead:
    """What is expected of one model, on all views of a volume; used by one thread, works in others.

    Parameters
    ----------
    at_once, batch : see `Backend`
    decode : segments an object each on several embeddings
    """

    def __init__(
        self, at_once: int, batch: int, decode: Callable[[Sequence[tuple[Embedding, Prompt]]], list[Prediction]]
    ) -> None:
        self._at_once, self._batch, self._decode = at_once, batch, decode
        self._asks: dict[Hashable, Ask] = {}
        self._waiting: deque[Ask] = deque()
        self._lock = threading.Lock()

    def expect(self, key: Hashable, prompt: Prompt, embed: Callable[[], Embedding], cached: bool) -> None:
        """A slice will be asked for `prompt` soon: work on it begins where there is a core for it.

        Of a model that can work on several slices at once, all is done ahead, else the slice is encoded.  Nothing
        happens when there is enough to do already.
        """
        if key in self._asks or len(self._asks) >= 2 * self._at_once * self._batch:
            return
        ask = Ask(prompt, embed)
        if self._at_once > 1:
            self._waiting.append(ask)
            _threads(self._at_once).submit(self._work)
        elif usable_cores() > 1 and not cached:
            ask.encoding = _threads(1).submit(embed)
        elif self._batch == 1:
            return
        self._asks[key] = ask

    def take(self, key: Hashable) -> Ask | None:
        """What was expected of a slice, which is now being asked for."""
        return self._asks.pop(key, None)

    def answer(self, ask: Ask) -> Prediction:
        """The answer to what was taken; raises what went wrong on its slice."""
        if self._at_once == 1 and not ask.answer.done():
            ready = [other for other in self._asks.values() if other.ready]
            self._settle([ask, *ready[: self._batch - 1]])
        return ask.answer.result()

    def forget(self) -> None:
        """Give up what is not being worked on yet."""
        with self._lock:
            self._waiting.clear()
        for ask in self._asks.values():
            if ask.encoding is not None:
                ask.encoding.cancel()
        self._asks.clear()

    def _work(self) -> None:
        """One thread's next share of what waits: small when little does, so that all threads end together."""
        with self._lock:
            count = min(self._batch, -(-len(self._waiting) // self._at_once))
            asks = [self._waiting.popleft() for _ in range(count)]
        self._settle(asks)

    def _settle(self, asks: list[Ask]) -> None:
        """Answer `asks` in one call; what goes wrong is raised where the answer is looked at."""
        made: list[tuple[Ask, Embedding]] = []
        for ask in asks:
            try:
                made.append((ask, ask.embedding()))
            except Exception as error:
                ask.answer.set_exception(error)
        if not made:
            return
        try:
            predictions = self._decode([(embedding, ask.prompt) for ask, embedding in made])
        except Exception as error:
            for ask, _ in made:
                ask.answer.set_exception(error)
            return
        for (ask, _), prediction in zip(made, predictions, strict=True):
            ask.answer.set_result(prediction)


@functools.cache
def _threads(count: int) -> ThreadPoolExecutor:
    """The threads that work ahead, whatever volumes are at work."""
    return ThreadPoolExecutor(count, "MedSAMLite ahead")
