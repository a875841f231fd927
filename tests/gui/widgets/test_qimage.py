"""Converting images of a data set to QImage."""

from __future__ import annotations

import numpy as np
import pytest

from cnnstudio.gui.widgets.qimage import color_image, to_qimage


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_images_with_any_number_of_channels_can_be_converted(channels: int) -> None:
    pixels = np.zeros((channels, 2, 3), np.uint8)
    pixels[0, 1, 2] = 200

    image = to_qimage(pixels)

    assert (image.width(), image.height()) == (3, 2)
    assert image.pixelColor(2, 1).red() == 200
    assert image.pixelColor(2, 1).blue() == (200 if channels == 1 else 0)


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((3, 4, 4), np.nan),
        np.zeros((3, 4, 4), np.int64),
        np.zeros((4, 4), np.uint8),
        np.zeros((3, 0, 4), np.uint8),
        np.broadcast_to(np.uint8(0), (3, 30_000, 30_000)),
    ],
)
def test_what_is_not_an_image_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not an image"):
        to_qimage(pixels)


def test_an_image_whose_pixels_do_not_follow_each_other_in_memory_is_converted() -> None:
    pixels = np.zeros((6, 4, 3), np.uint8)[::2].transpose(0, 2, 1)
    pixels[0, 2, 1] = 90

    assert to_qimage(pixels).pixelColor(1, 2).red() == 90


def test_colors_become_pixels_whatever_their_order_in_memory() -> None:
    colors = np.array([[0xFF112233, 0xFF445566], [0xFF778899, 0xFFAABBCC]], np.uint32)
    image = color_image(np.asfortranarray(colors))
    assert (image.width(), image.height()) == (2, 2)
    assert [image.pixelColor(1, 0).name(), image.pixelColor(0, 1).name()] == ["#445566", "#778899"]


@pytest.mark.parametrize(
    "colors",
    [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 4), np.uint32), np.zeros((2, 2), np.float64)],
)
def test_what_are_no_colors_is_refused(colors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no colors"):
        color_image(colors)
