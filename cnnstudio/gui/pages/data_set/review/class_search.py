"""A card with all classes and a search field: how the mouse reaches those that have no button."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QStringListModel, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QListView, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_count
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.overlay import Overlay
from cnnstudio.gui.widgets.plain_text import plain_line

_WIDTH, _LIST_HEIGHT = 280, 264
_MAX_NAME, _MAX_SEARCH = 60, 200
_STEPS = {
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_PageUp: -10,
    Qt.Key.Key_PageDown: 10,
}


class ClassSearch(Overlay):
    """Hidden until `ask`. The names that begin as typed come first, then those that contain it."""

    chosen = Signal(object)
    """The class that the user chose."""

    def __init__(self, window: QWidget) -> None:
        super().__init__("classSearch", _WIDTH, window)
        self.setAccessibleName("All classes")
        self._classes: tuple[str, ...] = ()
        self._found: list[str] = []
        self.field = _Field(self)
        self.field.textChanged.connect(self._on_typed)
        self._count = Label("", "help", "secondary")
        self._names = QStringListModel(self)
        self.list = QListView()
        self.list.setObjectName("classSearchList")
        self.list.setAccessibleName("Classes")
        self.list.setProperty("role", "lines")
        self.list.setFont(theme().font("help"))
        self.list.setModel(self._names)
        self.list.setUniformItemSizes(True)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setMouseTracking(True)
        self.list.setFixedHeight(_LIST_HEIGHT)
        # Typing goes on in the field whatever was scrolled or clicked.
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.clicked.connect(self._on_clicked)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        column.addWidget(self.field)
        column.addWidget(self.list)
        column.addWidget(self._count)

    def ask(self, classes: Sequence[str], current: str, button: QWidget) -> None:
        """Shows all classes at `button`, which has the focus again afterwards, with `current` in sight."""
        self._classes = tuple(classes)
        self.field.clear()
        self._on_typed("")
        if current in self._classes:
            index = self._names.index(self._classes.index(current))
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)
        self.show_at(button, button.rect())
        self.hold_focus()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def _on_typed(self, text: str) -> None:
        wanted = text.strip().casefold()
        folded = [(name.casefold(), name) for name in self._classes]
        first = [name for low, name in folded if low.startswith(wanted)]
        rest = [name for low, name in folded if wanted in low and not low.startswith(wanted)]
        self._found = [*first, *rest]
        self._names.setStringList([plain_line(name, _MAX_NAME) for name in self._found])
        self.list.setCurrentIndex(self._names.index(0))
        self._count.setText(_describe(len(self._found)))

    def move_current(self, steps: int) -> None:
        """Goes down so many rows, or up where it is negative."""
        row = min(max(self.list.currentIndex().row() + steps, 0), len(self._found) - 1)
        self.list.setCurrentIndex(self._names.index(row))

    def choose_current(self) -> None:
        """Chooses the marked class, if there is any."""
        self._on_clicked(self.list.currentIndex())

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.isValid():
            name = self._found[index.row()]
            self.dismiss()
            self.chosen.emit(name)


def _describe(count: int) -> str:
    if not count:
        return "No class has this in its name"
    return "1 class" if count == 1 else f"{format_count(count)} classes"


class _Field(QLineEdit):
    """Passes the keys that are not for its text on to the card."""

    def __init__(self, card: ClassSearch) -> None:
        super().__init__()
        self._card = card
        self.setObjectName("classSearchField")
        self.setProperty("role", "small")
        self.setPlaceholderText("Search classes")
        self.setAccessibleName("Search classes")
        self.setMaxLength(_MAX_SEARCH)
        self.setClearButtonEnabled(True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _STEPS.get(Qt.Key(event.key()))
        if step is not None:
            self._card.move_current(step)
        elif is_enter(event):
            self._card.choose_current()
        else:
            super().keyPressEvent(event)
