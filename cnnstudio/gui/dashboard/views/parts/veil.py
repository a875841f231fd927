"""A sentence over the place of content that is not there, or not there yet."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Tone
from cnnstudio.gui.widgets.plain_text import breakable, plain_text

_FADE = 102
"""Of 255: the content below a translucent veil is seen at 60%."""
_MAX_CHARACTERS = 400
_MAX_WIDTH = 520
_CENTERED = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap


class Veil(QWidget):
    """Covers its parent. A translucent one lets through the content and the mouse."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._text = ""
        self._tone: Tone = "secondary"
        self.is_translucent = False
        self.hide()
        theme().changed.connect(self.update)

    @property
    def text(self) -> str:
        """The sentence that is shown; empty while the veil is hidden."""
        return "" if self.isHidden() else self._text

    def show_text(self, text: str, *, tone: Tone = "secondary", translucent: bool = False) -> None:
        """Shows a sentence, in place of the content or over it."""
        before, only_text = self._chip(), translucent and self.is_translucent and self.isVisible()
        self._text, self._tone = plain_text(text, _MAX_CHARACTERS), tone
        if only_text:
            # Not all of it: what is below would be painted again for each percent of the progress.
            self.update((before | self._chip()).toAlignedRect().adjusted(-1, -1, 1, 1))
            return
        self.is_translucent = translucent
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, translucent)
        parent = self.parentWidget()
        if parent is not None:
            self.setGeometry(parent.rect())
        self.show()
        self.raise_()
        self.update()

    def _text_area(self) -> QRectF:
        width = min(self.width() - 32, _MAX_WIDTH)
        return QRectF((self.width() - width) / 2, 0, width, self.height())

    @property
    def text_bottom(self) -> int:
        """The lower edge of the sentence that stands in place of the content."""
        metrics = QFontMetricsF(theme().font("help"))
        return round(metrics.boundingRect(self._text_area(), int(_CENTERED), breakable(self._text)).bottom())

    def _chip(self) -> QRectF:
        """The ground of the text over content."""
        width = QFontMetricsF(theme().font("help")).horizontalAdvance(self._text) + 24
        return QRectF((self.width() - width) / 2, self.height() / 2 - 14, width, 28)

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        ground = QColor(style.color("panel"))
        if self.is_translucent:
            ground.setAlpha(_FADE)
        painter.fillRect(event.rect(), ground)
        painter.setFont(style.font("help"))
        if self.is_translucent:
            self._paint_chip(painter)
        else:
            painter.setPen(style.color(self._tone))
            painter.drawText(self._text_area(), int(_CENTERED), breakable(self._text))
        painter.end()

    def _paint_chip(self, painter: QPainter) -> None:
        """The text on a ground of its own: over an image it could not be read."""
        style, chip = theme(), self._chip()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(style.color("border"))
        painter.setBrush(style.color("panel"))
        painter.drawRoundedRect(chip, 14, 14)
        painter.setPen(style.color("secondary"))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, self._text)
