"""The line above an image of the dashboard."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnstudio.gui.theme.theme import theme

_GAP = 12


class Heading(QWidget):
    """A title on the left and a remark on the right; where they do not fit, the title is cut short."""

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self._remark = ""
        self.setFixedHeight(20)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(240, 20)

    @property
    def title(self) -> str:
        return self._title

    @property
    def remark(self) -> str:
        return self._remark

    def show_texts(self, title: str, remark: str = "") -> None:
        if (title, remark) != (self._title, self._remark):
            self._title, self._remark = title, remark
            self.setAccessibleName(", ".join(text for text in (title, remark) if text))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        look = theme()
        painter = QPainter(self)
        width = float(self.width())
        painter.setFont(look.font("help"))
        remark = QFontMetricsF(painter.font()).elidedText(self._remark, Qt.TextElideMode.ElideRight, width)
        painter.setPen(look.color("secondary"))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(self.rect()), flags, remark)
        left = width - QFontMetricsF(painter.font()).horizontalAdvance(remark) - _GAP
        painter.setFont(look.font("strong"))
        painter.setPen(look.color("text"))
        title = QFontMetricsF(painter.font()).elidedText(self._title, Qt.TextElideMode.ElideRight, left)
        painter.drawText(QRectF(0, 0, left, self.height()), Qt.AlignmentFlag.AlignVCenter, title)
        painter.end()

    def _on_theme_changed(self, _: object) -> None:
        self.update()
