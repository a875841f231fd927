"""Labels and lines in the window's type sizes."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy

from cnnstudio.gui.theme.theme import Role, theme

Tone = Literal["text", "secondary", "wrong", "good"]


class Label(QLabel):
    """Plain text in one of the theme's sizes; the style sheet knows the tones."""

    def __init__(
        self, text: str = "", role: Role = "content", tone: Tone = "text", *, wrap: bool = False
    ) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(theme().font(role))
        self.setProperty("role", tone)
        self.setWordWrap(wrap)
        if wrap:
            # A wrapped label must not widen its panel; it takes the width that is there.
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    def set_tone(self, tone: Tone) -> None:
        """Another color for the text that comes."""
        if self.property("role") != tone:
            self.setProperty("role", tone)
            # The style sheet looks at a property only when the widget is polished.
            self.style().unpolish(self)
            self.style().polish(self)


class ElidedLabel(Label):
    """A label of one line that is cut with an ellipsis where there is no room; a tool tip has all of it."""

    def __init__(self, text: str = "", role: Role = "content", tone: Tone = "text") -> None:
        super().__init__(role=role, tone=tone)
        self._whole = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.set_whole(text)

    @property
    def whole(self) -> str:
        """The text without the cut."""
        return self._whole

    def set_whole(self, text: str) -> None:
        """Shows as much of `text` as there is room for."""
        self._whole = text
        self.setAccessibleName(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        short = self.fontMetrics().elidedText(
            self._whole, Qt.TextElideMode.ElideRight, self.contentsRect().width()
        )
        self.setText(short)
        self.setToolTip("" if short == self._whole else self._whole)


class Line(QFrame):
    """A thin horizontal line between two parts of a panel."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "line")


class Panel(QFrame):
    """The ground of a panel: its own color, a thin border, round corners."""

    def __init__(self, object_name: str = "") -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setProperty("role", "panel")
