"""A volume with a bright brick, as files; what the command line's tests segment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

BRICK_BOX = ["8", "6", "4", "19", "24", "12"]
SHAPE = (16, 32, 32)


def brick() -> np.ndarray:
    """(16, 32, 32) uint8, 200 in a brick and 20 around it."""
    volume = np.full(SHAPE, 20, np.uint8)
    volume[4:13, 6:25, 8:20] = 200
    return volume


def save(array: np.ndarray, path: Path, *, spacing: tuple[float, ...] = (1.0, 1.0, 2.0), vector: bool = False) -> Path:
    """Write an image file."""
    image = sitk.GetImageFromArray(array, isVector=vector)
    image.SetSpacing(spacing[: image.GetDimension()])
    sitk.WriteImage(image, str(path))
    return path


def process(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as users do, in a process of its own."""
    command = [sys.executable, "-m", "medsam_backends", *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, encoding="utf-8", timeout=120
    )
