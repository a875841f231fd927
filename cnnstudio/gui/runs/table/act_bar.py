"""The bar below the table of runs: what one can do with the chosen ones, and a hint on the keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from cnnstudio.gui.runs.table.acts import ACTS, Act
from cnnstudio.gui.widgets.labels import ElidedLabel

_HINT = "Enter shows the run · Esc closes"
_HINT_FOR_ONE = "Choose another run to compare"
_MAIN = ACTS[0]


class ActBar(QWidget):
    """A button for each act."""

    pressed = Signal(object)
    """The Act of the button."""

    def __init__(self) -> None:
        super().__init__()
        self._buttons = {act: QPushButton(act.title) for act in ACTS}
        self._hint = ElidedLabel(_HINT, "help", "secondary")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 16, 9)
        row.setSpacing(8)
        for act, button in self._buttons.items():
            button.setObjectName(act.name)
            button.setProperty("role", "outlined" if act is _MAIN else "small")
            button.setToolTip(act.tooltip)
            button.setAutoDefault(False)
            button.clicked.connect(partial(self._on_clicked, act))
            row.addWidget(button)
        self._leave_room_for_number(self._buttons[_MAIN])
        self._hint.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._hint, 1)
        # Without the hint the buttons keep their widths.
        row.addStretch()

    def _leave_room_for_number(self, button: QPushButton) -> None:
        button.setText(f"{_MAIN.title} 2")
        button.ensurePolished()
        button.setMinimumWidth(button.sizeHint().width())
        button.setText(_MAIN.title)

    def _on_clicked(self, act: Act, *_: object) -> None:
        self.pressed.emit(act)

    def show_possible(self, is_possible: Callable[[Act], bool], chosen: int) -> None:
        """Enables what is possible with as many runs as are chosen."""
        for act, button in self._buttons.items():
            button.setEnabled(is_possible(act))
        # As many as there may be: the button has a place for the number.
        self._buttons[_MAIN].setText(f"{_MAIN.title} {chosen}" if chosen == 2 else _MAIN.title)
        self._hint.set_full_text(_HINT_FOR_ONE if chosen == 1 else _HINT)

    def show_hint(self, is_shown: bool) -> None:
        self._hint.setVisible(is_shown)
