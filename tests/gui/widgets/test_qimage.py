"""Converting images of a data set to QImage."""

from __future__ import annotations

import numpy as np
import pytest

from cnnstudio.gui.widgets.qimage import to_qimage


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_images_with_any_number_of_channels_can_be_converted(channels: int) -> None:
    pixels = np.zeros((channels, 2, 3), np.uint8)
    pixels[0, 1, 2] = 200

    image = to_qimage(pixels)

    assert (image.width(), image.height()) == (3, 2)
    assert image.pixelColor(2, 1).red() == 200
    assert image.pixelColor(2, 1).blue() == (200 if channels == 1 else 0)
