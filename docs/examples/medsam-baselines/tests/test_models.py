"""Known pictures, known masks."""

import numpy as np
import pytest
from medsam_backends import Prompt
from medsam_baselines import EllipseInBox, OtsuInBox


@pytest.fixture
def picture() -> np.ndarray:
    """A bright square of 20 by 10 pixels on dark ground."""
    image = np.full((40, 60), 30, np.uint8)
    image[10:20, 20:40] = 200
    return image


def test_the_ellipse_fills_its_share_of_the_box(picture: np.ndarray) -> None:
    model = EllipseInBox()
    prompts = [Prompt((10, 5, 50, 35)), Prompt((10, 5, 50, 35), position=0.8)]
    middle, end = model.decode(model.encode(picture), prompts)
    assert middle.mask.sum() == pytest.approx(np.pi / 4 * 40 * 30, rel=0.02)
    assert end.mask.sum() == pytest.approx(middle.mask.sum() * 0.36, rel=0.05)


@pytest.mark.parametrize("turned", [False, True])
def test_otsu_finds_the_square_bright_or_dark(picture: np.ndarray, turned: bool) -> None:
    model = OtsuInBox()
    image = 255 - picture if turned else picture
    [found] = model.decode(model.encode(image), [Prompt((15, 5, 45, 25))])
    assert np.array_equal(found.mask, picture == 200)
