"""Converts the images of a data set to QImage."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage

MAX_VALUES = 2**28
"""The most values that an image may have: 9,000 pixels a side in color."""


def to_qimage(image: np.ndarray) -> QImage:
    """Converts an image, uint8 (C, H, W), to a QImage.

    With three or more channels the first three are red, green and blue; otherwise the first is gray. Raises
    ValueError for any other array: Qt reads its memory without asking for its type or its size.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or not 0 < image.size <= MAX_VALUES:
        raise ValueError(f"not an image: uint8 (C, H, W) with 1 to {MAX_VALUES:,} values was expected")
    channels, height, width = image.shape
    chosen = image[:3] if channels >= 3 else np.repeat(image[:1], 3, axis=0)
    pixels = np.ascontiguousarray(chosen.transpose(1, 2, 0))
    view = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    # The view does not own its pixels, which are freed when this function returns: the copy does.
    return view.copy()


def color_image(colors: np.ndarray) -> QImage:
    """Converts colors, uint32 (H, W) as `QColor.rgb` gives them, to a QImage.

    Raises ValueError for any other array.
    """
    if colors.dtype != np.uint32 or colors.ndim != 2 or colors.size > MAX_VALUES:
        raise ValueError(f"no colors: uint32 (H, W) with at most {MAX_VALUES:,} values were expected")
    height, width = colors.shape
    pixels = np.ascontiguousarray(colors)
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32).copy()
