"""The movable panels around the layer list."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget

from cnnstudio.gui.theme import theme

_HANDLE_HEIGHT = 8


class _Handle(QWidget):
    """The strip by which a panel is dragged; a bar shows under the mouse. Panels have titles of their own."""

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        self._hovered = False
        self.setToolTip("Drag to move this panel, double-click to take it out of the window")
        self.setCursor(Qt.CursorShape.SizeAllCursor)

    def sizeHint(self) -> QSize:
        return QSize(40, _HANDLE_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._hovered:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("secondary"))
        painter.drawRoundedRect(QRectF(self.width() / 2 - 20, 3, 40, 3), 1.5, 1.5)


def add_dock(
    window: QMainWindow, area: Qt.DockWidgetArea, object_name: str, title: str, content: QWidget
) -> QDockWidget:
    """Puts `content` into a panel that the user can move, float and hide."""
    dock = QDockWidget(title, window)
    # The dock has a name of its own: the content's belongs to automated use.
    dock.setObjectName(object_name)
    dock.setTitleBarWidget(_Handle(dock))
    dock.setWidget(content)
    dock.toggleViewAction().setText(title)
    window.addDockWidget(area, dock)
    return dock
