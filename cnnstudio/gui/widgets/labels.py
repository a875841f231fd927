"""Labels, lines and panels in the window's style."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QWidget

from cnnstudio.gui.theme.theme import Role, theme
from cnnstudio.gui.widgets.plain_text import (
    breakable,
    plain_line,
    plain_text,
    plain_tooltip,
    without_breaks,
)

Tone = Literal["text", "secondary", "wrong", "good"]


_MAX_CHARACTERS = 2_000
_BETWEEN_PARTS = " · "
_LEAST_NAME = 48
"""Pixels."""
_MIN_HEAD = 2
"""Characters of a text that are worth showing before its tail."""


class Label(QLabel):
    """Plain text in one of the theme's fonts; the style sheet defines the colors of the tones."""

    def __init__(
        self, text: str = "", role: Role = "content", tone: Tone = "text", *, wrap: bool = False
    ) -> None:
        super().__init__()
        # Texts contain names and messages of files from anywhere, which Qt would take for markup.
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(theme().font(role))
        self.setProperty("role", tone)
        self.setWordWrap(wrap)
        if wrap:
            # A wrapped label must not widen its panel; it uses the available width.
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.setText(text)

    def text(self) -> str:
        return without_breaks(super().text())

    def setText(self, text: str) -> None:
        shown = plain_text(text)
        super().setText(breakable(shown) if self.wordWrap() else shown)

    def set_tone(self, tone: Tone) -> None:
        """Changes the color of the text."""
        set_role(self, tone)


def set_role(widget: QWidget, role: str) -> None:
    """Changes the rule of the style sheet for a widget."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        # The style sheet evaluates properties only when the widget is polished.
        widget.style().unpolish(widget)
        widget.style().polish(widget)


class ElidedLabel(Label):
    """A one-line label that is elided if it does not fit; a tooltip then shows the full text.

    It paints its text itself: each new text of a QLabel lays out the whole window again, which a training's
    status would do several times a second.
    """

    _full_text = _tail = _elided = ""

    def __init__(self, text: str = "", role: Role = "content", tone: Tone = "text") -> None:
        super().__init__(role=role, tone=tone)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.set_full_text(text)

    @property
    def full_text(self) -> str:
        """The text before it is elided."""
        return self._full_text

    def text(self) -> str:
        """The text as it is shown."""
        return self._elided

    def set_full_text(self, text: str, tail: str = "") -> None:
        """Shows as much of `text` as fits; its `tail`, such as ` · 14:02`, is the last that is left out."""
        shown, tail = plain_line(text, _MAX_CHARACTERS), plain_line(tail, _MAX_CHARACTERS)
        if (shown, tail) != (self._full_text, self._tail):
            self._full_text, self._tail = shown, tail
            self.setAccessibleName(shown)
            self._fit()

    def sizeHint(self) -> QSize:
        margins = self.contentsMargins()
        return QSize(0, self.fontMetrics().height() + margins.top() + margins.bottom())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.contentsRect(), int(self.alignment()), self._elided)
        painter.end()

    def _fit(self) -> None:
        elided = self._fitting(self.contentsRect().width())
        tooltip = "" if elided == self._full_text else plain_tooltip(self._full_text)
        if tooltip != self.toolTip():
            self.setToolTip(tooltip)
        if elided != self._elided:
            self._elided = elided
            self.update()

    def _fitting(self, width: int) -> str:
        """What is shown of the text on that many pixels."""
        return elided(self.fontMetrics(), self._full_text, width, self._tail)


def elided(metrics: QFontMetrics, text: str, width: int, tail: str = "") -> str:
    """What fits on so many pixels: `Lesson… · 14:02` of `Lesson CNN · 14:02` with the tail ` · 14:02`.

    Where even a short beginning does not fit before the tail, the tail is shown without its separator.
    """
    right = Qt.TextElideMode.ElideRight
    if metrics.horizontalAdvance(text) <= width:
        # Qt would also elide a text that is too wide by a fraction of a pixel.
        return text
    if not tail or not text.endswith(tail):
        return metrics.elidedText(text, right, width)
    left = width - metrics.horizontalAdvance(tail)
    if left >= metrics.horizontalAdvance(f"{text[:_MIN_HEAD]}…"):
        return metrics.elidedText(text.removesuffix(tail), right, left) + tail
    return metrics.elidedText(tail.lstrip(" ·,"), right, width)


class NameLabel(ElidedLabel):
    """A name that gets the width it needs, and is elided where its panel is too narrow for that."""

    def __init__(self, text: str = "", role: Role = "content", tone: Tone = "text") -> None:
        super().__init__(text, role, tone)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)

    def setText(self, text: str) -> None:
        self.set_full_text(text)

    def set_full_text(self, text: str, tail: str = "") -> None:
        before = self.full_text
        super().set_full_text(text, tail)
        if self.full_text != before:
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self.full_text) + 2, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(min(self.sizeHint().width(), _LEAST_NAME), super().sizeHint().height())


class PartsLabel(ElidedLabel):
    """A line of parts such as `Epoch 1 of 2 · 26 s left · 75.4%`; those that do not fit are left out."""

    _short_text = ""

    def set_texts(self, full: str, short: str) -> None:
        """Shows `full` where there is room for all of it, else as much of `short` as fits."""
        changed = short != self._short_text
        self._short_text = plain_line(short, _MAX_CHARACTERS)
        self.set_full_text(full)
        if changed:
            self._fit()

    def _fitting(self, width: int) -> str:
        if not self._short_text or self.fontMetrics().horizontalAdvance(self.full_text) <= width:
            return self._parts_of(self.full_text, width)
        return self._parts_of(self._short_text, width)

    def _parts_of(self, text: str, width: int) -> str:
        parts = text.split(_BETWEEN_PARTS)
        for count in range(len(parts), 0, -1):
            shown = _BETWEEN_PARTS.join(parts[:count])
            if self.fontMetrics().horizontalAdvance(shown) <= width:
                return shown
        return self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, width)


class WrappedParts(Label):
    """Parts such as `Output 64 × 6 × 6 · 8 parameters` on as many lines as they need, broken between parts.

    A separator stands between parts of one line only.
    """

    _full_text = ""

    def __init__(self, role: Role = "content", tone: Tone = "text") -> None:
        # A part that is wider than the label is wrapped at its spaces.
        super().__init__(role=role, tone=tone, wrap=True)

    def text(self) -> str:
        return self._full_text

    def setText(self, text: str) -> None:
        self._full_text = plain_line(text, _MAX_CHARACTERS)
        self.setAccessibleName(self._full_text)
        self._wrap()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._wrap()

    def _wrap(self) -> None:
        lines: list[str] = []
        for part in self._full_text.split(_BETWEEN_PARTS) if self._full_text else ():
            longer = f"{lines[-1]}{_BETWEEN_PARTS}{part}" if lines else part
            if lines and self.fontMetrics().horizontalAdvance(longer) <= self.contentsRect().width():
                lines[-1] = longer
            else:
                lines.append(part)
        super().setText("\n".join(lines))


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
        self.focus_target: QWidget | None = None
        """What gets the focus when a key leads to the panel; None for the first widget that takes it.

        No focus proxy: with one, Tab would leave the panel after it.
        """
