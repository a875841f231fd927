"""Pixels of a data set as Qt draws them."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage


def to_qimage(image: np.ndarray) -> QImage:
    """An image, uint8 (C, H, W) with C of 1, 3 or any, as a QImage; of more than three the first three."""
    channels, height, width = image.shape
    chosen = image[:3] if channels >= 3 else np.repeat(image[:1], 3, axis=0)
    pixels = np.ascontiguousarray(chosen.transpose(1, 2, 0))
    view = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    # The copy owns its pixels; `pixels` ends with this function.
    return view.copy()
