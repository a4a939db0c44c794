"""The child's side of `workers.Worker`: builds an engine and times its parts, a JSON line for each request."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from .clock import now
from .engines import Part, build

__all__ = ["main"]


def main() -> None:
    """Serve requests until the parent closes the pipe."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for answers
    parts: dict[str, Part] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "kind" in request:
            started = now()

            def load(request: dict[str, Any] = request, started: float = started) -> dict[str, Any]:
                parts.update(build(request))
                return {"load_s": now() - started}

            _answer(answers, load)
        else:
            _answer(answers, lambda request=request: {"seconds": _time(parts[request["part"]], request)})


def _time(part: Part, request: dict[str, Any]) -> float:
    arguments, found, started = request["arguments"], [], time.perf_counter()
    while not found or time.perf_counter() - started < request["at_least_s"]:
        before = now()
        own = part(**arguments)
        found.append(now() - before if own is None else own)
    # The first of several calls finds the processor's caches full of another contender's data.
    return statistics.median(found[1:] or found)


def _answer(stream: TextIO, work: Callable[[], dict[str, Any]]) -> None:
    try:
        answer = work()
    except Exception as error:  # the parent reports whatever it is as the reason why a contender is left out
        answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
    stream.write(json.dumps(answer) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
