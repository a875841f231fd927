"""Mouse and keyboard input, for tests that use the window as a person does."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QWindow
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QWidget


class UserInput:
    """Clicks, drags and types in a window; saves a screenshot of each step if a folder is given."""

    def __init__(self, window: QWidget, images: Path | None = None) -> None:
        self.window = window
        self._images = images
        self._steps = 0

    @property
    def can_drag(self) -> bool:
        """Whether the platform supports a drag with synthetic mouse events."""
        return QGuiApplication.platformName() == "xcb"

    def find(self, kind: type[QWidget], name: str) -> QWidget:
        """The widget with this object name."""
        found = self.window.findChild(kind, name)
        assert isinstance(found, kind), f"there is no {name}"
        return found

    def click(self, widget: QWidget, position: QPoint | None = None) -> None:
        """Clicks with the left button, by default at the center."""
        QTest.mouseClick(
            widget,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
            position or widget.rect().center(),
        )

    def click_button(self, text: str, within: QWidget | None = None) -> None:
        """Clicks the visible button whose text or accessible name contains `text`."""
        buttons = [
            button
            for button in (within or self.window).findChildren(QPushButton)
            if button.isVisible() and text in (button.text().replace("&", "") or button.accessibleName())
        ]
        assert buttons, f"there is no button “{text}”"
        self.click(buttons[0])

    def keys(self, widget: QWidget, text: str) -> None:
        QTest.keyClicks(widget, text)

    def press(
        self,
        widget: QWidget,
        key: Qt.Key,
        modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
    ) -> None:
        QTest.keyClick(widget, key, modifiers)

    def write(self, field: QWidget, text: str) -> None:
        """Replaces the text of a field and leaves it with Tab."""
        field.setFocus(Qt.FocusReason.TabFocusReason)
        self.press(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        self.keys(field, text)
        self.press(field, Qt.Key.Key_Tab)

    def drag(self, source: QWidget, start: QPoint, target: QWidget, end: QPoint) -> None:
        """Drags from `start` to `end` and returns after the drop."""
        handle = self.window.windowHandle()
        begin, finish = source.mapTo(self.window, start), target.mapTo(self.window, end)
        dropped: list[bool] = []

        def move_and_release() -> None:
            # The drag runs its own event loop until the button is released.
            for part in (0.3, 0.6, 0.9, 1.0, 1.0):
                QTest.mouseMove(handle, begin + (finish - begin) * part)
                QTest.qWait(20)
            QTest.mouseRelease(handle, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, finish)
            dropped.append(True)

        QTest.mousePress(handle, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, begin)
        QTimer.singleShot(50, move_and_release)
        QTest.mouseMove(handle, begin + QPoint(6, 6))
        QTest.mouseMove(handle, begin + QPoint(24, 24))
        self.wait_for(lambda: bool(dropped), "the drop")

    def wait_for(self, condition: Callable[[], object], what: str, seconds: float = 120) -> None:
        """Processes events until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
            QApplication.processEvents()
            time.sleep(0.005)

    def screenshot(self, name: str) -> None:
        """Saves what the window shows now."""
        self._steps += 1
        if self._images is not None:
            QApplication.processEvents()
            active = QApplication.activeModalWidget() or self.window
            active.grab().save(str(self._images / f"{self._steps:02}-{name}.png"))


def drag_over(window: QWidget, *paths: Path) -> tuple[QWindow, QMimeData]:
    """Drags files into the window, as the platform reports it; `drop` ends it."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    handle = window.windowHandle()
    QApplication.sendEvent(handle, QDragEnterEvent(_place(window), *_drag_arguments(data)))
    return handle, data


def drop(window: QWidget, handle: QWindow, data: QMimeData) -> None:
    QApplication.sendEvent(handle, QDropEvent(_place(window), *_drag_arguments(data)))


def drag_and_drop(window: QWidget, *paths: Path) -> None:
    """Drops files on the middle of the window. What is done with them is done a moment later."""
    drop(window, *drag_over(window, *paths))


def _place(window: QWidget) -> QPointF:
    return QPointF(window.rect().center())


def _drag_arguments(
    data: QMimeData,
) -> tuple[Qt.DropAction, QMimeData, Qt.MouseButton, Qt.KeyboardModifier]:
    return Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def exit_process() -> NoReturn:
    """Ends a script as the program ends, without the interpreter's cleanup."""
    sys.stdout.flush()
    os._exit(0)


class Keyboard:
    """Sends keys to the window as the system does: the window dispatches them to the focused widget."""

    def __init__(self, window: QWidget) -> None:
        self._window = window

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self._window.windowHandle(), key, modifiers)
        QApplication.processEvents()

    def type(self, text: str) -> None:
        """Types lowercase letters, digits, spaces and commas."""
        for sign in text:
            self.press(Qt.Key(ord(sign.upper())))

    def tab_to(self, name: str) -> None:
        """Presses Tab until the widget with this object name has the focus."""
        for _ in range(100):
            focused = QApplication.focusWidget()
            if focused is not None and focused.objectName() == name:  # type: ignore[redundant-expr]  # the type stub has no None
                return
            self.press(Qt.Key.Key_Tab)
        raise AssertionError(f"Tab does not reach {name}")
