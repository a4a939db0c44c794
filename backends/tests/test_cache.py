"""The embedding cache: bounded, thread-safe, and without influence on results."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from medsam_backends.cache import CacheCounters, EmbeddingCache
from medsam_backends.types import Embedding


def embedding(size_bytes: int) -> Embedding:
    return Embedding("model@1", (4, 4), {"features": np.ones(size_bytes // 4, np.float32)})


def test_an_embedding_reads_what_a_model_kept_and_leaves_it_writable() -> None:
    picture = np.zeros((2, 2), np.uint8)
    kept = Embedding("model@1", (2, 2), {"picture": picture}).arrays["picture"]
    assert np.shares_memory(kept, picture) and not kept.flags.writeable and picture.flags.writeable


def maker(size_bytes: int, calls: list[int]) -> Callable[[], Embedding]:
    def make() -> Embedding:
        calls.append(size_bytes)
        return embedding(size_bytes)

    return make


def test_an_embedding_is_made_once() -> None:
    cache, calls = EmbeddingCache(100), []  # type: ignore[var-annotated]
    first = cache.get_or_make("a", maker(40, calls))
    assert cache.get_or_make("a", maker(40, calls)) is first
    assert calls == [40]
    assert "a" in cache
    assert cache.counters == CacheCounters(hits=1, misses=1, items=1, size_bytes=40, peak_bytes=40)


def test_the_least_recently_used_goes_first() -> None:
    cache = EmbeddingCache(100)
    for key in ("a", "b", "a", "c"):
        cache.get_or_make(key, lambda: embedding(40))
    assert ("a" in cache, "b" in cache, "c" in cache) == (True, False, True)
    assert cache.counters.evictions == 1


def test_what_is_discarded_makes_room_and_the_rest_stays() -> None:
    cache = EmbeddingCache(100)
    for key in ("a", "b"):
        cache.get_or_make(key, lambda: embedding(40))
    cache.discard(lambda key: key == "a")
    assert ("a" in cache, "b" in cache, cache.counters.size_bytes) == (False, True, 40)
    cache.get_or_make("c", lambda: embedding(60))
    assert "b" in cache and cache.counters.evictions == 0


def test_an_embedding_above_the_bound_is_returned_and_not_kept() -> None:
    cache, calls = EmbeddingCache(100), []  # type: ignore[var-annotated]
    cache.get_or_make("small", maker(40, calls))
    assert cache.get_or_make("large", maker(400, calls)).nbytes == 400
    assert ("small" in cache, "large" in cache) == (True, False)


def test_half_storage_answers_alike_on_hit_and_miss() -> None:
    cache = EmbeddingCache(100, half=True)
    made = cache.get_or_make("a", lambda: embedding(80))
    assert made.arrays["features"].dtype == np.float16
    assert cache.get_or_make("a", lambda: embedding(80)) is made
    assert cache.counters.size_bytes == 40


def test_clearing_drops_everything_and_keeps_counting() -> None:
    cache = EmbeddingCache(100)
    cache.get_or_make("a", lambda: embedding(40))
    cache.clear()
    assert cache.counters == CacheCounters(misses=1, peak_bytes=40)


def test_a_negative_bound_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        EmbeddingCache(-1)


def test_a_failure_reaches_the_caller_and_leaves_the_cache_usable() -> None:
    cache = EmbeddingCache(100)
    with pytest.raises(ZeroDivisionError):
        cache.get_or_make("a", lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert cache.get_or_make("a", lambda: embedding(40)).nbytes == 40


@pytest.mark.parametrize("bound", [100, 0])
def test_threads_that_ask_for_the_same_make_it_once(bound: int) -> None:
    cache, started, go = EmbeddingCache(bound), threading.Event(), threading.Event()
    calls: list[int] = []

    def slow() -> Embedding:
        calls.append(1)
        started.set()
        assert go.wait(5)
        return embedding(40)

    results: list[Embedding] = []
    threads = [threading.Thread(target=lambda: results.append(cache.get_or_make("a", slow))) for _ in range(4)]
    threads[0].start()
    assert started.wait(5)
    for thread in threads[1:]:
        thread.start()
    _until(lambda: all(thread.is_alive() for thread in threads))
    go.set()
    for thread in threads:
        thread.join(5)
    if bound:
        assert len(calls) == 1
    assert len(results) == 4
    assert cache.counters.hits + cache.counters.misses == 4


def test_a_waiting_thread_tries_itself_when_the_first_fails() -> None:
    cache, started, go = EmbeddingCache(100), threading.Event(), threading.Event()

    def failing() -> Embedding:
        started.set()
        assert go.wait(5)
        raise RuntimeError("cancelled")

    errors: list[Exception] = []

    def first() -> None:
        try:
            cache.get_or_make("a", failing)
        except RuntimeError as error:
            errors.append(error)

    results: list[Embedding] = []
    threads = [
        threading.Thread(target=first),
        threading.Thread(target=lambda: results.append(cache.get_or_make("a", lambda: embedding(40)))),
    ]
    threads[0].start()
    assert started.wait(5)
    threads[1].start()
    go.set()
    for thread in threads:
        thread.join(5)
    assert (len(errors), len(results)) == (1, 1)


@given(st.integers(0, 60), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), max_size=40))
def test_the_bound_always_holds_and_results_do_not_depend_on_it(bound: int, asked: list[tuple[int, int]]) -> None:
    cache = EmbeddingCache(bound)
    for key, quarter in asked:
        made = cache.get_or_make((key, quarter), lambda quarter=quarter: embedding(4 * quarter))  # type: ignore[misc]
        assert made.nbytes == 4 * quarter
        counters = cache.counters
        assert counters.size_bytes <= counters.peak_bytes <= bound
    assert cache.counters.hits + cache.counters.misses == len(asked)


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.001)
    raise AssertionError("waited too long")
