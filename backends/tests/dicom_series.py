"""Small DICOM series for tests, oblique, with a patient's data that no result may show."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import SimpleITK as sitk

SPACING_MM = (0.5, 0.8, 2.5)
SECRETS = ("Hospital of Secrets", "Dr. Hidden", "PROTOCOL-77", "083Y")


def oblique() -> np.ndarray:
    """(3, 3) directions of columns, rows and slices."""
    turn, tilt = np.deg2rad(20), np.deg2rad(10)
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    return about_x @ about_z


def write_series(folder: Path, array: np.ndarray, uid: str = "1.2.826.0.1.3680043.10.543.1", **tags: str) -> Path:
    """Write (K, J, I) grey values as images of one slice each; `tags` like ``t0020_0052`` replace or remove values."""
    folder.mkdir()
    direction = oblique()
    for k, plane in enumerate(array):
        image = sitk.GetImageFromArray(plane[None].astype(np.int16))
        image.SetSpacing(SPACING_MM)
        place = direction[:, 2] * SPACING_MM[2] * k + (-30, 12, 400)
        values = {
            **{"0008|0005": "ISO_IR 192", "0008|0016": "1.2.840.10008.5.1.4.1.1.4", "0008|0018": f"{uid}.4.{k}"},
            **{"0008|0020": "20200102", "0008|0030": "101112", "0008|0050": "A1", "0008|0060": "MR"},
            **{"0008|0080": SECRETS[0], "0008|1050": SECRETS[1], "0018|1030": SECRETS[2], "0010|1010": SECRETS[3]},
            **{"0010|0010": "Müller^Ännchen", "0010|0020": "P1", "0010|0030": "19370203", "0010|0040": "F"},
            **{"0018|0050": "3", "0020|000d": f"{uid}.1", "0020|000e": f"{uid}.2", "0020|0052": f"{uid}.3"},
            **{"0020|0010": "S1", "0020|0013": str(k), "0008|103e": "T1"},
            "0020|0032": "\\".join(f"{value:.8f}" for value in place),
            "0020|0037": "\\".join(f"{value:.8f}" for value in (*direction[:, 0], *direction[:, 1])),
            "0008|0012": datetime.date(2020, 1, 2).strftime("%Y%m%d"),
        }
        for tag, value in (values | {name[1:].replace("_", "|"): value for name, value in tags.items()}).items():
            if value:
                image.SetMetaData(tag, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{(k * 7) % 10}-{k}.dcm"))  # names tell nothing of the order
        writer.Execute(image)
    return folder
