"""The movable panels around the layer list."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMargins, QRectF, QSize, Qt
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QVBoxLayout, QWidget

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


_MARGIN = 8
_MARGINS = {
    Qt.DockWidgetArea.LeftDockWidgetArea: QMargins(_MARGIN, 0, 0, 0),
    Qt.DockWidgetArea.RightDockWidgetArea: QMargins(0, 0, _MARGIN, 0),
    Qt.DockWidgetArea.TopDockWidgetArea: QMargins(_MARGIN, 0, _MARGIN, 0),
    Qt.DockWidgetArea.BottomDockWidgetArea: QMargins(_MARGIN, 0, _MARGIN, _MARGIN),
}
"""The room between a panel and the window's edge, by where it stands; splitters stand on the other sides."""


class Dock(QDockWidget):
    """A panel that the user can move, float and hide."""

    def __init__(self, window: QMainWindow, object_name: str, title: str, content: QWidget) -> None:
        super().__init__(title, window)
        # The dock has a name of its own: the content's belongs to automated use.
        self.setObjectName(object_name)
        self.setTitleBarWidget(_Handle(self))
        frame = QWidget()
        self._layout = QVBoxLayout(frame)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(content)
        self.setWidget(frame)
        self.toggleViewAction().setText(title)
        self.dockLocationChanged.connect(self._on_moved)
        self.topLevelChanged.connect(lambda _: self._on_moved(window.dockWidgetArea(self)))

    def _on_moved(self, area: Qt.DockWidgetArea) -> None:
        alone = QMargins(_MARGIN, 0, _MARGIN, _MARGIN)
        self._layout.setContentsMargins(alone if self.isFloating() else _MARGINS.get(area, alone))


def add_dock(
    window: QMainWindow, area: Qt.DockWidgetArea, object_name: str, title: str, content: QWidget
) -> Dock:
    """Puts `content` into a panel at one side of the window."""
    dock = Dock(window, object_name, title, content)
    window.addDockWidget(area, dock)
    return dock
