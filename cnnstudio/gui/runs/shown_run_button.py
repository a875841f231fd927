"""The button that names the run on show, with design, data set and date, and opens the list of runs."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QPushButton, QStyle, QStyleOptionButton, QStylePainter

from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import elided
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip

_NONE = "No run yet"
_MAX_CHARACTERS = 200
_PADDING, _ARROW = 12, 17


class ElidedButton(QPushButton):
    """Shows as much of its text as fits, left-aligned, with an arrow for what it opens.

    The tooltip has the whole text, and what the button does.
    """

    def __init__(self, object_name: str, description: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self._description = description
        self._full_text = self._tail = ""
        self.set_full_text("")

    @property
    def full_text(self) -> str:
        """The text before it is elided."""
        return self._full_text

    def set_full_text(self, text: str, details: str = "", tail: str = "") -> None:
        """Shows a text, of which the `tail` is left out last; `details` are added to it in the tooltip."""
        self._full_text = plain_line(text, _MAX_CHARACTERS)
        self._tail = plain_line(tail, _MAX_CHARACTERS)
        whole = ", ".join(part for part in (self._full_text, plain_line(details, _MAX_CHARACTERS)) if part)
        self.setToolTip(plain_tooltip(f"{whole}\n{self._description}" if whole else self._description))
        self.setAccessibleName(f"{self._description}: {whole}" if whole else self._description)
        self.update()

    def fitting_text(self, width: int) -> str:
        """What is shown on so many pixels."""
        return elided(self.fontMetrics(), self._full_text, width, self._tail)

    @property
    def shown_text(self) -> str:
        """The text as it is shown."""
        return self.fitting_text(self.width() - 2 * _PADDING - _ARROW)

    def sizeHint(self) -> QSize:
        return QSize(120, super().sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        painter.drawControl(QStyle.ControlElement.CE_PushButtonBevel, option)
        painter.setPen(theme().color("text" if self.isEnabled() else "secondary"))
        area = self.rect().adjusted(_PADDING, 0, -_PADDING - _ARROW, 0)
        flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.drawText(area, flags, self.fitting_text(area.width()))
        arrow = theme().pixmap("down", "text", _ARROW, self.devicePixelRatioF())
        top = (self.height() - _ARROW) // 2
        painter.drawPixmap(self.width() - _PADDING + 4 - _ARROW, top, arrow)


class ShownRunButton(ElidedButton):
    """Always the same place and width; what does not fit is in the tooltip."""

    def __init__(self, project: Project, shown: ShownRun) -> None:
        super().__init__("shownRun", "Choose the run to show")
        self._project = project
        self._shown = shown
        shown.cursor.run_changed.connect(self._refresh)
        shown.cursor.live_changed.connect(self._refresh)
        shown.renamed.connect(self._refresh)
        project.network_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self, *_: object) -> None:
        record = self._shown.record
        if not record.network.nodes:
            self.set_full_text(_NONE)
            return
        details = [f"trained on {record.dataset_name}"] if record.dataset_name else []
        if record.weights_notice:
            details.append(record.weights_notice)
        if record.network.nodes != self._project.network.nodes:
            details.append("not the open design")
        if record.folder is not None:
            details.append(record.folder.name)
        self.set_full_text(record.title, ", ".join(details), f" · {record.start}" if record.start else "")
