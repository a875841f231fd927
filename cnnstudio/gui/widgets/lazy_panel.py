"""A panel that updates only while it is visible, and after a short delay."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent

from cnnstudio.gui.widgets.labels import Panel


class LazyPanel(Panel):
    """Call `refresh_later` after each change; many changes lead to one call of `refresh`."""

    def __init__(self, object_name: str, *, delay: int = 0) -> None:
        """`delay` is in milliseconds; it keeps the panel from delaying a drop or typing."""
        super().__init__(object_name)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(delay)
        self._later.timeout.connect(self.refresh)

    def refresh(self) -> None:
        """Shows the current state. To be overridden."""
        raise NotImplementedError

    def refresh_later(self, *_: object) -> None:
        """Schedules a refresh; does nothing while the panel is hidden."""
        if self.isVisible():
            self._later.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh_later()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._later.stop()
