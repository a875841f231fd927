"""What keys and the wheel do in every field."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractSpinBox, QWidget


class _FieldEventFilter(QObject):
    """Lets the wheel scroll the page unless the field has the focus, and Ctrl+Z undo in the design."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            keys = QKeySequence.StandardKey
            if event.matches(keys.Undo) or event.matches(keys.Redo):
                event.ignore()
                return True
        return False


def install_event_filter(field: QWidget) -> None:
    """Has the filter see the events of a field first."""
    event_filter = _FieldEventFilter(field)
    field.installEventFilter(event_filter)
    field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    if isinstance(field, QAbstractSpinBox):
        field.lineEdit().installEventFilter(event_filter)
