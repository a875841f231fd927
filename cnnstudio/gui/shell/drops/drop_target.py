"""Makes the whole window a target for files and folders."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.shell.drops.opener import Opener
from cnnstudio.gui.shell.drops.overlay import DropOverlay


class DropTarget(QObject):
    """While files are dragged over the window, an overlay says what dropping them will do.

    It listens to the window of the platform, because Qt sends a drag to the innermost widget that takes
    drops, and fields for text would take the names of the files. Layers, which are dragged within the window,
    are no files and pass.
    """

    def __init__(self, window: QWidget, opener: Opener) -> None:
        super().__init__(window)
        self._opener = opener
        self._window = window
        self.overlay = DropOverlay(window)
        window.setAcceptDrops(True)
        window.installEventFilter(self)
        self.overlay.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind is QEvent.Type.Show and watched is self._window:
            handle = self._window.windowHandle()
            if handle is not None:
                # A second call for the same filter only moves it to the front.
                handle.installEventFilter(self)
        elif kind is QEvent.Type.DragEnter:
            return self._on_enter(watched, event)
        elif watched in (self._window, self.overlay):
            if kind is QEvent.Type.DragMove and self.overlay.isVisible():
                event.accept()
                return True
            if kind is QEvent.Type.DragLeave:
                self._end()
            elif kind is QEvent.Type.Drop:
                return self._on_drop(event)
        return False

    def _on_enter(self, watched: QObject, event: QEvent) -> bool:
        assert isinstance(event, QDragEnterEvent)
        paths = _paths(event)
        if not paths:
            return False
        if not self.overlay.isVisible():
            self.overlay.show_looking()
            self._opener.look(paths, self.overlay.show_steps)
        if watched not in (self._window, self.overlay):
            # The platform's window finds the overlay below the mouse and sends it the event.
            return False
        event.acceptProposedAction()
        return True

    def _on_drop(self, event: QEvent) -> bool:
        assert isinstance(event, QDropEvent)
        paths = _paths(event)
        self._end()
        if not paths:
            return False
        event.acceptProposedAction()
        # After the drag: a question would block the program from which it comes.
        QTimer.singleShot(0, self, lambda: self._opener.open(paths))
        return True

    def _end(self) -> None:
        self.overlay.hide()
        self._opener.close()


def _paths(event: QDropEvent) -> list[Path]:
    """The files and folders that are dragged. By name only: the disk may be slow."""
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
