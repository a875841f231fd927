"""A card that is shown over the window, next to the widget that it is about.

It is a child of the window rather than a popup window, because then every platform shows it at the right
position and it does not take the focus from the window.
"""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QColor, QHideEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QFrame, QGraphicsDropShadowEffect, QWidget

_GAP = 6
_EDGE = 8


class Overlay(QFrame):
    """Hidden at first. A card that holds the focus is hidden when it loses the focus, and by Escape."""

    def __init__(self, object_name: str, width: int, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName(object_name)
        self.setProperty("role", "overlay")
        self.setFixedWidth(width)
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(24)
        shadow.setOffset(0, 4)
        shadow.setColor(QColor(0, 0, 0, 70))
        self.setGraphicsEffect(shadow)
        self.holds_focus = False
        self._anchor: tuple[QWidget, QRect] | None = None
        self._restore_focus_to: QWidget | None = None
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self._follow)
        self._watched: list[QWidget] = []
        """What the place of the anchor depends on."""
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)
        self.hide()

    def hold_focus(self) -> None:
        """Keeps the card shown while it contains the focus; `dismiss` restores the focus."""
        if self.holds_focus:
            return
        before = QApplication.focusWidget()
        is_outside = before is not None and not self.isAncestorOf(before)
        self._restore_focus_to = before if is_outside else self._anchor[0] if self._anchor else None
        self.holds_focus = True

    def dismiss(self) -> None:
        """Hides the card and restores the focus to the widget that had it before."""
        target, self._restore_focus_to = self._restore_focus_to, None
        self.holds_focus = False
        if target is not None and shiboken6.isValid(target) and target.isVisible():
            target.setFocus(Qt.FocusReason.PopupFocusReason)
        self.hide()

    def setVisible(self, visible: bool) -> None:
        """Hiding a card that contains the focus dismisses it: Qt would pass the focus to the next widget."""
        now = QApplication.focusWidget()
        is_inside = now is not None and self.isAncestorOf(now)
        if not visible and self._restore_focus_to is not None and is_inside:
            self.dismiss()
        else:
            super().setVisible(visible)

    def show_at(self, widget: QWidget, rect: QRect) -> None:
        """Shows the card below `rect` of `widget`, or above it if there is more space, within the window."""
        if self._anchor is None or self._anchor[0] is not widget or not self._watched:
            self._watch(widget)
        self._anchor = (widget, rect)
        # The window is the parent of the card.
        window = self.window()
        # Inner layouts first: an outer layout needs the new size hints of the inner ones.
        for child in (*reversed(self.findChildren(QWidget)), self):
            layout = child.layout()
            if layout is not None:
                layout.activate()
        area = window.rect().adjusted(_EDGE, _EDGE, -_EDGE, -_EDGE)
        anchor = QRect(widget.mapTo(window, rect.topLeft()), rect.size())
        height = min(max(self.heightForWidth(self.width()), self.sizeHint().height()), area.height())
        top = anchor.bottom() + _GAP
        if top + height > area.bottom() and anchor.top() - area.top() > area.bottom() - anchor.bottom():
            top = anchor.top() - _GAP - height
        is_left = anchor.center().x() < area.center().x()
        left = anchor.left() if is_left else anchor.right() - self.width()
        left = max(min(left, area.right() - self.width()), area.left())
        self.resize(self.width(), height)
        self.move(QPoint(left, max(min(top, area.bottom() - height), area.top())))
        self.show()
        self.raise_()

    def reposition(self) -> None:
        """Shows the card at the same place again after its content and so its height have changed."""
        if self._anchor is not None:
            self.show_at(*self._anchor)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # When the interpreter ends, it destroys the parts of a window in any order.
        moved = (QEvent.Type.Resize, QEvent.Type.Move)
        if event.type() in moved and shiboken6.isValid(self._settle) and not self.isHidden():
            # When all of them have their new places.
            self._settle.start()
        return False

    def _watch(self, widget: QWidget | None) -> None:
        """Follows this widget from now on, or none."""
        for each in filter(shiboken6.isValid, self._watched):
            each.removeEventFilter(self)
        self._watched = []
        while widget is not None:
            widget.installEventFilter(self)
            self._watched.append(widget)
            widget = None if widget.isWindow() else widget.parentWidget()

    def _follow(self) -> None:
        """Stays beside what it is about after the window was resized."""
        anchor = self._anchor[0] if self._anchor else None
        if anchor is not None and shiboken6.isValid(anchor) and anchor.isVisible() and self.isVisible():
            self.reposition()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._restore_focus_to = None
        self.holds_focus = False
        if not event.spontaneous():
            self._watch(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)

    def _on_focus_changed(self, _: QWidget | None, now: QWidget | None) -> None:
        if not self.isVisible() or now is None:
            return
        if self.isAncestorOf(now):
            # A click into a card that was only shown in passing: from now on it stays.
            self.hold_focus()
        elif self.holds_focus:
            self.hide()
