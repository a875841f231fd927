"""A bar with a sentence below it and a way out: what all long work of the dialogs shows."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QProgressBar, QPushButton, QWidget

from cnnstudio.gui.widgets.labels import Label

_STEPS = 1000


class ProgressLine(QWidget):
    """Hidden until `show_progress` is called by its owner and it is made visible."""

    cancelled = Signal()
    """Cancel was pressed. It can be pressed once; the next progress that begins anew allows it again."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress")
        self._sentence = Label("", "help", "secondary", wrap=True)
        self._cancel = QPushButton("Cancel")
        self._cancel.setObjectName("cancel")
        self._cancel.clicked.connect(self._on_cancel)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        grid.addWidget(self._bar, 0, 0)
        grid.addWidget(self._sentence, 1, 0)
        grid.addWidget(self._cancel, 0, 1, 2, 1)
        grid.setColumnStretch(0, 1)
        self.hide()

    @property
    def sentence(self) -> str:
        """What it says."""
        return self._sentence.text()

    def begin(self, sentence: str) -> None:
        """Shows itself for new work that has not said anything yet."""
        self._cancel.setEnabled(True)
        self.show_progress(0, None, sentence)
        self.show()

    def show_progress(self, done: int, total: int | None, sentence: str) -> None:
        """`done` of `total`; a bar that moves by itself where `total` is None."""
        if total:
            self._bar.setRange(0, _STEPS)
            self._bar.setValue(_STEPS * min(done, total) // total)
        else:
            self._bar.setRange(0, 0)
        if self._cancel.isEnabled():
            self._sentence.setText(sentence)

    def _on_cancel(self) -> None:
        self._cancel.setEnabled(False)
        self._sentence.setText("Ending…")
        self.cancelled.emit()
