"""Section: what it takes to import the package and what it stands on, before any work is done."""

from __future__ import annotations

import re
import sys
from functools import partial

from .plan import Plan
from .processes import environment, run
from .results import Results
from .timing import interleaved

__all__ = ["measure"]

_STATEMENTS = {
    "python itself": "pass",
    "numpy": "import numpy",
    "onnxruntime": "import onnxruntime",
    "SimpleITK": "import SimpleITK",
    "medsam_backends": "import medsam_backends",
    "medsamlite segment": "from medsam_backends import segmentation_run; from medsam_backends.cli import main, segment",
}
_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( *)(\S+)")


def measure(plan: Plan, results: Results) -> None:
    """Time processes that import one thing each, and list the modules that take longest within a segmentation's."""
    tasks = {f"startup/{name}": partial(_process, text) for name, text in _STATEMENTS.items()}
    results.timings |= interleaved(tasks, plan.effort.repeats, plan.effort.budget_s)
    text = _STATEMENTS["medsamlite segment"] + "; import onnxruntime, SimpleITK"
    told = run([sys.executable, "-X", "importtime", "-c", text], environment()).output
    own: dict[str, float] = {}
    for match in _LINE.finditer(told):
        package = match[4].split(".")[0]
        own[package] = own.get(package, 0.0) + int(match[1]) / 1e6
    results.facts["import_s"] = dict(sorted(own.items(), key=lambda pair: -pair[1])[:12])


def _process(statement: str) -> float:
    return run([sys.executable, "-c", statement], environment()).seconds
