"""Widgets that paint themselves: painted anew when the focus comes or goes, with a tooltip for each place."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF
from PySide6.QtGui import QFocusEvent, QHelpEvent
from PySide6.QtWidgets import QAbstractScrollArea, QToolTip, QWidget

from cnnstudio.gui.widgets.plain_text import plain_tooltip


class Canvas(QWidget):
    """A widget that paints itself as a whole."""

    def tooltip_at(self, point: QPointF) -> str:
        """What is under a point of the widget, in words; empty where there is nothing to say."""
        return ""

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            _show_tooltip(event, self.tooltip_at(QPointF(event.pos())), self)
            return True
        return bool(super().event(event))


class ScrollingCanvas(QAbstractScrollArea):
    """The same for a widget that scrolls, with points of its viewport."""

    def tooltip_at(self, point: QPointF) -> str:
        """What is under a point of the viewport, in words; empty where there is nothing to say."""
        return ""

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            _show_tooltip(event, self.tooltip_at(QPointF(event.pos())), self.viewport())
            return True
        return bool(super().viewportEvent(event))


def _show_tooltip(event: QHelpEvent, text: str, widget: QWidget) -> None:
    if text:
        QToolTip.showText(event.globalPos(), plain_tooltip(text), widget)
    else:
        QToolTip.hideText()
