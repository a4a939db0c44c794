"""What is read is never replaced: not by force, not through a link, by no command and not by the library."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cases import BRICK_BOX, brick, save
from dicom_series import write_series
from medsam_backends import NamedMask, OutputError, read_image, write_segmentation
from medsam_backends.cli.main import main
from PIL import Image

_PICTURE_BOX = ["5", "3", "22", "27"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: str) -> Path:
    """The current folder, with a volume and a picture."""
    monkeypatch.chdir(tmp_path)
    save(brick(), tmp_path / "ct.nrrd")
    Image.fromarray(brick()[6]).save("pic.png")
    return tmp_path


def itself(source: Path, target: Path) -> None:
    """No link: the name that was read."""


@pytest.mark.parametrize("link", [itself, os.link, os.symlink])
@pytest.mark.parametrize(
    ("image", "given", "ending"),
    [
        ("ct.nrrd", ["--box", *BRICK_BOX, "--output"], "nrrd"),
        ("pic.png", ["--box", *_PICTURE_BOX, "--output"], "png"),
        ("pic.png", ["--box", *_PICTURE_BOX, "--output", "o.nrrd", "--preview"], "png"),
    ],
)
def test_force_never_replaces_the_image(
    here: Path, capsys: pytest.CaptureFixture[str], link: Callable, image: str, given: list[str], ending: str
) -> None:
    before, written = (here / image).read_bytes(), here / (image if link is itself else f"link.{ending}")
    link(here / image, written)
    there = sorted(os.listdir(here))
    assert main(["segment", image, *given, str(written), "--force", "--model", "tiny"]) == 2
    assert f"{written} belongs to what is read, which is never replaced" in capsys.readouterr().err
    assert written.read_bytes() == before and sorted(os.listdir(here)) == there


def test_force_never_replaces_a_slice_of_a_dicom_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slices = sorted(write_series(here / "series", brick()[:5].astype(np.int16)).iterdir())
    before = slices[2].read_bytes()
    os.symlink(slices[2], here / "o.nrrd")
    given = ["series", "--box", "8", "6", "1", "19", "24", "3", "--force", "--model", "tiny"]
    assert main(["segment", *given, "--output", "o.nrrd"]) == 2
    assert "belongs to what is read" in capsys.readouterr().err and os.path.islink("o.nrrd")
    volume = read_image(here / "series")
    with pytest.raises(OutputError, match="belongs to what is read"):
        write_segmentation(slices[2], [NamedMask("a", brick()[:5] > 100)], volume, force=True)
    assert slices[2].read_bytes() == before


def test_the_library_never_replaces_the_image(here: Path) -> None:
    volume, before = read_image(here / "ct.nrrd"), (here / "ct.nrrd").read_bytes()
    with pytest.raises(OutputError, match="belongs to what is read"):
        write_segmentation(here / "ct.nrrd", [NamedMask("a", brick() > 100)], volume, force=True)
    assert (here / "ct.nrrd").read_bytes() == before


def test_the_demo_never_replaces_its_image(here: Path) -> None:
    (here / "demo").mkdir()
    (here / "pic.png").rename(here / "demo" / "preview.png")
    before = (here / "demo" / "preview.png").read_bytes()
    given = ["--image", "demo/preview.png", "--box", *_PICTURE_BOX, "--output", "demo", "--model", "tiny"]
    assert main(["demo", *given]) == 2
    assert (here / "demo" / "preview.png").read_bytes() == before


def test_a_batch_never_replaces_its_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"image,box\nct.nrrd,{' '.join(BRICK_BOX)}\n"
    (here / "batch.csv").write_text(text)
    assert main(["batch", "batch.csv", "--output", ".", "--model", "tiny", "--workers", "0"]) == 2
    assert "batch.csv belongs to what is read" in capsys.readouterr().err
    assert (here / "batch.csv").read_text() == text


def test_an_evaluation_never_replaces_its_boxes_or_cases(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = here / "out" / "predictions" / "ellipse", here / "out"
    data.mkdir(parents=True)
    np.savez(data / "2DBox_US_a_1.npz", imgs=brick()[6], gts=(brick()[6] == 200).astype(np.uint8))
    before = (data / "2DBox_US_a_1.npz").read_bytes()
    given = ["evaluate", str(data), "--model", "ellipse", "--output", str(out)]
    assert main([*given, "--save-predictions"]) == 2
    assert "2DBox_US_a_1.npz belongs to what is read" in capsys.readouterr().err
    assert (data / "2DBox_US_a_1.npz").read_bytes() == before
    text = "case,label,x0,y0,x1,y1\n2DBox_US_a_1,1,8,6,20,25\n"
    (out / "summary.csv").write_text(text)
    assert main([*given, "--table", str(out / "summary.csv")]) == 2
    assert (out / "summary.csv").read_text() == text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file's size")
def test_results_come_together_or_not_at_all(here: Path) -> None:
    import resource

    (here / "r.json").write_text("before")
    given = ["segment", "ct.nrrd", "--box", *BRICK_BOX, "--model", "tiny", "--force", "--threads", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "medsam_backends", *given, "--report", "r.json", "--preview", "p.png"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2 and "p.png could not be written (File too large): what was there" in done.stderr
    assert sorted(os.listdir(here)) == ["ct.nrrd", "pic.png", "r.json"]
    assert (here / "r.json").read_text() == "before"
