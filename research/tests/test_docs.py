"""The page on adding a model: its export runs as printed, and the folder segments."""

import re
from pathlib import Path

import numpy as np
from medsam_backends.folder_backend import open_folder
from medsam_backends.types import Prompt

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models" / "add-a-model.md"


def test_the_exported_folder_segments(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [code] = [block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S) if "torch" in block]
    exec(compile(code, PAGE.name, "exec"), {"__name__": "page"})
    model = open_folder(tmp_path / "my-model", threads=1)
    [found] = model.decode(model.encode(np.zeros((128, 100), np.uint8)), [Prompt((20, 30, 60, 90))])
    box = np.zeros((128, 100), bool)
    box[30:90, 20:60] = True
    assert (found.mask != box).sum() <= 2 * (40 + 60) * 2  # half a cell of the decoder's grid on each side
