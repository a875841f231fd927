"""A progress bar with a text below it and a button that ends it, for long tasks in dialogs.

Where the owner wants it, another button pauses the task.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QProgressBar, QPushButton, QWidget

from cnnstudio.gui.widgets.labels import Label

_STEPS = 1000


def show_done(bar: QProgressBar, done: int, total: int | None) -> None:
    """Shows `done` of `total` in a bar; if `total` is None or 0, that something goes on."""
    bar.setRange(0, _STEPS if total else 0)
    if total:
        # A bar counts in 32 bits, too few for the bytes of a data set.
        bar.setValue(_STEPS * min(done, total) // total)


class ProgressLine(QWidget):
    """Hidden until `begin`; the owner hides it again."""

    cancelled = Signal()
    """The button was pressed, which is possible once after each `begin`."""
    pause_requested = Signal()
    resume_requested = Signal()

    def __init__(
        self, parent: QWidget | None = None, button: str = "Cancel", ending: str = "Canceling…"
    ) -> None:
        """`ending` is shown once the button was pressed. An owner that has such a button names none."""
        super().__init__(parent)
        self._ending = ending
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress")
        self._text = Label("", "help", "secondary", wrap=True)
        self._cancel = QPushButton(button)
        self._cancel.setObjectName("cancel")
        self._cancel.clicked.connect(self._on_cancel)
        if not button:
            # Shown before it has a place, a widget would be a window of its own.
            self._cancel.hide()
        self._pause = QPushButton("Pause")
        self._pause.setObjectName("pause")
        self._pause.clicked.connect(self._on_pause)
        self._pause.hide()
        self._is_paused = False
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(0, 1)
        self._arrange(False)
        self.hide()

    def _arrange(self, has_two_buttons: bool) -> None:
        """One button stands beside the bar; two of them have a line of their own, as cards are narrow."""
        columns = 3 if has_two_buttons else 1
        self._grid.addWidget(self._bar, 0, 0, 1, columns)
        self._grid.addWidget(self._text, 1, 0, 1, columns)
        if has_two_buttons:
            self._grid.addWidget(self._pause, 2, 1)
            self._grid.addWidget(self._cancel, 2, 2)
        else:
            self._grid.addWidget(self._pause, 2, 0)
            self._grid.addWidget(self._cancel, 0, 1, 2, 1)

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

    def begin(self, text: str, *, can_pause: bool = False) -> None:
        """Shows the bar for a new task that has not reported any progress yet."""
        self._cancel.setEnabled(True)
        self._show_pause(False)
        self._arrange(can_pause)
        self._pause.setVisible(can_pause)
        self.show_progress(0, None, text)
        self.show()

    def show_progress(self, done: int, total: int | None, text: str) -> None:
        """Shows `done` of `total`; if `total` is None, a busy indicator."""
        show_done(self._bar, done, total)
        if self._cancel.isEnabled():
            self._text.setText(text)

    def show_paused(self, text: str) -> None:
        """The task has ended where it was, and the button resumes it; the bar stays as it is."""
        if self._bar.maximum() == 0:
            self._bar.setRange(0, _STEPS)
        self._text.setText(text)
        self._cancel.setEnabled(True)
        self._show_pause(True)

    def allow_resuming(self, is_allowed: bool) -> None:
        """A paused task waits where another one is in progress, of which there is one at a time."""
        if self._is_paused:
            self._pause.setEnabled(is_allowed)

    def _show_pause(self, is_paused: bool) -> None:
        self._is_paused = is_paused
        self._pause.setText("Resume" if is_paused else "Pause")
        self._pause.setEnabled(True)

    def _on_pause(self) -> None:
        if self._is_paused:
            self.resume_requested.emit()
            return
        # Until the task has ended, nothing else can be done about it.
        self._pause.setEnabled(False)
        self._cancel.setEnabled(False)
        self._text.setText("Pausing…")
        self.pause_requested.emit()

    def _on_cancel(self) -> None:
        if self._cancel.hasFocus():
            # Disabled, the button would pass the focus on to whatever follows in the window.
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        self._cancel.setEnabled(False)
        self._pause.setEnabled(False)
        self._text.setText(self._ending)
        self.cancelled.emit()
