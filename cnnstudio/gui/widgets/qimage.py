"""Converts the images of a data set to QImage."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage


def to_qimage(image: np.ndarray) -> QImage:
    """Converts an image, uint8 (C, H, W), to a QImage.

    With three or more channels the first three are red, green and blue; otherwise the first is gray.
    """
    channels, height, width = image.shape
    chosen = image[:3] if channels >= 3 else np.repeat(image[:1], 3, axis=0)
    pixels = np.ascontiguousarray(chosen.transpose(1, 2, 0))
    view = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    # The view does not own its pixels, which are freed when this function returns: the copy does.
    return view.copy()
