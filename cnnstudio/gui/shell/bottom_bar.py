"""The bar at the bottom of the window: the status, and the timeline of the run on show."""

from __future__ import annotations

from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from cnnstudio.gui.dashboard.timeline import Timeline
from cnnstudio.gui.shell.status_line import StatusLine
from cnnstudio.gui.theme.sizes import NO_LIMIT
from cnnstudio.gui.theme.theme import theme

HEIGHT = 40
_STATUS_WIDTH = 232


class BottomBar(QWidget):
    """One line on every page. Without the timeline, the status has it all."""

    def __init__(self, status: StatusLine, timeline: Timeline) -> None:
        super().__init__()
        self.setObjectName("bottomBar")
        self._status = status
        self._timeline = timeline
        self.setFixedHeight(HEIGHT)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 1, 12, 0)
        row.setSpacing(12)
        row.addWidget(status)
        row.addWidget(timeline, 1)
        self.show_timeline(True)

    def show_timeline(self, is_shown: bool) -> None:
        """Shows or hides the timeline."""
        self._timeline.setVisible(is_shown)
        if is_shown:
            self._status.setFixedWidth(_STATUS_WIDTH)
        else:
            self._status.setMinimumWidth(_STATUS_WIDTH)
            self._status.setMaximumWidth(NO_LIMIT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("panel"))
        painter.fillRect(0, 0, self.width(), 1, theme().color("border"))
        painter.end()
