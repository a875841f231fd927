"""A message box that asks for a number."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.parameters import Integer
from cnnstudio.gui.widgets.fields.numbers import IntegerField
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.message_box import TEXT_WIDTH, Answer, MessageBox

_FIELD_WIDTH = 132


class NumberBox(MessageBox):
    """Asks for an integer. While the typed text is not valid, the box says why and cannot be accepted."""

    def __init__(
        self,
        window: QWidget,
        title: str,
        text: str,
        details: str = "",
        *,
        label: str,
        value: int,
        minimum: int,
        maximum: int,
        button: str,
        icon: str = "cnnstudio",
    ) -> None:
        """Asks for `label`, a number from `minimum` to `maximum`, with `value` filled in.

        `button` is the verb that accepts it, with its mnemonic: `&Resume`.
        """
        content = QWidget()
        super().__init__(
            window,
            title,
            text,
            details,
            icon=icon,
            answers=(
                Answer("cancel", "&Cancel", escape=True),
                Answer("accept", button, default=True, primary=True),
            ),
            content=content,
        )
        self.field = IntegerField(Integer("value", value, label=label, minimum=minimum, maximum=maximum))
        self.field.setObjectName("numberField")
        self.field.setAccessibleName(label)
        self.field.setFixedWidth(_FIELD_WIDTH)
        self.field.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.field.set_value(value)
        self._error = Label("", "help", "wrong", wrap=True)
        self._error.setObjectName("numberError")
        self._error.setFixedWidth(TEXT_WIDTH)
        self._error.hide()
        self._fill(content, label)
        content.setFocusProxy(self.field)
        self.field.selectAll()
        self.field.invalid_input.connect(self._show_error)
        # Enter first reaches the field, which then replaces invalid text, and only then the default button.
        # The button must still be disabled at that time, or Enter would accept a number nobody typed.
        self.field.finished.connect(lambda _: QTimer.singleShot(0, self, lambda: self._show_error("")))
        self.field.corrected.connect(lambda note: QTimer.singleShot(0, self, lambda: self._show_note(note)))

    def _fill(self, content: QWidget, label: str) -> None:
        caption = Label(label)
        caption.setBuddy(self.field)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(caption)
        row.addWidget(self.field)
        row.addStretch(1)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self._error)

    def ask_number(self) -> int | None:
        """Waits for the number; None if the box was canceled."""
        # `ask` leaves the box to deleteLater, which the event loop runs after this function has returned.
        return self.field.value() if self.ask() == "accept" else None

    def _show_error(self, message: object) -> None:
        self._show_note(message)
        self.buttons["accept"].setEnabled(not message)

    def _show_note(self, note: object) -> None:
        self._error.setText(str(note))
        self._error.setVisible(bool(note))
