"""The movable panels around the layer list."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QMargins, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabBar, QVBoxLayout, QWidget

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.actions import ActionSet, ActionSpec

_HANDLE_HEIGHT = 8


class _Handle(QWidget):
    """The strip for dragging a panel, drawn on hover; it replaces the title bar."""

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        self._hovered = False
        self.setToolTip("Drag to move this panel; double-click to detach it")
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
"""The margins of a panel towards the window's edges, by dock area; the other sides border on splitters."""


class Dock(QDockWidget):
    """A panel that the user can move, float, hide, and stack with others as tabs.

    Its content can be a factory function, which is called when the panel first comes to the front.
    """

    front_changed = Signal()
    """It came to the front, went behind another tab, or was closed."""

    def __init__(
        self,
        window: QMainWindow,
        object_name: str,
        title: str,
        content: QWidget | Callable[[], QWidget],
        default_location: Qt.DockWidgetArea | Dock,
        shortcut: str = "",
    ) -> None:
        """`default_location` is one side of the window, or the panel behind which this one is a tab."""
        super().__init__(title, window)
        self.default_location = default_location
        # Distinct from the content's object name, by which other programs find the content.
        self.setObjectName(object_name)
        self.setTitleBarWidget(_Handle(self))
        self._frame = QWidget()
        self._layout = QVBoxLayout(self._frame)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._factory = content if callable(content) else None
        self._content = None if callable(content) else content
        if self._content is not None:
            self._set_content(self._content)
        self.setWidget(self._frame)
        self.is_in_front = False
        spec = _action_spec(object_name, title, shortcut)
        self.action_set = ActionSet(self, (spec,), self, (self.front_changed,))
        self.action = self.action_set[spec.name]
        self.visibilityChanged.connect(self._on_visibility_changed)
        self.dockLocationChanged.connect(self._on_moved)
        self.topLevelChanged.connect(lambda _: self._on_moved(window.dockWidgetArea(self)))
        if isinstance(default_location, Dock):
            self.hide()
        else:
            window.addDockWidget(default_location, self)

    @property
    def content(self) -> QWidget:
        """The content, created on first access."""
        if self._content is None:
            assert self._factory is not None
            self._content = self._factory()
            self._set_content(self._content)
        return self._content

    def _set_content(self, content: QWidget) -> None:
        policy = content.sizePolicy()
        # Tabs that share an area keep its size when another one comes to the front.
        policy.setRetainSizeWhenHidden(True)
        content.setSizePolicy(policy)
        self._layout.addWidget(content)

    def bring_to_front(self) -> None:
        """Shows the panel, in front of the tabs that share its area, and gives it the focus."""
        self.show()
        self.raise_()
        content = self.content
        self._on_visibility_changed(True)
        first = content.focusProxy() or next(filter(_takes_focus, content.findChildren(QWidget)), None)
        if first is not None:
            first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def toggle(self) -> None:
        """Brings the panel to the front and gives it the focus; closes it if it is in front already."""
        if self.is_in_front:
            self.close()
        else:
            self.bring_to_front()

    def _on_visibility_changed(self, in_front: bool) -> None:
        self.is_in_front = in_front
        self.front_changed.emit()
        if self._content is not None:
            # Qt only moves the tabs behind off screen, where they would keep painting.
            self._content.setVisible(in_front)
        elif in_front:
            # While panels are arranged, some are in front for a moment only, so wait for the event loop.
            QTimer.singleShot(0, self, self._create_if_in_front)

    def _create_if_in_front(self) -> None:
        if self.is_in_front:
            self.content.show()

    def _on_moved(self, area: Qt.DockWidgetArea) -> None:
        floating = QMargins(_MARGIN, 0, _MARGIN, _MARGIN)
        self._layout.setContentsMargins(floating if self.isFloating() else _MARGINS.get(area, floating))


def _action_spec(object_name: str, title: str, shortcut: str) -> ActionSpec[Dock]:
    return ActionSpec(
        f"action{object_name[:1].upper()}{object_name[1:]}",
        title,
        Dock.toggle,
        menu="View",
        tooltip=f"Show or hide the {title} panel",
        shortcuts=(shortcut,) if shortcut else (),
        checked=lambda dock: dock.is_in_front,
    )


def _takes_focus(widget: QWidget) -> bool:
    return widget.isVisible() and widget.isEnabled() and bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


def arrange_docks(window: QMainWindow, docks: Sequence[Dock]) -> None:
    """Moves all panels to their default locations.

    WORKAROUND: Qt 6.12 leaves a stale second tab bar behind if panels are tabified before their window is
    shown, or if they are tabified already. So call this after showing the window; it removes all docks first.
    """
    for dock in docks:
        dock.setFloating(False)
        window.removeDockWidget(dock)
    layout = window.layout()
    if layout is not None:
        layout.activate()
    for dock in docks:
        if isinstance(dock.default_location, Dock):
            window.tabifyDockWidget(dock.default_location, dock)
        else:
            window.addDockWidget(dock.default_location, dock)
        dock.show()
    for dock in docks:
        if not isinstance(dock.default_location, Dock):
            dock.raise_()


def set_tab_bar_names(window: QMainWindow) -> None:
    """Gives the tab bars that Qt creates an accessible name for screen readers."""
    for bar in window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
        bar.setAccessibleName("Panels in this area")
