"""A design in a comparison: its name and its diagram."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout

from cnnstudio.core.colors import scheme_colors
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.diagram.svg import draw_network, svg
from cnnstudio.gui.theme.svg_pixmap import svg_pixmap
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Panel
from cnnstudio.gui.widgets.plain_text import plain_line

_IMAGE = QSize(372, 108)


class DesignSide(Panel):
    """One of the two designs."""

    def __init__(self, when: str) -> None:
        super().__init__()
        self._when = when
        self._name = ElidedLabel("", "strong")
        self._image = QLabel()
        self._image.setMinimumSize(_IMAGE)
        self._image.setAlignment(Qt.AlignmentFlag.AlignCenter)
        head = QHBoxLayout()
        head.addWidget(self._name, 1)
        head.addWidget(Label(when, "help", "secondary"))
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        column.addLayout(head)
        column.addWidget(self._image)

    def show_design(self, analysis: Analysis) -> None:
        text = svg(draw_network(analysis, labels=False), scheme_colors(theme().scheme), background=False)
        self._name.set_full_text(analysis.network.name)
        self._image.setPixmap(svg_pixmap(text, _IMAGE, self.devicePixelRatioF()))
        self._image.setAccessibleName(plain_line(f"Diagram of {analysis.network.name}, {self._when}"))
