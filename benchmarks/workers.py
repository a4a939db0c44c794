"""A process for each contender, kept alive between its turns, so that libraries and threads never mix."""

from __future__ import annotations

import json
import subprocess
import sys
from types import TracebackType
from typing import Any

from .processes import ROOT, environment

__all__ = ["Worker", "WorkerError"]


class WorkerError(RuntimeError):
    """A contender cannot run here; the message says why."""


class Worker:
    """A child process with one engine, see `engines.build`.

    Parameters
    ----------
    engine : kind and settings of the engine
    python : interpreter; this one by default

    Raises
    ------
    WorkerError
        If the engine cannot be built.
    """

    def __init__(self, engine: dict[str, Any], python: str = sys.executable) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            cwd=ROOT,
            text=True,
        )
        try:
            self.facts: dict[str, Any] = self._ask(engine)
        except BaseException:
            self.close()
            raise

    def time(self, part: str, at_least_s: float = 0.0, **arguments: Any) -> float:
        """Median seconds of a call of the engine's `part`, called again until `at_least_s` have passed."""
        answer = self._ask({"part": part, "at_least_s": at_least_s, "arguments": arguments})
        return float(answer["seconds"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"error": "its process ended"}
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
