"""The palette: all layer types by family, to drag into the list or add after the selection."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.palette.family_buttons import FOLDABLE, FamilyButtons
from cnnstudio.gui.designer.palette.type_list import TypeList
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.icon_button import IconButton
from cnnstudio.gui.widgets.labels import Label, Line, Panel
from cnnstudio.layers.catalog import layer_type

WIDTH, RAIL_WIDTH = 212, 48
_VALUES_HINT = "Layers with values, such as conv 64 3 relu, are typed below the list (Ins)."
_MIN_HEIGHT_FOR_HELP = 680


class Palette(Panel):
    """A title, a search field, the list of types, and help on the hovered or current type.

    It can be folded to a rail of icons, and the families that are needed least into a line each.
    """

    rail_changed = Signal(object)
    """Whether the user folded it."""

    def __init__(self, project: Project) -> None:
        super().__init__("palette")
        self._project = project
        self._is_rail = False
        self._top = QWidget()
        self._title = Label("Layers", "title")
        self._chevron = IconButton("paletteFold", "previous", "Show only the icons of the layers")
        self.types = TypeList()
        self.families = FamilyButtons()
        self.search = _SearchField(self.types)
        self._no_results = Label(role="help", tone="secondary", wrap=True)
        self._help_area = QWidget()
        self._help = Label(role="help", tone="secondary", wrap=True)
        self._compose()
        self.search.textChanged.connect(self._on_searched)
        self.types.type_chosen.connect(self._on_type_chosen)
        self.types.text_typed.connect(self._on_text_typed)
        self.types.type_hovered.connect(self._show_help)
        self.families.changed.connect(self.types.set_folded)
        self.families.set_folded(FOLDABLE)
        self.types.set_folded(FOLDABLE)
        self._chevron.clicked.connect(self._on_chevron_clicked)
        self._on_searched("")

    def sizeHint(self) -> QSize:
        return QSize(RAIL_WIDTH if self._is_rail else WIDTH, 480)

    @property
    def is_rail(self) -> bool:
        return self._is_rail

    def set_rail(self, is_rail: bool) -> None:
        """Folds it to a rail of icons, or unfolds it."""
        self._is_rail = is_rail
        for each in (self._title, self.search):
            each.setVisible(not is_rail)
        if is_rail:
            self.search.clear()
        self.types.set_rail(is_rail)
        self.families.setVisible(not is_rail and not self.search.text())
        self._top_row.setContentsMargins(-2 if is_rail else 4, 0, 0, 0)
        self._chevron.show_icon(
            "next" if is_rail else "previous",
            "Show the names of the layers" if is_rail else "Show only the icons of the layers",
        )
        if is_rail:
            self.setFixedWidth(RAIL_WIDTH)
        else:
            self.setMinimumWidth(180)
            self.setMaximumWidth(420)
        self.setFocusProxy(self.types if is_rail else self.search)
        self._show_help_area()

    def _on_chevron_clicked(self) -> None:
        self.set_rail(not self._is_rail)
        self.rail_changed.emit(self._is_rail)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_help_area()

    def _show_help_area(self) -> None:
        # In a low window the types need the space; the help is in their tool tips as well.
        self._help_area.setVisible(self.height() >= _MIN_HEIGHT_FOR_HELP and not self._is_rail)

    def _compose(self) -> None:
        self._top_row = QHBoxLayout()
        self._top_row.setContentsMargins(4, 0, 0, 0)
        self._top_row.addWidget(self._title, 1)
        self._top_row.addWidget(self._chevron)
        self._no_results.setContentsMargins(14, 4, 14, 8)
        self._help.setObjectName("paletteHelp")
        self._help.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._help.setFixedHeight(3 * self._help.fontMetrics().lineSpacing())
        top, bottom = QVBoxLayout(self._top), QVBoxLayout(self._help_area)
        top.setContentsMargins(12, 8, 12, 6)
        top.setSpacing(8)
        top.addLayout(self._top_row)
        top.addWidget(self.search)
        bottom.setContentsMargins(0, 0, 0, 8)
        bottom.setSpacing(8)
        self._help.setContentsMargins(14, 0, 14, 0)
        bottom.addWidget(Line())
        bottom.addWidget(self._help)
        column = QVBoxLayout(self)
        # The rows extend to the border, which the panel paints.
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(self._top)
        column.addWidget(self._no_results)
        column.addWidget(self.types, 1)
        column.addWidget(self.families)
        column.addWidget(self._help_area)
        self.setFocusProxy(self.search)

    def _on_searched(self, text: str) -> None:
        found = self.types.filter(text)
        self._no_results.setText(f"No layers match “{text.strip()}”. {_VALUES_HINT}")
        self._no_results.setVisible(found == 0)
        # A search finds the types of all families.
        self.families.setVisible(not self._is_rail and not text.strip())
        self._show_help(self.types.current_type())

    def _on_text_typed(self, text: object) -> None:
        """Letters typed in the list start a search."""
        self.search.setFocus(Qt.FocusReason.OtherFocusReason)
        self.search.insert(str(text))

    def _on_type_chosen(self, name: object) -> None:
        kind = layer_type(str(name))
        self._project.run_command(lambda: commands.add_type(self._project, kind))

    def _show_help(self, name: object) -> None:
        kind = layer_type(str(name)) if name else None
        self._help.setText(kind.description if kind else "")


class _SearchField(QLineEdit):
    """The search field; arrow keys and Enter act on the list while typing."""

    def __init__(self, types: TypeList) -> None:
        super().__init__()
        self._types = types
        self.setObjectName("paletteSearch")
        self.setPlaceholderText("Search layers")
        self.setClearButtonEnabled(True)
        self.setAccessibleName("Search layers by name or description")
        self.setFont(theme().font("content"))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys = Qt.Key
        if event.key() in (keys.Key_Up, keys.Key_Down, keys.Key_PageUp, keys.Key_PageDown):
            self._types.keyPressEvent(event)
        elif is_enter(event):
            self._types.choose_current()
        elif event.key() == keys.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)
