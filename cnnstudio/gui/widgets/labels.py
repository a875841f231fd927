"""Labels, lines and panels in the window's style."""

from __future__ import annotations

import html
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy

from cnnstudio.gui.theme.theme import Role, theme

Tone = Literal["text", "secondary", "wrong", "good"]


def plain_tooltip(text: str) -> str:
    """The tooltip that shows `text` as it is: Qt takes a text that looks like HTML for HTML."""
    if "<" not in text:
        return text
    lines = (html.escape(line) for line in text.split("\n"))
    return f"<span>{'<br>'.join(lines)}</span>"


class Label(QLabel):
    """Plain text in one of the theme's fonts; the style sheet defines the colors of the tones."""

    def __init__(
        self, text: str = "", role: Role = "content", tone: Tone = "text", *, wrap: bool = False
    ) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(theme().font(role))
        self.setProperty("role", tone)
        self.setWordWrap(wrap)
        if wrap:
            # A wrapped label must not widen its panel; it uses the available width.
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    def set_tone(self, tone: Tone) -> None:
        """Changes the color of the text."""
        if self.property("role") != tone:
            self.setProperty("role", tone)
            # The style sheet evaluates properties only when the widget is polished.
            self.style().unpolish(self)
            self.style().polish(self)


class ElidedLabel(Label):
    """A one-line label that is elided if it does not fit; a tooltip then shows the full text."""

    def __init__(self, text: str = "", role: Role = "content", tone: Tone = "text") -> None:
        super().__init__(role=role, tone=tone)
        self._full_text = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.set_full_text(text)

    @property
    def full_text(self) -> str:
        """The text before it is elided."""
        return self._full_text

    def set_full_text(self, text: str) -> None:
        """Shows as much of `text` as fits."""
        self._full_text = text
        self.setAccessibleName(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        elided = self.fontMetrics().elidedText(
            self._full_text, Qt.TextElideMode.ElideRight, self.contentsRect().width()
        )
        self.setText(elided)
        self.setToolTip("" if elided == self._full_text else plain_tooltip(self._full_text))


class Line(QFrame):
    """A thin horizontal line that separates parts of a panel."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "line")


class Panel(QFrame):
    """A frame with the panel color, a thin border and round corners."""

    def __init__(self, object_name: str = "") -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setProperty("role", "panel")
