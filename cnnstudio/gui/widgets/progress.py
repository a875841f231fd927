"""A progress bar with a text below it and a button that ends it, for long tasks in dialogs."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QProgressBar, QPushButton, QWidget

from cnnstudio.gui.widgets.labels import Label

_STEPS = 1000


class ProgressLine(QWidget):
    """Hidden until `begin`; the owner hides it again."""

    cancelled = Signal()
    """The button was pressed, which is possible once after each `begin`."""

    def __init__(
        self, parent: QWidget | None = None, button: str = "Cancel", ending: str = "Canceling…"
    ) -> None:
        """`ending` is shown once the button was pressed."""
        super().__init__(parent)
        self._ending = ending
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress")
        self._text = Label("", "help", "secondary", wrap=True)
        self._cancel = QPushButton(button)
        self._cancel.setObjectName("cancel")
        self._cancel.clicked.connect(self._on_cancel)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        grid.addWidget(self._bar, 0, 0)
        grid.addWidget(self._text, 1, 0)
        grid.addWidget(self._cancel, 0, 1, 2, 1)
        grid.setColumnStretch(0, 1)
        self.hide()

    @property
    def has_focus(self) -> bool:
        """Whether the keyboard acts on the button, or did until it was pressed."""
        return self.hasFocus() or self._cancel.hasFocus()

    def take_focus(self) -> None:
        """For an owner whose own button starts the task and is then disabled."""
        self._cancel.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def text(self) -> str:
        """The text below the bar."""
        return self._text.text()

    def begin(self, text: str) -> None:
        """Shows the bar for a new task that has not reported any progress yet."""
        self._cancel.setEnabled(True)
        self.show_progress(0, None, text)
        self.show()

    def show_progress(self, done: int, total: int | None, text: str) -> None:
        """Shows `done` of `total`; if `total` is None, a busy indicator."""
        if total:
            self._bar.setRange(0, _STEPS)
            self._bar.setValue(_STEPS * min(done, total) // total)
        else:
            self._bar.setRange(0, 0)
        if self._cancel.isEnabled():
            self._text.setText(text)

    def _on_cancel(self) -> None:
        if self._cancel.hasFocus():
            # Disabled, the button would pass the focus on to whatever follows in the window.
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        self._cancel.setEnabled(False)
        self._text.setText(self._ending)
        self.cancelled.emit()
