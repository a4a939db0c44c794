"""Every importer refuses hostile and damaged files with a sentence that says what to do; nothing runs, nothing is left.

The kinds of attack are those of `test_checkpoints_reader`; here each stands where the published forms have room for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import handmade_checkpoint as hand
import numpy as np
import pytest
from medsam_backends.checkpoints import import_published, importable
from medsam_backends.errors import ModelError
from test_checkpoints_reader import ATTACKS

REMEDIES = ("download it again", "authors", "refused", "opened and saved once", "choose")
TENSOR = {"0": np.arange(12, dtype="<f4").tobytes()}


def plain(attack: bytes) -> bytes:
    return hand.mapping({"image_encoder.w": hand.tensor("0", (3, 4)), "image_encoder.v": attack})


def beside(key: str) -> Callable[[bytes], bytes]:
    """A training program's checkpoint with the attack in the entry `key`."""

    def body(attack: bytes) -> bytes:
        state = hand.mapping({"model.image_encoder.w": hand.tensor("0", (3, 4))})
        return hand.mapping({"epoch": hand.number(7), "state_dict": state, key: attack}, "dict")

    return body


def partial_of(attack: bytes) -> bytes:
    """Hyper-parameters as Hydra makes them: a `functools.partial`, whose state holds the attack."""
    part = hand.call("functools.partial", hand.name("torch.optim.adamw.AdamW"))
    return beside("hyper_parameters")(hand.mapping({"optimizer": part + hand.mapping({"lr": attack}, "dict") + b"b"}))


def configuration_of(attack: bytes) -> bytes:
    """Hyper-parameters as OmegaConf's objects, the attack among their values."""
    node = hand.name("omegaconf.dictconfig.DictConfig") + b")\x81" + hand.mapping({"_content": attack}, "dict") + b"b"
    return beside("hyper_parameters")(node)


def optimiser_of(attack: bytes) -> bytes:
    return beside("optimizer_states")(b"]" + hand.mapping({"state": attack}, "dict") + b"a")


FORMS = {
    "a state dict": plain,
    "the callbacks of Lightning": beside("callbacks"),
    "a partial of Hydra": partial_of,
    "a configuration of OmegaConf": configuration_of,
    "an optimiser": optimiser_of,
    "an entry beside DAFT's model": beside("args"),
}


def refusal(system: str, path: Path) -> str:
    """The sentence; `path` must be alone in its folder but for a canary, which must not have sung."""
    models = path.parent / "models"
    models.mkdir()
    with pytest.raises(ModelError) as caught:
        import_published(system, path, models / system)
    assert os.listdir(models) == []
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    assert any(remedy in message.lower() for remedy in REMEDIES), message
    assert not (path.parent / "canary").exists()
    return message


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_wherever_it_stands(tmp_path: Path, attack: str, form: str) -> None:
    systems = list(importable())
    system = systems[(list(ATTACKS).index(attack) + list(FORMS).index(form)) % len(systems)]
    path = hand.write(tmp_path / "3D.pth", FORMS[form](ATTACKS[attack](tmp_path / "canary")), TENSOR)
    assert refusal(system, path).startswith("3D.pth ")


@pytest.mark.parametrize("system", importable())
def test_every_system_refuses_code(tmp_path: Path, system: str) -> None:
    path = hand.write(tmp_path / "3D.pth", partial_of(ATTACKS["os.system"](tmp_path / "canary")), TENSOR)
    assert "os.system" in refusal(system, path)


def test_training_settings_without_code_are_passed_over(tmp_path: Path) -> None:
    for form in (partial_of, configuration_of, optimiser_of):
        path = hand.write(tmp_path / f"{form.__name__}.ckpt", form(hand.number(1)), TENSOR)
        with pytest.raises(ModelError, match=r"no checkpoint of MedficientSAM-L1: it lacks"):
            import_published("medficientsam-l1", path, tmp_path / "models")


def test_a_whole_pickled_module_is_refused_with_its_class(tmp_path: Path) -> None:
    module = hand.name("src.models.base_sam.sam.BaseSAM") + b")\x81" + hand.mapping({}, "dict") + b"b"
    message = refusal("medficientsam-l0", hand.write(tmp_path / "model.pth", module, TENSOR))
    assert "src.models.base_sam.sam.BaseSAM" in message and "authors' page" in message


def doubled(levels: int) -> bytes:
    """A tuple that holds one tuple twice, and so on: a few bytes a level, but twice the text."""
    nest = b")q\x00"
    for level in range(levels):
        nest += b"h" + bytes([level]) + b"\x86q" + bytes([level + 1])
    return nest


def storage(count: bytes) -> bytes:
    place = hand.text("storage"), hand.name("torch.FloatStorage"), hand.text("0"), hand.text("cpu"), count
    return hand.several(*place) + b"Q"


def shaped(shape: bytes) -> bytes:
    return hand.call("torch._utils._rebuild_tensor_v2", storage(hand.number(12)), hand.number(0), shape, b")")


NESTS = {
    "a function's module": doubled(60) + hand.text("x") + b"\x93",
    "a function's name": hand.text("x") + doubled(60) + b"\x93",
    "a count": storage(doubled(60)),
    "a shape": shaped(doubled(60)),
}


@pytest.mark.parametrize("place", NESTS)
def test_a_nest_that_takes_for_ever_to_write_out_is_refused_at_once(tmp_path: Path, place: str) -> None:
    hand.write(tmp_path / "3D.pth", NESTS[place])
    program = """
from medsam_backends.checkpoints import import_published
from medsam_backends.errors import ModelError
try:
    import_published("litemedsam", "3D.pth", "model")
except ModelError as error:
    print(error)
"""  # in a process of its own, which can be ended
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=30, check=True)
    assert done.stdout.startswith("3D.pth is damaged (") and len(done.stdout) < 2000


def whole(path: Path) -> bytes:
    return hand.checkpoint(path, {"image_encoder.w": np.ones((3, 4), np.float32)}).read_bytes()


def flipped(path: Path) -> bytes:
    raw = bytearray(whole(path))
    raw[raw.index(b"_rebuild_tensor")] ^= 1
    return bytes(raw)


def without_pickle(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/version", "3\n")
    return path.read_bytes()


def compressed(path: Path) -> bytes:
    hand.write(path, plain(b"N"), {"0": bytes(1 << 20)}, compression=zipfile.ZIP_DEFLATED)
    return path.read_bytes()


DAMAGE: dict[str, Callable[[Path], bytes]] = {
    "an empty file": lambda path: b"",
    "a page that asks to sign in": lambda path: b"<!DOCTYPE html><html>Google Drive - Virus scan warning</html>",
    "a pointer of Git LFS": lambda path: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 42\n",
    "the first half": lambda path: whole(path)[: len(whole(path)) // 2],
    "all but the last byte": lambda path: whole(path)[:-1],
    "a flipped bit": flipped,
    "PyTorch's old format": lambda path: b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(100),
    "another archive": without_pickle,
    "a compressed archive": compressed,
    "a pickle that ends early": lambda path: hand.write(path, b"(").read_bytes(),
    "tensors of another shape": whole,
    "no tensor": lambda path: hand.write(path, hand.mapping({})).read_bytes(),
    "a number instead of a checkpoint": lambda path: hand.write(path, hand.number(3)).read_bytes(),
}


TOLD_BY_TENSOR = ("tensors of another shape", "no tensor", "a number instead of a checkpoint")


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("system", importable())
def test_a_damaged_file_is_refused(tmp_path: Path, system: str, kind: str) -> None:
    content = DAMAGE[kind](tmp_path / "3D.pth")
    (tmp_path / "3D.pth").write_bytes(content)
    assert "3D.pth" in refusal(system, tmp_path / "3D.pth") or kind in TOLD_BY_TENSOR
