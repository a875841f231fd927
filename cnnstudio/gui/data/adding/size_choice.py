"""The size that all images of a data set get, and what that costs."""

from __future__ import annotations

from contextlib import suppress

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_bytes, pluralize
from cnnstudio.data.dataset import DataError
from cnnstudio.data.images.sizes import (
    AUTOMATIC,
    USUAL_SIDES,
    Size,
    decoded_bytes,
    format_size,
    parse_size,
    require_decodable,
)
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip

_AUTOMATIC = "Automatic"
_HELP = (
    "Every image is stored at this size, once, and resized from it to the input of a network. Choose one or "
    "type another, such as 48, or height × width, such as 48 × 64."
)


class SizeChoice(QWidget):
    """Automatic by default; usual sizes are offered, others are typed."""

    changed = Signal()
    """Another size was chosen, or something was typed that is none."""

    def __init__(self) -> None:
        super().__init__()
        self.field = QComboBox()
        self.field.setObjectName("imageSize")
        self.field.setAccessibleName("Image size")
        self.field.setToolTip(plain_tooltip(_HELP))
        self.field.setEditable(True)
        self.field.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.field.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.field.addItem(_AUTOMATIC)
        self.field.addItems([format_size((side, side)) for side in USUAL_SIDES])
        line = self.field.lineEdit()
        assert line is not None
        line.setMaxLength(40)
        self.cost = Label("", "help", "secondary", wrap=True)
        self.cost.setObjectName("imageSizeCost")
        self.problem = Label("", "help", "wrong", wrap=True)
        self.problem.setObjectName("imageSizeProblem")
        self.problem.hide()
        self._count, self._measured = 0, AUTOMATIC
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for each in (self.field, self.cost, self.problem):
            column.addWidget(each)
        self.field.currentTextChanged.connect(self._on_changed)

    @property
    def chosen(self) -> Size | None:
        """The chosen size, perhaps AUTOMATIC; None if what was typed is none."""
        with suppress(DataError):
            return self._read()
        return None

    def _read(self) -> Size:
        """Raises DataError."""
        text = self.field.currentText().strip()
        if text == self.field.itemText(0) or text.lower() == _AUTOMATIC.lower():
            return AUTOMATIC
        size = parse_size(text)
        if size != AUTOMATIC:
            require_decodable(self._count, size)
        return size

    def show_size(self, size: Size) -> None:
        """Chooses a size; how many images there are is not known yet."""
        self._count, self._measured = 0, AUTOMATIC
        self.field.setItemText(0, _AUTOMATIC)
        self._show_text(_AUTOMATIC if size == AUTOMATIC else format_size(size).split(" (")[0])
        self._on_changed()

    def show_count(self, count: int, measured: Size | None = None) -> None:
        """Says what so many images cost; `measured` is the size that they get automatically, if now known."""
        chosen = _AUTOMATIC if self.chosen == AUTOMATIC else self.field.currentText()
        self._count, self._measured = count, measured or self._measured
        text = _AUTOMATIC
        if self._measured != AUTOMATIC:
            text += f": {format_size(self._measured)}"
        self.field.setItemText(0, text)
        # The field may have taken the text of its first item over, which it believes to be chosen.
        self._show_text(text if chosen == _AUTOMATIC else chosen)
        self._on_changed()

    def _show_text(self, text: str) -> None:
        """From its first letter, which a narrow field would scroll away to show the cursor at the end."""
        self.field.setCurrentText(text)
        line = self.field.lineEdit()
        if line is not None and not line.hasFocus():
            line.setCursorPosition(0)

    def _on_changed(self, *_: object) -> None:
        problem, size = "", AUTOMATIC
        try:
            size = self._read()
        except DataError as error:
            problem = str(error)
        self.problem.setText(plain_line(problem, 300))
        self.problem.setVisible(bool(problem))
        shown = self._measured if size == AUTOMATIC else size
        is_known = self._count > 0 and shown != AUTOMATIC and not problem
        self.cost.setVisible(is_known)
        if is_known:
            images, needed = pluralize(self._count, "image"), format_bytes(decoded_bytes(self._count, shown))
            self.cost.setText(f"{images} take {needed} in memory and in the image cache.")
        self.changed.emit()
