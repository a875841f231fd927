"""Rendering SVG text to a pixmap."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication

from cnnstudio.gui.theme.svg_pixmap import svg_pixmap

RED = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="10">'
    '<rect width="40" height="10" fill="#f00"/></svg>'
)


def test_a_drawing_is_scaled_to_fit_and_centered(qapp: QApplication) -> None:
    image = svg_pixmap(RED, QSize(200, 100)).toImage()
    assert image.pixelColor(100, 50).name() == "#ff0000"
    assert image.pixelColor(2, 50).name() == "#ff0000"
    assert image.pixelColor(100, 20).alpha() == 0


def test_a_high_resolution_screen_gets_more_pixels(qapp: QApplication) -> None:
    pixmap = svg_pixmap(RED, QSize(200, 100), 2.0)
    assert pixmap.size() == QSize(400, 200)
    assert pixmap.deviceIndependentSize().toSize() == QSize(200, 100)
    assert pixmap.toImage().pixelColor(200, 100).name() == "#ff0000"
