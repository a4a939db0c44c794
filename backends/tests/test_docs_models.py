"""The pages about models: their examples run as printed, and they name only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import numpy as np
import pytest
from medsam_backends import VolumeSegmenter, open_model, registry
from medsam_backends.boxes import VoxelBox
from medsam_backends.checkpoints import importable
from medsam_backends.cli.main import medsamlite
from medsam_backends.segmenter import Target

PAGES = Path(__file__).resolve().parents[2] / "docs" / "models"
TEXT = {page.name: page.read_text("utf-8") for page in PAGES.glob("*.md")}


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT[page], re.S | re.M)
    return [text for name, text in found if name == language]


def test_the_subclass_segments_a_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    [code] = [block for block in blocks("add-a-model.md", "python") if "register_backend" in block]
    exec(compile(code, "add-a-model.md", "exec"), {"__name__": "page"})
    volume = np.full((4, 30, 40), 20, np.uint8)
    volume[1:3, 10:20, 10:20] = 200
    segmenter = VolumeSegmenter(open_model("threshold"), volume, preset="none")
    [segment] = segmenter.segment([Target(VoxelBox(5, 5, 1, 24, 24, 2))], rule="litemedsam")
    assert np.array_equal(segment.full(volume.shape), volume == 200)


@pytest.mark.parametrize("page", TEXT)
def test_links_lead_somewhere(page: str) -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in TEXT[page].splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", TEXT[page]):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("http"):
            assert (PAGES / target.split("#")[0]).exists(), target


@pytest.mark.parametrize("page", ["from-checkpoint-to-slicer.md", "add-a-model.md"])
def test_commands_and_options_exist(page: str) -> None:
    context = click.Context(medsamlite)
    lines = [line for block in blocks(page, "") for line in block.splitlines() if line.startswith("medsamlite ")]
    assert lines
    for line in lines:
        words = line.split()[1:]
        command = medsamlite.get_command(context, words[0])
        if isinstance(command, click.Group):
            command = command.get_command(context, words[1])
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_every_importable_system_is_on_the_page() -> None:
    page = TEXT["from-checkpoint-to-slicer.md"].replace("`, `-l", "`, `medficientsam-l")
    assert all(f"`{system}`" in page for system in importable())
