"""Writes a synthetic cohort, small phantoms with two organs and their table, some cases faulty; runs nothing on it."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk
from medsam_backends.phantom import Phantom, make_phantom

__all__ = ["ORGANS", "SIZE", "Member", "make_cohort", "write_table"]

SIZE, SPACING_MM = (72, 52, 10), (4.8, 4.8, 14.0)
ORGANS = ("liver", "spleen")
ENDINGS = (".seg.nrrd", ".nii.gz", ".nii", ".nrrd")
FAULTS = ("missing", "empty", "truncated", "text", "inverted", "outside", "words")
"""What is wrong with some cases: three kinds of files, three of boxes, and no file at all."""
DICOM_EVERY = 25


@dataclass(frozen=True)
class Member:
    """A case of the cohort; `fault` is empty for most."""

    image: str
    boxes: str
    output: str
    fault: str

    def row(self, *, repaired: bool) -> list[str]:
        wrong = {"inverted": "30 30 5 10 10 2", "outside": "500 500 2 510 510 4", "words": "left kidney"}
        return [
            self.image,
            self.boxes if repaired else wrong.get(self.fault, self.boxes),
            ";".join(ORGANS),
            self.output,
        ]


def make_cohort(folder: Path, count: int, rng: random.Random) -> list[Member]:
    """Write the images, sound and damaged."""
    faults = {n: FAULTS[k % len(FAULTS)] for k, n in enumerate(rng.sample(range(count), max(len(FAULTS), count // 7)))}
    members = []
    for n in range(count):
        phantom = make_phantom(SIZE, SPACING_MM, seed=n)
        boxes = ";".join(" ".join(map(str, phantom.box(organ, 1))) for organ in ORGANS)
        dicom = n % DICOM_EVERY == 0 and n not in faults
        image = f"{n:04}" if dicom else f"{n:04}.nii.gz"
        output = f"group {n % 3}/{n:04}{'.dcm' if dicom and n % 2 else ENDINGS[n % len(ENDINGS)]}"
        members.append(Member(image, boxes, output, faults.get(n, "")))
        write_image(phantom, folder / image)
        damage(folder / image, faults.get(n, ""))
    return members


def write_image(phantom: Phantom, path: Path) -> None:
    """A file, or a folder of DICOM images where the name has no ending."""
    volume = phantom.volume
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.spacing_mm)
    image.SetOrigin(volume.origin_mm)
    image.SetDirection(volume.direction.ravel().tolist())
    if path.suffix:
        sitk.WriteImage(image, str(path))
        return
    path.mkdir()
    uid = f"1.2.826.0.1.3680043.10.543.{path.name.lstrip('0') or '0'}"
    across, down = volume.direction[:, 0], volume.direction[:, 1]
    for k in range(SIZE[2]):
        slice_ = image[:, :, k : k + 1]
        tags = {
            **{"0008|0060": "CT", "0010|0010": "Phantom", "0010|0020": path.name, "0018|0050": str(SPACING_MM[2])},
            **{"0020|000d": f"{uid}.1", "0020|000e": f"{uid}.2", "0020|0052": f"{uid}.3", "0008|0018": f"{uid}.4.{k}"},
            "0020|0032": "\\".join(f"{value:.6f}" for value in slice_.GetOrigin()),
            "0020|0037": "\\".join(f"{value:.6f}" for value in (*across, *down)),
            **{"0020|0013": str(k), "0028|1052": "0", "0028|1053": "1", "0008|0016": "1.2.840.10008.5.1.4.1.1.2"},
        }
        for tag, value in tags.items():
            slice_.SetMetaData(tag, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(path / f"{k}.dcm"))
        writer.Execute(slice_)


def damage(path: Path, fault: str) -> None:
    """Put the fault into the file, the sound one kept beside it."""
    if fault not in ("missing", "empty", "truncated", "text"):
        return
    sound = path.read_bytes()
    (path.parent / f"{path.name}.sound").write_bytes(sound)
    path.unlink()
    if fault != "missing":
        path.write_bytes({"empty": b"", "truncated": sound[: len(sound) // 2], "text": b"no image"}[fault])


def write_table(path: Path, members: list[Member], *, repaired: bool) -> None:
    with open(path, "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(
            [["image", "boxes", "names", "output"], *(member.row(repaired=repaired) for member in members)]
        )
