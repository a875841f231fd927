"""Lays the table of runs over the page: the page stays visible below a veil, and is there again with Esc."""

from __future__ import annotations

from pathlib import Path

import shiboken6
from PySide6.QtCore import QEvent, QObject, QRect, Qt, Signal
from PySide6.QtGui import QColor, QHideEvent, QMouseEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QWidget

from cnnstudio.gui.runs.table.panel import RunsTable

_VEIL = QColor(0, 0, 0, round(0.32 * 255))
_SIDE, _TOP = 128, 24
_MIN_WIDTH = 976
"""Below it the margins at the sides shrink."""


class RunsOverlay(QWidget):
    """Covers `covered`, a widget in the window, with a veil and the table. Hidden at first."""

    visibility_changed = Signal(object)
    """Whether the table is open now."""

    def __init__(
        self, table: RunsTable, covered: QWidget, window: QWidget, opener: QWidget | None = None
    ) -> None:
        """`opener` is a button of the window that opens and closes the table."""
        super().__init__(window)
        self._opener = opener
        self.setObjectName("runsOverlay")
        self._window, self._covered = window, covered
        self.table = table
        self._restore_focus_to: QWidget | None = None
        table.setParent(self)
        table.closed.connect(self.close_table)
        covered.installEventFilter(self)
        window.installEventFilter(self)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)
        self.hide()

    def open_table(self, shown: Path | None) -> None:
        """Shows the table, with the focus on the run that the window shows."""
        self.table.show_as_current(shown)
        if not self.isVisible():
            self._restore_focus_to = QApplication.focusWidget()
        self._place()
        self.show()
        self.raise_()
        self.table.focus_rows()

    def open_to_compare(self, folder: Path) -> None:
        """Shows the table with this run chosen, so that one more makes a pair."""
        self.open_table(folder)
        self.table.choose_alone(folder)

    def close_table(self) -> None:
        """Hides the table and restores the focus."""
        target, self._restore_focus_to = self._restore_focus_to, None
        self.hide()
        if target is not None and shiboken6.isValid(target) and target.isVisible():
            target.setFocus(Qt.FocusReason.PopupFocusReason)

    def toggle(self, shown: Path | None) -> None:
        """Opens or closes the table."""
        if self.isVisible():
            self.close_table()
        else:
            self.open_table(shown)

    def _place(self) -> None:
        window, covered = self._window, self._covered
        self.setGeometry(QRect(covered.mapTo(window, covered.rect().topLeft()), covered.size()))
        side = max(min(_SIDE, (self.width() - _MIN_WIDTH) // 2), 12)
        self.table.setGeometry(self.rect().adjusted(side, _TOP, -side, -_TOP))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self.isVisible() and event.type() in (
            QEvent.Type.Resize,
            QEvent.Type.Move,
            QEvent.Type.LayoutRequest,
        ):
            self._place()
        return False

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.visibility_changed.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._restore_focus_to = None
        # Minimizing the window does not close the table.
        if not event.spontaneous():
            self.visibility_changed.emit(False)

    def focusNextPrevChild(self, is_next: bool) -> bool:
        """Tab stays within the table: what is below the veil cannot be seen well."""
        found = [each for each in self.findChildren(QWidget) if _takes_tab(each)]
        focused = QApplication.focusWidget()
        if not found or focused not in found:
            return super().focusNextPrevChild(is_next)
        found.sort(
            key=lambda each: (
                each.mapTo(self, QRect().topLeft()).y() // 16,
                each.mapTo(self, QRect().topLeft()).x(),
            )
        )
        place = found.index(focused) + (1 if is_next else -1)
        reason = Qt.FocusReason.TabFocusReason if is_next else Qt.FocusReason.BacktabFocusReason
        found[place % len(found)].setFocus(reason)
        return True

    def mousePressEvent(self, event: QMouseEvent) -> None:
        # A click on the veil, beside the table.
        self.close_table()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), _VEIL)
        painter.end()

    def _on_focus_changed(self, _: QWidget | None, now: QWidget | None) -> None:
        """A click into the rest of the window closes the table; a dialog or menu over it does not."""
        if not self.isVisible() or now is None or self.isAncestorOf(now) or now in (self, self._opener):
            return
        if now.window() is self.window():
            self._restore_focus_to = None
            self.hide()


def _takes_tab(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.isVisible() and widget.isEnabled()
