"""A card that lies over the window beside what it is about.

It is no window of its own, so that every platform puts it where it belongs and no focus is lost to it.
"""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QHideEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QFrame, QGraphicsDropShadowEffect, QWidget

_GAP = 6
_EDGE = 8


class Overlay(QFrame):
    """Hidden until it is shown. One that holds the focus goes when that goes elsewhere, and by Escape."""

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
        self._give_back: QWidget | None = None
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)
        self.hide()

    def hold(self) -> None:
        """Keeps the card while the focus is in it; `leave` gives the focus back to where it was."""
        if self.holds_focus:
            return
        before = QApplication.focusWidget()
        outside = before is not None and not self.isAncestorOf(before)
        self._give_back = before if outside else self._anchor[0] if self._anchor else None
        self.holds_focus = True

    def leave(self) -> None:
        """Hides the card; the focus is where it was before."""
        back, self._give_back = self._give_back, None
        self.holds_focus = False
        if back is not None and shiboken6.isValid(back) and back.isVisible():
            back.setFocus(Qt.FocusReason.PopupFocusReason)
        self.hide()

    def setVisible(self, visible: bool) -> None:
        """With the focus in it, hiding is leaving: else Qt would give the focus to whatever comes next."""
        now = QApplication.focusWidget()
        if not visible and self._give_back is not None and now is not None and self.isAncestorOf(now):
            self.leave()
        else:
            super().setVisible(visible)

    def show_at(self, widget: QWidget, rect: QRect) -> None:
        """Shows it below `rect` of `widget`, or above where there is more room; always in the window."""
        self._anchor = (widget, rect)
        # Its parent is the window, to which it belongs for good.
        window = self.window()
        # From the inside out: only then the outer ones hear of what became larger in the inner ones.
        for part in (*reversed(self.findChildren(QWidget)), self):
            layout = part.layout()
            if layout is not None:
                layout.activate()
        room = window.rect().adjusted(_EDGE, _EDGE, -_EDGE, -_EDGE)
        anchor = QRect(widget.mapTo(window, rect.topLeft()), rect.size())
        height = min(max(self.heightForWidth(self.width()), self.sizeHint().height()), room.height())
        top = anchor.bottom() + _GAP
        if top + height > room.bottom() and anchor.top() - room.top() > room.bottom() - anchor.bottom():
            top = anchor.top() - _GAP - height
        is_left = anchor.center().x() < room.center().x()
        left = anchor.left() if is_left else anchor.right() - self.width()
        left = max(min(left, room.right() - self.width()), room.left())
        self.resize(self.width(), height)
        self.move(QPoint(left, max(min(top, room.bottom() - height), room.top())))
        self.show()
        self.raise_()

    def place_again(self) -> None:
        """After its content changed: another height, at the same place."""
        if self._anchor is not None:
            self.show_at(*self._anchor)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._give_back = None
        self.holds_focus = False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            super().keyPressEvent(event)

    def _on_focus_changed(self, _: QWidget | None, now: QWidget | None) -> None:
        if not self.isVisible() or now is None:
            return
        if self.isAncestorOf(now):
            # The mouse chose something in a card that only came by: now it stays.
            self.hold()
        elif self.holds_focus:
            self.hide()
