"""Small controls of a panel: a switch with a few positions, and chips of which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QKeyEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_entry, plain_line

_MAX_TEXT = 40
_PADDING = 24


class Choice(QWidget):
    """One of a few named positions; ← and → choose the neighbor."""

    changed = Signal(object)
    """The index of the position that the user chose."""

    def __init__(self, name: str, titles: Sequence[str], *, role: str = "segment") -> None:
        """`role` is "segment" for a switch whose positions touch, "chip" for round ones with gaps."""
        super().__init__()
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._role = role
        self._group = QButtonGroup(self)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0 if role == "segment" else 8)
        self.buttons: list[QPushButton] = []
        for title in titles:
            self._add(title)
        self.buttons[0].setChecked(True)
        self._group.idClicked.connect(lambda index: self.changed.emit(index))

    def _add(self, title: str) -> None:
        button = QPushButton(plain_entry(title, _MAX_TEXT))
        button.setAccessibleName(plain_line(title))
        button.setCheckable(True)
        button.setFont(theme().font("help"))
        button.setProperty("role", self._role)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        place = "first" if not self.buttons else "last"
        if len(self.buttons) > 1:
            self.buttons[-1].setProperty("place", "middle")
        button.setProperty("place", place)
        self._reserve_width(button)
        self._group.addButton(button, len(self.buttons))
        self.buttons.append(button)
        self._row.addWidget(button)

    def _reserve_width(self, button: QPushButton) -> None:
        """As wide as its text in bold, so that nothing moves when it is chosen."""
        bold = QFont(button.font())
        bold.setWeight(QFont.Weight.DemiBold)
        width = QFontMetrics(bold).horizontalAdvance(button.text().replace("&&", "&"))
        button.setMinimumWidth(width + _PADDING)

    @property
    def index(self) -> int:
        """The index of the chosen position."""
        return int(self._group.checkedId())

    def choose(self, index: int) -> None:
        """Chooses a position without emitting `changed`."""
        self.buttons[index].setChecked(True)

    def set_text(self, index: int, text: str, *, visible: bool = True) -> None:
        """Names a position; one that is not `visible` is skipped."""
        button = self.buttons[index]
        button.setText(plain_entry(text, _MAX_TEXT))
        button.setAccessibleName(plain_line(text))
        self._reserve_width(button)
        button.setVisible(visible)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() not in steps:
            super().keyPressEvent(event)
            return
        shown = [index for index, button in enumerate(self.buttons) if not button.isHidden()]
        place = shown.index(self.index) + steps[Qt.Key(event.key())]
        if 0 <= place < len(shown):
            self.choose(shown[place])
            self.buttons[shown[place]].setFocus(Qt.FocusReason.TabFocusReason)
            self.changed.emit(shown[place])
