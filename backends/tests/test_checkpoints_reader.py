"""The restricted reader gives a sound checkpoint's tensors exactly, and refuses every other file without running it."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import handmade_checkpoint as hand
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from medsam_backends.checkpoints.pickled import Inert, Tensor
from medsam_backends.checkpoints.reader import Checkpoint
from medsam_backends.errors import ModelError

VALUES = np.arange(12, dtype="<f4").reshape(3, 4)
ONE = {"0": VALUES.tobytes()}


def read_one(path: Path) -> np.ndarray:
    with Checkpoint(path) as checkpoint:
        return checkpoint.array(checkpoint.tree["w"])


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_one(path)
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2", "<i8"])
def test_a_tensor_is_read_exactly(tmp_path: Path, dtype: str) -> None:
    array = VALUES.astype(dtype)
    got = read_one(hand.checkpoint(tmp_path / "a.pth", {"w": array}))
    assert got.dtype == array.dtype
    assert np.array_equal(got, array)


def test_a_scalar_a_transposed_view_and_a_slice_are_read_exactly(tmp_path: Path) -> None:
    entries = {
        "scalar": hand.tensor("0", (), offset=5, count=12),
        "transposed": hand.tensor("0", (4, 3), (1, 4), count=12),
        "row": hand.tensor("0", (4,), (1,), offset=4, count=12),
    }
    with Checkpoint(hand.write(tmp_path / "a.pth", hand.mapping(entries), ONE)) as checkpoint:
        got = {name: checkpoint.array(tensor) for name, tensor in checkpoint.tree.items()}
    assert got["scalar"] == 5
    assert np.array_equal(got["transposed"], VALUES.T)
    assert np.array_equal(got["row"], VALUES[1])


def test_bfloat16_is_widened(tmp_path: Path) -> None:
    short = (VALUES.view("<u4") >> 16).astype("<u2")  # these small integers lose nothing
    assert np.array_equal(read_one(hand.checkpoint(tmp_path / "a.pth", {"w": short})), VALUES)


def test_a_parameter_with_a_version_table_is_a_tensor(tmp_path: Path) -> None:
    parameter = hand.call("torch._utils._rebuild_parameter", hand.tensor("0", (3, 4)), b"\x88", b"N")
    versions = hand.mapping({"_metadata": hand.mapping({})}, "dict")
    assert np.array_equal(
        read_one(hand.write(tmp_path / "a.pth", hand.mapping({"w": parameter}) + versions + b"b", ONE)), VALUES
    )


def test_training_objects_beside_the_tensors_are_named_but_not_made(tmp_path: Path) -> None:
    settings_ = (
        hand.call("functools.partial", hand.name("torch.optim.adamw.AdamW")) + hand.mapping({"lr": b"N"}, "dict") + b"b"
    )
    body = hand.mapping(
        {"hyper_parameters": settings_, "state_dict": hand.mapping({"w": hand.tensor("0", (3, 4))})}, "dict"
    )
    with Checkpoint(hand.write(tmp_path / "a.ckpt", body, ONE)) as checkpoint:
        assert checkpoint.tree["hyper_parameters"] == Inert("functools.partial")
        assert isinstance(checkpoint.tree["state_dict"]["w"], Tensor)


def command(canary: Path) -> bytes:
    return hand.text(f"echo sung > '{canary}'")


def statement(canary: Path) -> bytes:
    return hand.text(f"open({str(canary)!r}, 'w')")


ATTACKS = {
    "os.system": lambda c: hand.call("os.system", command(c)),
    "the module behind os": lambda c: hand.call(f"{os.name}.system", command(c)),
    "a name put together on the stack": lambda c: (
        hand.text("os") + hand.text("system") + b"\x93" + hand.several(command(c)) + b"R"
    ),
    "eval": lambda c: hand.call("builtins.eval", statement(c)),
    "exec": lambda c: hand.call("builtins.exec", statement(c)),
    "getattr": lambda c: hand.call("builtins.getattr", hand.name("os.path"), hand.text("os")),
    "a partial call": lambda c: hand.call("functools.partial", hand.name("os.system"), command(c)) + b")R",
    "a pickle inside": lambda c: hand.call("torch.storage._load_from_bytes", hand.text("x")),
    "a process": lambda c: hand.call("subprocess.Popen", hand.text("true")),
    "INST": lambda c: b"(" + command(c) + b"ios\nsystem\n",
    "OBJ": lambda c: b"(" + hand.name("os.system") + command(c) + b"o",
    "an extension code": lambda c: b"\x82\x01",
    "attributes put on a tensor": lambda c: (
        hand.tensor("0", (3, 4)) + hand.mapping({"__class__": command(c)}, "dict") + b"b"
    ),
    "attributes put on a function": lambda c: (
        hand.name("torch._utils._rebuild_tensor_v2") + hand.mapping({"__code__": command(c)}, "dict") + b"b"
    ),
    "a class's attribute by a dotted name": lambda c: (
        hand.text("collections") + hand.text("OrderedDict.__init__") + b"\x93)R"
    ),
    "an unknown kind of stored data": lambda c: (
        hand.several(hand.text("module"), hand.name("torch.FloatStorage")) + b"Q"
    ),
    "an out-of-band buffer": lambda c: b"\x97",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_pickle_is_refused_and_nothing_is_run(tmp_path: Path, attack: str) -> None:
    canary = tmp_path / "canary"
    path = hand.write(tmp_path / "evil.pth", hand.mapping({"w": ATTACKS[attack](canary)}), ONE)
    message = refusal(path)
    assert message.startswith("evil.pth ")
    assert message.endswith(".")
    assert not canary.exists()


def test_what_would_have_been_run_is_named_with_what_to_do(tmp_path: Path) -> None:
    message = refusal(hand.write(tmp_path / "evil.pth", hand.call("os.system", hand.text("true"))))
    assert "os.system" in message
    assert "authors" in message


@pytest.mark.skipif(os.name == "nt", reason="the command is written for a POSIX shell")
def test_the_attack_is_live_in_pythons_own_unpickler(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    pickle.loads(b"\x80\x02" + ATTACKS["os.system"](canary) + b".")
    assert canary.exists()


LAYOUTS = {
    "a stride of 0 that fills the memory": ((1 << 20, 1 << 18), (0, 0), 0, 12),
    "an offset behind the data": ((3,), (1,), 10, 12),
    "a negative offset": ((3,), (1,), -1, 12),
    "a negative stride": ((3,), (-1,), 5, 12),
    "more elements than stored": ((5, 5), (5, 1), 0, 12),
    "an enormous shape": ((1 << 62, 1), (1, 1), 0, 12),
    "shape and strides of different length": ((3, 4), (1,), 0, 12),
    "forty dimensions": ((1,) * 40, (1,) * 40, 0, 12),
    "less data than it says": ((40,), (1,), 0, 40),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tensor_that_reaches_outside_its_data_is_refused(tmp_path: Path, layout: str) -> None:
    shape, strides, offset, count = LAYOUTS[layout]
    body = hand.mapping({"w": hand.tensor("0", shape, strides, offset, count)})
    assert "damaged" in refusal(hand.write(tmp_path / "a.pth", body, ONE))


def test_a_missing_storage_is_refused(tmp_path: Path) -> None:
    assert "archive/data/0" in refusal(hand.write(tmp_path / "a.pth", hand.mapping({"w": hand.tensor("0", (3, 4))})))


def test_keys_that_take_for_ever_to_hash_are_never_hashed(tmp_path: Path) -> None:
    nest = b")q\x00"
    for level in range(200):
        nest += b"h" + bytes([level]) + b"h" + bytes([level]) + b"\x86q" + bytes([level + 1])
    body = b"}(" + nest + b"N" + hand.text("w") + hand.tensor("0", (3, 4)) + b"u"
    assert np.array_equal(read_one(hand.write(tmp_path / "a.pth", body, ONE)), VALUES)


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    path = hand.checkpoint(tmp_path / "a.pth", {"w": VALUES})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    assert "download it again" in refusal(path)


@pytest.mark.parametrize("needle", [VALUES.tobytes()[8:16], b"_rebuild_tensor"])
def test_one_flipped_bit_is_noticed(tmp_path: Path, needle: bytes) -> None:
    path = hand.checkpoint(tmp_path / "a.pth", {"w": VALUES})
    raw = bytearray(path.read_bytes())
    raw[raw.index(needle)] ^= 1
    path.write_bytes(raw)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a checkpoint", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"PK\x03\x04" + bytes(200)]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    assert "PyTorch 1.6" in refusal(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "none.pth")
    assert "cannot be read" in refusal(tmp_path)


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("picture.png", b"")
    assert "data.pkl" in refusal(tmp_path / "a.zip")


def test_a_big_endian_a_compressed_and_an_oversized_file_are_refused(tmp_path: Path) -> None:
    body = hand.mapping({"w": hand.tensor("0", (3, 4))})
    assert "big-endian" in refusal(hand.write(tmp_path / "a.pth", body, ONE, byteorder="big"))
    assert "compressed" in refusal(hand.write(tmp_path / "b.pth", body, ONE, compression=zipfile.ZIP_DEFLATED))
    assert "more than it can have" in refusal(hand.write(tmp_path / "c.pth", b"N" * (17 << 20)))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_written_twice_is_refused(tmp_path: Path) -> None:
    path = hand.checkpoint(tmp_path / "a.pth", {"w": VALUES})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data/0", bytes(48))
    assert "twice" in refusal(path)


PICKLE = b"\x80\x02" + hand.mapping({"w": hand.tensor("0", (3, 4))}) + b"."


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(PICKLE) - 1), piece=st.binary(max_size=6), cut=st.integers(0, 6))
def test_a_mutated_pickle_reads_or_is_refused_and_never_fails_otherwise(
    tmp_path: Path, at: int, piece: bytes, cut: int
) -> None:
    mutated = PICKLE[:at] + piece + PICKLE[at + cut :]
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("archive/data.pkl", mutated)
        archive.writestr("archive/data/0", ONE["0"])
    try:
        with Checkpoint(tmp_path / "a.pth") as checkpoint:
            for value in checkpoint.tree.values() if isinstance(checkpoint.tree, dict) else ():
                if isinstance(value, Tensor):
                    checkpoint.array(value)
    except ModelError:
        pass
