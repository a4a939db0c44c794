"""Files in and out: the names that other parts import; see `image_reader` and `segmentation_writer`."""

from .image_reader import Volume, read_image
from .named_mask import COLORS, NamedMask
from .segmentation_writer import check_output, write_segmentation

__all__ = ["COLORS", "NamedMask", "Volume", "check_output", "read_image", "write_segmentation"]
