"""Two models without weights: the ellipse in the box, and Otsu's threshold in the box."""

from .ellipse import EllipseInBox
from .otsu import OtsuInBox

__all__ = ["EllipseInBox", "OtsuInBox"]
