"""The classes to choose from while an image is reviewed: by digits, by first letters, or by a click."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QPushButton, QSizePolicy, QWidget

from cnnstudio.core.formatting import format_count
from cnnstudio.gui.pages.data_set.review.class_search import ClassSearch
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, set_role
from cnnstudio.gui.widgets.plain_text import plain_entry, plain_line, plain_tooltip

KEYS = "1234567890"
"""The digits in the order of the buttons."""
_MAX_NAME = 40
_LEAST_BUTTON = 80


class LabelGrid(QWidget):
    """Up to ten buttons. With more classes they are the likeliest ones, or those that begin as typed, and
    one more button leads to all of them.

    A name can begin with a key that means something else, a digit or Z: it is typed after a space.
    """

    chosen = Signal(object)
    """The class that the user chose."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("labelGrid")
        self._classes: tuple[str, ...] = ()
        self._likely: tuple[str, ...] = ()
        self._current = self._suggested = ""
        self.typed = ""
        """The first letters that were typed so far."""
        self._is_begun = False
        """Whether a name is to be typed, of which there is nothing yet."""
        self._title = Label("Set the label", "strong")
        self._hint = ElidedLabel(role="help", tone="secondary")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(4)
        head = QGridLayout()
        head.setHorizontalSpacing(8)
        head.addWidget(self._title, 0, 0)
        head.addWidget(self._hint, 0, 1)
        head.setColumnStretch(1, 1)
        self._grid.addLayout(head, 0, 0, 1, 2)
        self.buttons: list[_LabelButton] = []
        for number in range(len(KEYS)):
            button = _LabelButton()
            button.setObjectName(f"label_{KEYS[number]}")
            button.clicked.connect(lambda _, number=number: self._on_clicked(number))
            self.buttons.append(button)
            self._grid.addWidget(button, 1 + number // 2, number % 2)
        for column in (0, 1):
            self._grid.setColumnStretch(column, 1)
        self.all_classes = QPushButton()
        self.all_classes.setObjectName("allLabels")
        self.all_classes.setProperty("role", "small")
        self.all_classes.setFont(theme().font("help"))
        self.all_classes.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.all_classes.setToolTip("Search all classes by name")
        self.all_classes.clicked.connect(self._on_all_classes)
        self._grid.addWidget(self.all_classes, 2 + len(KEYS) // 2, 0, 1, 2)
        self._search: ClassSearch | None = None
        self._shown: list[str] = []
        self._keys: list[str] = []
        """The key of each button that is shown."""

    @property
    def is_typing(self) -> bool:
        """Whether keys belong to the name of a class."""
        return self._is_begun or bool(self.typed)

    def show_classes(self, classes: Sequence[str]) -> None:
        """Says which classes there are."""
        self._classes = tuple(classes)
        self.typed, self._is_begun = "", False
        self.all_classes.setText(f"All {format_count(len(classes))} classes…")
        self.all_classes.setVisible(len(classes) > len(KEYS))

    def show_item(self, current: str, suggested: str | None, likely: Iterable[str] = ()) -> None:
        """Marks the label of an image and the suggested one. `likely` come first among many classes."""
        self._current, self._suggested = current, suggested or ""
        first = [*([suggested] if suggested else []), current, *likely]
        self._likely = tuple(dict.fromkeys(name for name in first if name in self._classes))
        self.typed, self._is_begun = "", False
        self._show()

    def _show(self) -> None:
        if self.typed:
            self._shown = self._beginning(self.typed)
        elif len(self._classes) <= len(KEYS):
            self._shown = list(self._classes)
        else:
            self._shown = list(dict.fromkeys((*self._likely, *self._classes)))
        # Where the classes are digits, each key means its own digit.
        are_digits = all(name in KEYS and len(name) == 1 for name in self._classes)
        self._keys = self._shown if are_digits else list(KEYS[: len(self._shown)])
        for number, button in enumerate(self.buttons):
            name = self._shown[number] if number < len(self._shown) else ""
            button.setVisible(bool(name))
            if name:
                mark = "now" if name == self._current else "suggested" if name == self._suggested else ""
                button.show_label(self._keys[number], name, mark)
        self._hint.set_full_text(self._describe_keys())

    def _describe_keys(self) -> str:
        if self.typed:
            return f"begins with “{self.typed}”; ↵ {plain_line(self._shown[0], _MAX_NAME)}"
        if self._is_begun:
            return "type the name"
        return "digits or first letters" if len(self._classes) <= len(KEYS) else "digits, or Space and a name"

    def _beginning(self, text: str) -> list[str]:
        """The classes of which the name begins like that; one that is that name comes first."""
        wanted = text.casefold()
        found = [name for name in self._classes if name.casefold().startswith(wanted)]
        return sorted(found, key=lambda name: name.casefold() != wanted)

    def type(self, text: str) -> bool:
        """Takes a digit or a letter; whether it means anything. A single match chooses that class."""
        if text == " " and not self.is_typing:
            self._is_begun = True
            self._show()
            return True
        if not text or not text.isprintable():
            # Keys such as Shift and the arrows have no text.
            return False
        found = self._beginning(self.typed + text)
        if text in self._keys and not (self.is_typing and found):
            self.chosen.emit(self._shown[self._keys.index(text)])
            return True
        if not found:
            return False
        if len(found) == 1:
            self.chosen.emit(found[0])
        else:
            self.typed += text
            self._show()
        return True

    def choose_typed(self) -> bool:
        """Chooses the first of the classes that begin as typed; whether there are letters."""
        if self.typed:
            self.chosen.emit(self._shown[0])
        return bool(self.typed)

    def erase(self) -> None:
        """Takes the last typed letter back."""
        self._is_begun = len(self.typed) > 1
        self.typed = self.typed[:-1]
        self._show()

    def clear_typed(self) -> bool:
        """Forgets the typed letters; whether a name was being typed."""
        had = self.is_typing
        self.typed, self._is_begun = "", False
        if had:
            self._show()
        return had

    def _on_all_classes(self) -> None:
        if self._search is None:
            self._search = ClassSearch(self.window())
            self._search.chosen.connect(self.chosen)
        self.clear_typed()
        self._search.ask(self._classes, self._current, self.all_classes)

    def _on_clicked(self, number: int) -> None:
        self.chosen.emit(self._shown[number])


class _LabelButton(QPushButton):
    """`6  dog` with a mark at the right: now, or suggested. As wide as its column, whatever the name."""

    def __init__(self) -> None:
        super().__init__()
        self._key = self._name = self._mark = ""
        self.setProperty("role", "label")
        self.setFont(theme().font("help"))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        # The keys act on the queue, which has the focus.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def minimumSizeHint(self) -> QSize:
        return QSize(_LEAST_BUTTON, super().minimumSizeHint().height())

    def show_label(self, key: str, name: str, mark: str) -> None:
        self._key, self._name, self._mark = key, name, mark
        self._fit()
        self.setAccessibleName(plain_line(f"{name}, {mark}" if mark else name))
        self.setToolTip(plain_tooltip(f"Set the label to {name} ({key})"))
        set_role(self, {"now": "label_now", "suggested": "label_suggested"}.get(mark, "label"))

    def _fit(self) -> None:
        # The style sheet may make it bold.
        font = self.font()
        font.setBold(self._mark == "suggested")
        metrics, name = text_metrics(font), plain_line(self._name, _MAX_NAME)
        note, room = f"  · {self._mark}" if self._mark else "", self.width() - 20
        if metrics.width(f"{self._key}   {name}{note}") > room:
            # Its frame says that too, and the image above.
            note = ""
        # The end tells long names apart that begin alike.
        room -= metrics.width(f"{self._key}   {note}")
        shown = QFontMetrics(font).elidedText(name, Qt.TextElideMode.ElideMiddle, max(room, 40))
        self.setText(plain_entry(f"{self._key}   {shown}{note}"))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()
