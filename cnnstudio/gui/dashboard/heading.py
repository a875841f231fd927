"""The heading above a view of the dashboard."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnstudio.gui.runs.cursor import Moment
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line

_GAP = 12


class Heading(QWidget):
    """A title on the left and details on the right; if they do not fit, the title is elided."""

    changed = Signal()
    """Another title or other details are shown."""

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self._details = ""
        self.setFixedHeight(20)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(240, 20)

    @property
    def title(self) -> str:
        return self._title

    @property
    def details(self) -> str:
        return self._details

    def show_texts(self, title: str, details: str = "") -> None:
        title, details = plain_line(title), plain_line(details)
        if (title, details) != (self._title, self._details):
            self._title, self._details = title, details
            self.setAccessibleName(", ".join(text for text in (title, details) if text))
            self.update()
            self.changed.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        width = float(self.width())
        painter.setFont(style.font("help"))
        details = QFontMetricsF(painter.font()).elidedText(self._details, Qt.TextElideMode.ElideRight, width)
        painter.setPen(style.color("secondary"))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(self.rect()), flags, details)
        left = width - QFontMetricsF(painter.font()).horizontalAdvance(details) - _GAP
        painter.setFont(style.font("strong"))
        painter.setPen(style.color("text"))
        title = QFontMetricsF(painter.font()).elidedText(self._title, Qt.TextElideMode.ElideRight, left)
        painter.drawText(QRectF(0, 0, left, self.height()), Qt.AlignmentFlag.AlignVCenter, title)
        painter.end()

    def _on_theme_changed(self, _: object) -> None:
        self.update()


def latest_before(epoch: int) -> str:
    """Says that what is shown is of an earlier epoch than the one that is looked at, which kept nothing."""
    return f"latest kept: epoch {epoch}"


def describe_moment(moment: Moment, epoch: int | None, *, word: str = "epoch", always: bool = False) -> str:
    """From which epoch what is shown is, where that has to be said, or `always`.

    `epoch 3`, `epoch 3 of Lesson CNN, 14:02` for another run than the one that was trained here last, or
    that it is the latest one before the epoch that is looked at. `epoch` is that of what is shown.
    """
    name = moment.run_name if moment.is_other else ""
    if epoch is not None and epoch != moment.epoch:
        return " of ".join(filter(None, (latest_before(epoch), name)))
    if moment.is_at_end and not name and not always:
        return ""
    return f"{word} {moment.epoch}" + (f" of {name}" if name else "")
