"""PNG pictures read and written by Pillow are those that SimpleITK reads and writes."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from medsam_backends.io import NamedMask, Volume, read_image, write_segmentation
from medsam_backends.png_file import read_png
from PIL import Image

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
PICTURES = {
    "grey": (Image.fromarray(GREY), {}),
    "deep": (Image.fromarray(GREY.astype(np.uint16) * 250), {}),
    "colour": (Image.fromarray(COLOUR), {}),
    "alpha": (Image.fromarray(np.dstack([COLOUR, GREY])), {}),
    "palette": (Image.fromarray(COLOUR).quantize(8), {}),
    "two levels": (Image.fromarray(GREY > 99), {}),
    "grey and alpha": (Image.fromarray(COLOUR).convert("LA"), {}),
    "resolution": (Image.fromarray(GREY), {"dpi": (254, 254)}),
    "a transparent level": (Image.fromarray(GREY), {"transparency": 5}),
}
BY_SIMPLEITK = {"palette", "two levels", "grey and alpha", "resolution", "a transparent level"}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_the_same_by_either_library(tmp_path: Path, name: str) -> None:
    picture, options = PICTURES[name]
    path = tmp_path / "a.png"
    picture.save(path, **options)
    assert (read_png(path) is None) == (name in BY_SIMPLEITK)
    if name in ("grey and alpha", "a transparent level"):
        return  # two numbers a pixel: refused
    expected, read = sitk.ReadImage(str(path)), read_image(path)
    np.testing.assert_array_equal(read.array[0], sitk.GetArrayFromImage(expected))
    assert read.spacing_mm[:2] == expected.GetSpacing() and not read.array.flags.writeable
    assert read.rgb == (expected.GetNumberOfComponentsPerPixel() > 1)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" * 9])
def test_what_is_no_picture_is_left_to_the_other_library(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert read_png(path) is None
    assert read_png(tmp_path / "none.png") is None and read_png(tmp_path) is None


def test_a_truncated_picture_is_left_to_the_other_library(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    assert read_png(path) is None


@pytest.mark.parametrize("size", [(10000, 9000), (14000, 13000)])
@pytest.mark.filterwarnings("error")
def test_pictures_too_large_for_pillow_are_left_to_the_other_library(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.png"
    chunks = (b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(99)))
    whole = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(whole))
    assert read_png(path) is None


@pytest.mark.filterwarnings("error")
def test_a_picture_beyond_pillows_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", GREY.size // 3)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").array[0], GREY)


def test_labels_are_read_back_as_written(tmp_path: Path) -> None:
    flat = Volume(np.zeros((1, 20, 20), np.uint8))
    spots = [NamedMask(str(n), np.ones((1, 1, 1), bool), (0, n // 20, n % 20)) for n in range(300)]
    for count, dtype in ((200, np.uint8), (300, np.uint16)):
        path = tmp_path / f"{count}.png"
        write_segmentation(path, spots[:count], flat)
        read = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        assert read.dtype == dtype and read.ravel()[:count].tolist() == list(range(1, count + 1))
