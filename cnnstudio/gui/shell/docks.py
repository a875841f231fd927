"""The movable panels around the layer list."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QMargins, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QAction, QEnterEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabBar, QVBoxLayout, QWidget

from cnnstudio.gui.theme.theme import theme

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
    """A panel that the user can move, float, hide, and put behind others as a tab.

    Its content may be a function that makes it: it is called when the panel is in front for the first time.
    """

    def __init__(
        self,
        window: QMainWindow,
        object_name: str,
        title: str,
        content: QWidget | Callable[[], QWidget],
        place: Qt.DockWidgetArea | Dock,
    ) -> None:
        """`place` is where it first stands: at one side of the window, or behind another panel."""
        super().__init__(title, window)
        self.place = place
        # The dock has a name of its own: the content's belongs to automated use.
        self.setObjectName(object_name)
        self.setTitleBarWidget(_Handle(self))
        self._frame = QWidget()
        self._layout = QVBoxLayout(self._frame)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._make = content if callable(content) else None
        self._content = None if callable(content) else content
        if self._content is not None:
            self._take(self._content)
        self.setWidget(self._frame)
        self.action = QAction(title, self)
        """Brings the panel to the front and the focus into it; where it is in front, closes it."""
        self.action.setObjectName(f"action{object_name[:1].upper()}{object_name[1:]}")
        self.action.setCheckable(True)
        self.action.triggered.connect(self._on_action)
        self.visibilityChanged.connect(self._on_visibility_changed)
        self.dockLocationChanged.connect(self._on_moved)
        self.topLevelChanged.connect(lambda _: self._on_moved(window.dockWidgetArea(self)))
        if isinstance(place, Dock):
            self.hide()
        else:
            window.addDockWidget(place, self)

    @property
    def content(self) -> QWidget:
        """What stands in it; made now if it was not yet."""
        if self._content is None:
            assert self._make is not None
            self._content = self._make()
            self._take(self._content)
        return self._content

    def _take(self, content: QWidget) -> None:
        policy = content.sizePolicy()
        # Panels that share a place keep their size when another comes to the front.
        policy.setRetainSizeWhenHidden(True)
        content.setSizePolicy(policy)
        self._layout.addWidget(content)

    def bring_to_front(self) -> None:
        """Shows the panel, before others that share its place, and gives it the focus."""
        self.show()
        self.raise_()
        content = self.content
        self._on_visibility_changed(True)
        first = content.focusProxy() or next(filter(_takes_focus, content.findChildren(QWidget)), None)
        if first is not None:
            first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _on_action(self, checked: bool) -> None:
        if checked:
            self.bring_to_front()
        else:
            self.close()

    def _on_visibility_changed(self, in_front: bool) -> None:
        self.action.setChecked(in_front)
        if self._content is not None:
            # Qt only moves a panel behind others out of sight: it would go on drawing what nobody sees.
            self._content.setVisible(in_front)
        elif in_front:
            # While panels are arranged, some are in front for a moment.
            QTimer.singleShot(0, self, self._make_if_in_front)

    def _make_if_in_front(self) -> None:
        if self.action.isChecked():
            self.content.show()

    def _on_moved(self, area: Qt.DockWidgetArea) -> None:
        alone = QMargins(_MARGIN, 0, _MARGIN, _MARGIN)
        self._layout.setContentsMargins(alone if self.isFloating() else _MARGINS.get(area, alone))


def _takes_focus(widget: QWidget) -> bool:
    return widget.isVisible() and widget.isEnabled() and bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


def arrange(window: QMainWindow, docks: Sequence[Dock]) -> None:
    """Puts all panels where they first stand.

    WORKAROUND: Qt 6.12 leaves a second tab bar behind, which stays where it is, for panels that are put or
    restored behind each other before their window is shown, and for those that are so already.
    """
    for dock in docks:
        dock.setFloating(False)
        window.removeDockWidget(dock)
    layout = window.layout()
    if layout is not None:
        layout.activate()
    for dock in docks:
        if isinstance(dock.place, Dock):
            window.tabifyDockWidget(dock.place, dock)
        else:
            window.addDockWidget(dock.place, dock)
        dock.show()
    for dock in docks:
        if not isinstance(dock.place, Dock):
            dock.raise_()


def name_tabs(window: QMainWindow) -> None:
    """Gives the tab bars, which Qt makes, a name for those who hear it."""
    for bar in window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
        bar.setAccessibleName("Panels that share this place")
