"""``python -m benchmarks.page RESULTS``: puts the table and the plots of a run into ``docs/speed.md``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .processes import ROOT

__all__ = ["insert", "main"]

BEGIN, END = "<!-- the last run begins -->", "<!-- the last run ends -->"
_PAGE, _PLOTS = ROOT / "docs" / "speed.md", ROOT / "docs" / "speed"


def main() -> None:
    """Replace what the page shows of the run before."""
    results = Path(sys.argv[1])
    _PLOTS.mkdir(exist_ok=True)
    for plot in results.glob("*.png"):
        shutil.copy(plot, _PLOTS / plot.name)
    table = (results / "speed.md").read_text("utf-8")
    _PAGE.write_text(insert(_PAGE.read_text("utf-8"), table), "utf-8")


def insert(page: str, table: str) -> str:
    """The page with `table`, its headings a level lower, between the two marks."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"The page lacks {BEGIN} or {END}.")
    lowered = table.replace("\n## ", "\n### ")
    return f"{before}{BEGIN}\n\n{lowered.strip()}\n\n{END}{after}"


if __name__ == "__main__":
    main()
