"""A card at the lower edge of the page for messages that need no dialog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import shiboken6
from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QColor, QHideEvent, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QBoxLayout,
    QFrame,
    QGraphicsDropShadowEffect,
    QHBoxLayout,
    QMenuBar,
    QPushButton,
    QToolButton,
    QWidget,
)

from cnnstudio.gui.theme.sizes import NO_LIMIT
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_entry, plain_text

_MAX_CHARACTERS = 1_000
"""Longer messages would cover the page."""
_MAX_BUTTON = 40
_MAX_NOTES = 4
"""At a time; older ones make room."""
_MIN_WIDTH, _MAX_WIDTH, _MARGIN = 360, 1_000, 12
"""In a wide window a message is wide rather than high: it covers less of the page."""
_READING_MS = 8_000
"""How long a message stays that asks for nothing, and for each character of it:"""
_READING_MS_PER_CHARACTER = 80
_SLOT_MARGIN = 6
_MARGINS, _LOW_MARGINS, _LOW_BUTTON = (14, 8, 8, 8), (14, 0, 4, 0), 22
_BELOW_MENUS = 8
"""Pixels between the menus and what is below them."""
_LIFT = 76
"""Pixels above the lower edge of the page: what one can do next stands at the foot of its panels."""


@dataclass(frozen=True)
class Message:
    """A message for the user, with at most one action."""

    text: str
    is_error: bool = False
    button: str = ""
    """The text of the button that calls `action`; without it there is no button."""
    action: Callable[[], object] | None = None
    is_note: bool = False
    """Whether it is shown below other notes and messages with a button, instead of in their place."""
    holds: Callable[[], bool] | None = None
    """Whether its reason is still there; asked by `refresh`. None: it stays until it is closed."""
    closed: Callable[[], object] | None = None
    """Called when the user closes it without pressing the button."""


class MessageBar(QFrame):
    """Shows one message at a time, errors in red, with an optional button.

    What only informs stands beside the menus, where it covers nothing, or over the page where it is too long
    for that, so that nothing moves. It goes by itself when there was time to read it, but not while the mouse
    or the focus is in it. What stays until it is closed has a place of its own below the page, where there is
    one: it would cover for as long what the user looks at.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messageBar")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self._text = Label(wrap=True)
        self._text.setObjectName("messageText")
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._button = QPushButton(self)
        self._button.setObjectName("messageButton")
        self._button.clicked.connect(self._on_button)
        self._close = QToolButton(self)
        self._close.setObjectName("messageClose")
        self._close.setText("✕")
        self._close.setToolTip("Close this message")
        self._close.setAccessibleName("Close this message")
        self._close.clicked.connect(self._on_close)
        self._messages: list[Message] = []
        """What is shown, one below the other: several only if they are notes."""
        self._restore_focus_to: QWidget | None = None
        """What had the focus before it came into the bar."""
        self._area: QWidget | None = None
        self._slot: QWidget | None = None
        """The place of its own that it has in what lies over the area."""
        self._below: QWidget | None = None
        """The place of its own below the area, for what stays."""
        self._menus: QMenuBar | None = None
        """What has room to its right."""
        self._clear: QWidget | None = None
        """What it never covers."""
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self._place)
        self._reading = QTimer(self)
        self._reading.setSingleShot(True)
        self._reading.timeout.connect(self._on_read)
        # A click must not take the focus from where the user works.
        self._button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)
        self._body = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._body.setSpacing(8)
        self._body.addWidget(self._text, 1)
        self._body.addWidget(self._button, 0, Qt.AlignmentFlag.AlignLeft)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(*_MARGINS)
        layout.setSpacing(8)
        layout.addLayout(self._body, 1)
        layout.addWidget(self._close, 0, Qt.AlignmentFlag.AlignVCenter)
        self.hide()

    def float_over(self, area: QWidget, window: QWidget, below: QWidget | None = None) -> None:
        """Shows the messages over the lower edge of `area`, a widget in `window`.

        Those that stay are shown in `below`, a widget without a height of its own in the layout of the area,
        as far as the area can become so much less high.
        """
        self.setParent(window)
        self._area, self._below = area, below
        if below is not None:
            below.hide()
        area.installEventFilter(self)
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(24)
        shadow.setOffset(0, 4)
        shadow.setColor(QColor(0, 0, 0, 70))
        self.setGraphicsEffect(shadow)
        self.hide()

    def stand_beside(self, menus: QMenuBar) -> None:
        """Shows what only informs to the right of the menus, if it fits there."""
        self._menus = menus
        menus.installEventFilter(self)
        self._place()

    def use_slot(self, slot: QWidget | None) -> None:
        """Shows the messages in `slot`, a widget of the window without a height of its own, or None for over
        the area.

        What lies over the area, such as a list, has no rows to spare: it gives the message a place.
        """
        self._leave_places()
        self._slot = slot
        self._place()

    def keep_clear(self, panel: QWidget) -> None:
        """Shows messages to the left of `panel`, at the right edge of the area, while it is visible."""
        self._clear = panel
        panel.installEventFilter(self)
        self._place()

    @property
    def text(self) -> str:
        """The text of the message; empty while the bar is hidden."""
        return "" if self.isHidden() else self._text.text()

    def show_text(
        self,
        text: str,
        *,
        is_error: bool = False,
        button: str = "",
        action: Callable[[], object] | None = None,
        holds: Callable[[], bool] | None = None,
    ) -> None:
        """Shows `text`. A click on `button` hides the bar and calls `action`."""
        self._show([Message(text, is_error, button, action, holds=holds)])

    def show_message(self, message: Message) -> None:
        """The same for a Message, as the slot of a signal.

        An offer that is there already stays as it is, so that an edit at a time can repeat it.
        """
        if message.button and not self.isHidden():
            same = [(each.text, each.button) == (message.text, message.button) for each in self._messages]
            if any(same):
                self._messages[same.index(True)] = message
                return
        kept: list[Message] = []
        if message.is_note and not self.isHidden():
            # The bar has a single button.
            kept = [
                each
                for each in self._messages
                if each.text != message.text and (not message.button if each.button else each.is_note)
            ]
        self._show([*kept, message][-_MAX_NOTES:])

    def _show(self, messages: list[Message]) -> None:
        self._messages = messages
        self._text.setText(plain_text("\n".join(each.text for each in messages), _MAX_CHARACTERS))
        self.setAccessibleName(self._text.text())
        self._button.setText(plain_entry(self._acting.button, _MAX_BUTTON))
        self._button.setVisible(bool(self._acting.button))
        # Long texts need the whole width.
        beside, below = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
        self._body.setDirection(below if len(messages) > 1 else beside)
        self.setProperty("wrong", any(each.is_error for each in messages))
        self.style().unpolish(self)
        self.style().polish(self)
        self.show()
        self._place()
        self._start_reading()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self._text.text()))

    @property
    def _stays(self) -> bool:
        """Whether it stays until it is closed, or its reason is gone."""
        return any(each.is_error or each.button for each in self._messages)

    def _start_reading(self) -> None:
        if self._stays:
            self._reading.stop()
        else:
            self._reading.start(_READING_MS + _READING_MS_PER_CHARACTER * len(self._text.text()))

    def _on_read(self) -> None:
        focused = QApplication.focusWidget()
        has_focus = focused is not None and self.isAncestorOf(focused)
        if self.underMouse() or has_focus or not self.window().isActiveWindow():
            self._start_reading()
        else:
            self.dismiss()

    @property
    def _acting(self) -> Message:
        """The message that the button belongs to; one without a button if there is none."""
        return next((each for each in self._messages if each.button), Message(""))

    def withdraw(self, text: str) -> None:
        """Removes the message with this text, if the bar still shows it."""
        self._keep([each for each in self._messages if each.text != text])

    def refresh(self, *_: object) -> None:
        """Removes the messages whose reason is gone."""
        self._keep([each for each in self._messages if each.holds is None or each.holds()])

    def _keep(self, rest: list[Message]) -> None:
        if self.isHidden() or len(rest) == len(self._messages):
            return
        if rest:
            self._show(rest)
        else:
            self.dismiss()

    def ask(self, text: str, button: str, action: Callable[[], object]) -> None:
        """Shows a question and moves the focus to its button; it returns when the bar is hidden."""
        self.show_text(text, button=button, action=action)
        self._button.setFocus(Qt.FocusReason.OtherFocusReason)

    def dismiss(self) -> None:
        """Hides the bar; the focus, if it is in it, goes back to where it was."""
        target, focused = self._restore_focus_to, QApplication.focusWidget()
        is_inside = focused is not None and self.isAncestorOf(focused)
        if is_inside and target is not None and shiboken6.isValid(target):
            target.setFocus(Qt.FocusReason.OtherFocusReason)
        self.hide()

    def _on_close(self) -> None:
        closed = self._messages
        self.dismiss()
        for each in closed:
            if each.closed is not None:
                each.closed()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not event.spontaneous():
            self._leave_places()
        self._reading.stop()
        self._restore_focus_to = None

    def _on_focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        is_entered = now is not None and self.isAncestorOf(now)
        if is_entered and before is not None and not self.isAncestorOf(before):
            self._restore_focus_to = before

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Called only if the focus is in the bar: elsewhere Escape has other uses.
        if event.key() == Qt.Key.Key_Escape:
            self._on_close()
        else:
            super().keyPressEvent(event)

    def _on_button(self) -> None:
        action = self._acting.action
        self.dismiss()
        if action is not None:
            action()

    # Its place

    def _leave_places(self, but: QWidget | None = None) -> None:
        for place in (self._slot, self._below):
            if place is not None and place is not but:
                place.hide()

    def _place(self) -> None:
        """In a place of its own or at the lower edge of the area, as wide as the text needs."""
        area, window = self._area, self.parentWidget()
        if area is None or window is None or self.isHidden():
            return
        place = self._slot or self._place_below(area)
        self._leave_places(but=place)
        if place is None and self._place_beside_menus(window):
            return
        self._set_low(False)
        if place is None:
            free = self._free_width(area)
            width = self._fitting_width(free - 4 * _MARGIN)
            height = self._height_at(width)
            corner = QPoint((free - width) // 2, max(area.height() - height - _LIFT, _MARGIN))
        else:
            place.show()
            _lay_out_around(place)
            width = self._fitting_width(place.width() - 2 * _MARGIN)
            height = self._height_at(width)
            # Above the place below, the page has a margin of its own.
            top = 0 if place is self._below else _SLOT_MARGIN
            place.setFixedHeight(top + height + _SLOT_MARGIN)
            _lay_out_around(place)
            corner = QPoint((place.width() - width) // 2, top)
        corner = (place or area).mapTo(window, corner)
        self.setGeometry(corner.x(), corner.y(), width, height)
        self.raise_()

    def _place_below(self, area: QWidget) -> QWidget | None:
        """The place below the area, if the messages are to be shown there and the area can spare the room."""
        below = self._below
        if below is None or not self._stays:
            return None
        height = self._height_at(self._fitting_width(area.width() - 2 * _MARGIN)) + _SLOT_MARGIN
        has = area.height() + (0 if below.isHidden() else below.height())
        least = max(area.minimumSizeHint().height(), area.minimumHeight())
        return below if has - height >= least else None

    def _place_beside_menus(self, window: QWidget) -> bool:
        """Whether the messages stand there now: only what goes by itself, in one or two lines."""
        menus = self._menus
        if menus is None or self._stays or menus.isNativeMenuBar() or not menus.isVisible():
            return False
        left = max((menus.actionGeometry(each).right() for each in menus.actions()), default=0) + _MARGIN
        room = menus.width() - left - _MARGIN
        if room < _MIN_WIDTH:
            return False
        self._set_low(True)
        width = min(self._natural_width(), room)
        height = self._height_at(width)
        if height > menus.height() + _BELOW_MENUS:
            return False
        corner = menus.mapTo(window, QPoint(left + room - width, max((menus.height() - height) // 2, 0)))
        self.setGeometry(corner.x(), corner.y(), width, height)
        self.raise_()
        return True

    def _set_low(self, is_low: bool) -> None:
        """Whether it has no room around its text."""
        layout = self.layout()
        assert layout is not None
        layout.setContentsMargins(*(_LOW_MARGINS if is_low else _MARGINS))
        self._close.setMaximumHeight(_LOW_BUTTON if is_low else NO_LIMIT)

    def _fitting_width(self, most: int) -> int:
        most = min(_MAX_WIDTH, most)
        return max(min(self._natural_width(), most), min(_MIN_WIDTH, most))

    def _height_at(self, width: int) -> int:
        layout = self.layout()
        assert layout is not None
        # Inner layouts first: the outer one needs their new size hints.
        self._body.invalidate()
        layout.activate()
        return layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else self.sizeHint().height()

    def _free_width(self, area: QWidget) -> int:
        """Of the area, up to what must not be covered."""
        if self._clear is None or not self._clear.isVisible():
            return area.width()
        left = self._clear.mapToGlobal(QPoint(0, 0)).x() - area.mapToGlobal(QPoint(0, 0)).x()
        return min(left, area.width()) if left >= _MIN_WIDTH else area.width()

    def _natural_width(self) -> int:
        metrics, lines = self._text.fontMetrics(), self._text.text().split("\n")
        widest = max(metrics.horizontalAdvance(line) for line in lines)
        beside = self._body.direction() is QBoxLayout.Direction.LeftToRight and self._acting.button
        return widest + (self._button.sizeHint().width() + 8 if beside else 0) + 76

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        moved = (QEvent.Type.Resize, QEvent.Type.Move)
        # When the interpreter ends, it destroys the parts of a window in any order.
        if not shiboken6.isValid(self._text):
            return False
        if event.type() in (*moved, QEvent.Type.Show, QEvent.Type.Hide) and not self.isHidden():
            self._place()
            # Again when the panels in the area have their places.
            self._settle.start()
        return False


def _lay_out_around(widget: QWidget) -> None:
    """Gives a widget its place now: usually that waits for the event loop."""
    parent = widget.parentWidget()
    layout = parent.layout() if parent is not None else None
    if layout is not None:
        layout.activate()
