"""The processes of a Dask cluster as a crew, one model loaded in each; needs the package `distributed`."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask
from dask.system import CPU_COUNT
from dask.utils import parse_bytes
from distributed import Client, Future, KilledWorker, LocalCluster, WorkerPlugin, as_completed, get_worker
from distributed import TimeoutError as DaskTimeoutError
from distributed.system import MEMORY_LIMIT

from ..errors import PromptError
from .worker import Attempt, CaseWorker, Order

__all__ = ["DaskCrew", "cluster_crew", "default_workers", "local_crew"]

_WAIT_S = 20
_LEAST_BYTES, _USUAL_BYTES = 500 * 10**6, 2 * 10**9
_CONFIG = {
    # A case whose worker died comes back at once: how often it is tried is decided by `run_cohort` alone.
    "distributed.scheduler.allowed-failures": 0,
    # No case waits at a worker that may die under another one.
    "distributed.scheduler.worker-saturation": 1.0,
    # What fills a worker is one image and its embeddings, which cannot be spilled; at the limit it is replaced.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
}


def default_workers(threads: int) -> int:
    """As many processes of `threads` threads as this computer, or what of it may be used, has cores and memory for."""
    return int(max(1, min(CPU_COUNT // threads, MEMORY_LIMIT // _USUAL_BYTES)))


@contextmanager
def local_crew(workers: int, memory_limit: str) -> Iterator[DaskCrew]:
    """A crew of `workers` processes on this computer, replaced when they die.

    Parameters
    ----------
    memory_limit : of each process, as Dask reads it ("4GB"); "auto" for an equal share of the computer's

    Raises
    ------
    PromptError
        If `memory_limit` is not understood, or less than a worker needs for anything at all.
    """
    _check(memory_limit)
    with (
        dask.config.set(_CONFIG),
        _no_tracebacks_at_the_end(),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory_limit,
            dashboard_address=None,
            silence_logs=logging.CRITICAL + 1,  # a message that Ctrl-C cuts is "critical" to the scheduler
        ) as cluster,
        Client(cluster) as client,
    ):
        yield DaskCrew(client, _CasePlugin(deaf=True))


@contextmanager
def _no_tracebacks_at_the_end() -> Iterator[None]:
    """Connections that a Ctrl-C cuts in the middle of a message are nothing that a user should read about."""
    loggers = [logging.getLogger(name) for name in ("asyncio", "tornado.application")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _check(memory_limit: str) -> None:
    try:
        enough = memory_limit == "auto" or parse_bytes(memory_limit) >= _LEAST_BYTES
    except ValueError:
        raise PromptError(f"The memory limit '{memory_limit}' is not understood: give 4GB.") from None
    if not enough:
        raise PromptError(f"A memory limit of {memory_limit} does not suffice for a worker: give 500MB at least.")


@contextmanager
def cluster_crew(address: str) -> Iterator[DaskCrew]:
    """The workers of the Dask scheduler at `address`; they must see the files under the same names.

    Raises
    ------
    PromptError
        If there is no scheduler, or it has no worker.
    """
    try:
        client = Client(address, timeout=_WAIT_S)
    except (OSError, ValueError) as error:
        raise PromptError(f"There is no Dask scheduler at {address} ({error}).") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_WAIT_S)
        except DaskTimeoutError:
            raise PromptError(f"The Dask scheduler at {address} has no workers: start some.") from None
        crew = DaskCrew(client, _CasePlugin())
        try:
            yield crew
        finally:
            client.unregister_worker_plugin(crew.name)  # frees the models


class _CasePlugin(WorkerPlugin):
    """What every worker gets, also one that joins later: its `CaseWorker`.

    Parameters
    ----------
    deaf : leave Ctrl-C, which a terminal sends to every process, to the one that gives the orders
    """

    def __init__(self, *, deaf: bool = False) -> None:
        self._deaf = deaf

    def setup(self, worker: Any) -> None:
        self.cases = CaseWorker()
        if self._deaf and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def teardown(self, worker: Any) -> None:
        self.cases.close()


class DaskCrew:
    """Hands orders to the workers of a Dask client."""

    def __init__(self, client: Client, plugin: WorkerPlugin) -> None:
        self.name = f"medsamlite-{client.id}"  # others may use the same cluster
        client.register_plugin(plugin, name=self.name)
        self._client = client
        self._orders: dict[Future[Attempt], Order] = {}
        self._done = as_completed([], loop=client.loop)
        self._count = 0

    def submit(self, order: Order) -> None:
        """Take an order."""
        self._count += 1
        future = self._client.submit(
            _segment, order, self.name, key=f"{self.name}-{self._count}", pure=False, retries=0
        )
        self._orders[future] = order
        self._done.add(future)

    def next(self) -> tuple[Order, Attempt]:
        """Wait for an order to be done."""
        future = next(self._done)
        order = self._orders.pop(future)
        if future.status == "finished":
            return order, future.result()
        error = future.exception() if future.status == "error" else None
        return order, Attempt(None, _reason(error), transient=True)


def _segment(order: Order, name: str) -> Attempt:
    """Runs on a worker, with what the plugin called `name` keeps there."""
    plugins: dict[str, Any] = get_worker().plugins
    cases: CaseWorker = plugins[name].cases
    return cases.segment(order)


def _reason(error: BaseException | None) -> str:
    if isinstance(error, KilledWorker):
        return "The worker process died over it: it was killed, or the case needs more than --memory-limit."
    return f"The cluster lost it ({type(error).__name__}: {error})."
