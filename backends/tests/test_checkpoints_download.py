"""Downloads against a real server: only the recorded file is kept, a broken connection is taken up, nothing is left."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from file_server import FileServer
from medsam_backends.checkpoints import download as module
from medsam_backends.checkpoints.catalogue import PublishedFile
from medsam_backends.checkpoints.download import check_identity, download, git_blob_id
from medsam_backends.errors import Cancelled, ModelError, OutputError

CONTENT = np.random.default_rng(0).bytes(300_000)


def published(server: FileServer, content: bytes = CONTENT, size: int = 0) -> PublishedFile:
    """`content` recorded by git's name for it, to be had from the server."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return PublishedFile("model.pth", git_blob=blob, size=size, url=server.url)


def fetch(server: FileServer, folder: Path, **options: object) -> bytes:
    with server.running():
        download(published(server), folder / "model.pth", pause_s=0.01, **options)
    assert os.listdir(folder) == ["model.pth"]
    return (folder / "model.pth").read_bytes()


def refusal(server: FileServer, folder: Path, size: int = 0) -> str:
    with server.running(), pytest.raises(ModelError) as caught:
        download(published(server, size=size), folder / "model.pth", pause_s=0.01)
    assert os.listdir(folder) == []
    return str(caught.value)


def test_git_names_content_as_git_does(tmp_path: Path) -> None:
    examples = {b"": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}
    examples[b"what is up, doc?"] = "bd9dbf5aae1a3862dd1526723246b20206e5fc37"  # Pro Git, section 10.2
    for content, name in examples.items():
        (tmp_path / "file").write_bytes(content)
        assert git_blob_id(tmp_path / "file") == name


def test_the_recorded_file_comes_whole_and_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    assert fetch(FileServer(CONTENT), tmp_path, progress=lambda *at: told.append(at)) == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT)) and told == sorted(told) and len(told) > 2


def test_a_server_that_does_not_say_how_much_it_sends_will_do(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    assert fetch(FileServer(CONTENT, sized=False), tmp_path, progress=lambda *at: told.append(at)) == CONTENT
    assert told[-1] == (len(CONTENT), 0)


@pytest.mark.parametrize("wrong", [b"", b"<html>Sign in</html>", CONTENT[:-1] + b"?", CONTENT + b"?"])
def test_any_other_content_is_refused(tmp_path: Path, wrong: bytes) -> None:
    assert "git blob id differs" in refusal(FileServer(wrong), tmp_path)


def test_content_cut_short_without_notice_is_refused(tmp_path: Path) -> None:
    assert "git blob id differs" in refusal(FileServer(CONTENT, cuts=[200_000], sized=False), tmp_path)


def test_a_broken_connection_is_taken_up_where_it_broke(tmp_path: Path) -> None:
    server = FileServer(CONTENT, cuts=[100_000, 0, 150_000])
    assert fetch(server, tmp_path) == CONTENT
    assert server.asked == ["", "bytes=100000-", "bytes=100000-", "bytes=250000-"]


def test_a_server_that_cannot_resume_sends_it_all_again(tmp_path: Path) -> None:
    server = FileServer(CONTENT, cuts=[100_000], ranges=False)
    assert fetch(server, tmp_path) == CONTENT
    assert server.asked == ["", "bytes=100000-"]


def test_a_connection_that_brings_nothing_is_given_up(tmp_path: Path) -> None:
    server = FileServer(CONTENT, cuts=[100_000, *[0] * 9])
    assert "the connection breaks off" in refusal(server, tmp_path)
    assert 3 < len(server.asked) < 8


def test_a_server_in_trouble_is_asked_again_and_one_that_refuses_is_not(tmp_path: Path) -> None:
    assert fetch(FileServer(CONTENT, errors=[503, 500]), tmp_path) == CONTENT
    (tmp_path / "model.pth").unlink()
    server = FileServer(CONTENT, errors=[404] * 9)
    assert "the server answers 404 Not Found" in refusal(server, tmp_path)
    assert len(server.asked) == 1


def test_no_server_is_told(tmp_path: Path) -> None:
    with FileServer(CONTENT).running() as server:
        file = published(server)
    with pytest.raises(ModelError, match="cannot be downloaded"):
        download(file, tmp_path / "model.pth", pause_s=0.01)
    assert os.listdir(tmp_path) == []


def test_more_than_the_file_has_is_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sends 300000 bytes, more than model.pth has (1000)" in refusal(FileServer(CONTENT), tmp_path, size=1000)
    monkeypatch.setattr(module, "_LARGEST", 1 << 20)
    assert "sends more than the 1048576 bytes" in refusal(FileServer(b"", endless=True), tmp_path)


def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    come: list[int] = []
    with FileServer(b"", endless=True).running() as server, pytest.raises(Cancelled):
        download(
            published(server),
            tmp_path / "model.pth",
            lambda done, total: come.append(done),
            cancelled=lambda: len(come) >= 3,
        )
    assert len(come) == 3 and os.listdir(tmp_path) == []


def test_cancelling_while_waiting_for_the_server_leaves_nothing(tmp_path: Path) -> None:
    with FileServer(CONTENT, errors=[503] * 9).running() as server, pytest.raises(Cancelled):
        download(published(server), tmp_path / "model.pth", cancelled=lambda: bool(server.asked), pause_s=60)
    assert len(server.asked) == 1 and os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with FileServer(CONTENT).running() as server, pytest.raises(OutputError, match="cannot be written"):
        download(published(server), tmp_path / "none" / "model.pth")


def test_every_recorded_digest_counts_and_none_is_not_enough(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(CONTENT)
    file = PublishedFile("model.pth", sha256=hashlib.sha256(CONTENT).hexdigest(), git_blob=git_blob_id(path))
    check_identity(path, file)
    for name, other in (("sha256", "SHA-256"), ("git_blob", "git blob id")):
        with pytest.raises(ModelError, match=f"{other} differs"):
            check_identity(path, dataclasses.replace(file, **{name: "0" * len(getattr(file, name))}))
    with pytest.raises(ModelError, match="no digest of it is known"):
        check_identity(path, PublishedFile("model.pth"))
