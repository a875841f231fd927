"""A panel that follows what it shows only while it can be seen, and a little behind."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent

from cnnstudio.gui.widgets.labels import Panel


class LazyPanel(Panel):
    """Whoever changes what it shows calls `refresh_later`; `refresh` then comes once for many changes."""

    def __init__(self, object_name: str, *, delay: int = 0) -> None:
        """`delay` in milliseconds, so that the panel never holds up a drop or typing."""
        super().__init__(object_name)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(delay)
        self._later.timeout.connect(self.refresh)

    def refresh(self) -> None:
        """Shows what there is now."""
        raise NotImplementedError

    def refresh_later(self, *_: object) -> None:
        """Something has changed."""
        if self.isVisible():
            self._later.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh_later()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._later.stop()
