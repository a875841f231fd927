"""Shows the result of an import: the layers, their problems, and notes on lines of the code."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.formatting import at_least, pluralize, screen_reader_text
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.network import Node
from cnnstudio.gui.theme.theme import family_token, theme
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.gui.widgets.plain_text import plain_tooltip
from cnnstudio.interchange.source import LANGUAGES, ImportedDesign, Note
from cnnstudio.layers.catalog import snake_case

_LINE_ROLE = Qt.ItemDataRole.UserRole
_ROW = QSize(0, 27)
_NOTE_SPACING = 3
_NOTE_HEIGHT = 46
"""The height of a note in two lines, as most are."""
_NOTES_HEIGHT = 132
_MAXIMUM_FIXES = 2
_MAXIMUM_ROWS = 2_000
"""Rows in the list of layers: nobody reads more of them before the import."""


class ResultView(Panel):
    """A summary, the layers with their output shapes, problems in red, and notes that lead to their lines."""

    line_chosen = Signal(object)
    """The number of a line of the code, from 1."""
    fix_chosen = Signal(object, object)
    """A Problem of the imported network, and the Fix to apply."""
    network_chosen = Signal(object)
    """The name of another network in the code."""

    def __init__(self) -> None:
        super().__init__("importResult")
        self._summary = Label("", "content", wrap=True)
        self._problems = Label("", "help", "wrong", wrap=True)
        self._fixes = QWidget()
        self._networks = QComboBox()
        self._networks_row = QWidget()
        self._layers = QTreeWidget()
        self._notes_title = Label("", "strong")
        self._notes = QListWidget()
        self._compose()
        theme().changed.connect(self._on_theme_changed)

    def _compose(self) -> None:
        self._summary.setObjectName("importSummary")
        self._problems.setObjectName("importProblems")
        self._layers.setObjectName("importLayers")
        self._layers.setAccessibleName("Imported layers")
        self._layers.setHeaderLabels(["Layer", "Output"])
        self._layers.setRootIsDecorated(True)
        self._layers.setIndentation(18)
        self._layers.setSelectionMode(QTreeWidget.SelectionMode.SingleSelection)
        # Above the shapes, which end at the right.
        self._layers.headerItem().setTextAlignment(
            1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        )
        head = self._layers.header()
        head.setStretchLastSection(False)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        head.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self._notes.setObjectName("importNotes")
        self._notes.setAccessibleName("Notes on the import. Enter goes to the line.")
        self._notes.setWordWrap(True)
        self._notes.setSpacing(_NOTE_SPACING)
        self._notes.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self._notes.itemActivated.connect(self._on_note)
        self._notes.itemClicked.connect(self._on_note)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(8)
        self._networks.setObjectName("importNetwork")
        self._networks.setAccessibleName("Network to import")
        # Names from a file may be very long; the list that opens shows more of them.
        self._networks.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._networks.setMinimumContentsLength(16)
        self._networks.activated.connect(
            lambda index: self.network_chosen.emit(self._networks.itemText(index))
        )
        choice = QHBoxLayout(self._networks_row)
        choice.setContentsMargins(0, 0, 0, 0)
        choice.setSpacing(8)
        choice.addWidget(Label("Network", "content"))
        choice.addWidget(self._networks, 1)
        self._fixes.setObjectName("importFixes")
        buttons = QHBoxLayout(self._fixes)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(8)
        for widget in (
            *(self._networks_row, self._summary, self._problems, self._fixes, self._layers),
            *(self._notes_title, self._notes),
        ):
            column.addWidget(widget)
        column.setStretchFactor(self._layers, 1)
        column.addStretch()

    def show_text(self, text: str, *, is_error: bool = False) -> None:
        """Shows only a message: there is nothing to import."""
        self._networks_row.hide()
        self._summary.setText(text)
        self._summary.set_tone("wrong" if is_error else "secondary")
        for widget in (self._problems, self._fixes, self._layers, self._notes_title, self._notes):
            widget.hide()

    def show_imported(
        self, imported: ImportedDesign, analysis: Analysis, recipe_errors: Iterable[str]
    ) -> None:
        """Shows what was imported; `recipe_errors` are notes on training settings, which have no line."""
        self._offer_networks(imported.networks)
        layers = pluralize(imported.network.layer_count, "layer")
        parameters = at_least(pluralize(analysis.parameters, "parameter"), is_exact=analysis.has_known_costs)
        language = LANGUAGES[imported.language]
        self._summary.setText(f"{language}: {layers}, input {imported.network.input}, {parameters}")
        self._summary.set_tone("text")
        self._problems.setText("\n".join(f"{problem.full_message}." for problem in analysis.problems[:3]))
        self._problems.setVisible(bool(analysis.problems))
        self._offer_fixes(analysis)
        self._layers.clear()
        self._layers.addTopLevelItems(_items(imported.network.nodes, analysis, [_MAXIMUM_ROWS]))
        self._layers.expandAll()
        self._layers.setRootIsDecorated(any(node.is_group for node in imported.network.nodes))
        self._layers.show()
        self._show_notes(imported.notes, recipe_errors)

    def _offer_networks(self, names: tuple[str, ...]) -> None:
        """The choice between several networks. They keep their order when another one is chosen."""
        known = [self._networks.itemText(index) for index in range(self._networks.count())]
        if set(known) != set(names):
            self._networks.clear()
            self._networks.addItems(list(names))
        if names:
            self._networks.setCurrentText(names[0])
        self._networks_row.setVisible(len(names) > 1)

    def _offer_fixes(self, analysis: Analysis) -> None:
        """Buttons for the fixes of the first problem; the others may be gone when it is fixed."""
        row = self._fixes.layout()
        while row is not None and row.count():
            item = row.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
        problem = analysis.problems[0] if analysis.problems else None
        fixes = problem.fixes[:_MAXIMUM_FIXES] if problem is not None else ()
        for number, fix in enumerate(fixes):
            button = QPushButton(fix.label)
            button.setObjectName(f"importFix{number + 1}")
            button.setToolTip(plain_tooltip(f"Fixes the problem above: {fix.instruction}"))
            button.clicked.connect(lambda _=False, fix=fix: self.fix_chosen.emit(problem, fix))
            if row is not None:
                row.addWidget(button)
        if isinstance(row, QHBoxLayout):
            row.addStretch(1)
        self._fixes.setVisible(bool(fixes))

    def _show_notes(self, notes: Iterable[Note], recipe_errors: Iterable[str]) -> None:
        self._notes.clear()
        for error in recipe_errors:
            item = QListWidgetItem(f"{error[:1].upper()}{error[1:]}", self._notes)
            item.setToolTip(plain_tooltip(item.text()))
        for note in notes:
            # What is noted of a file that is no code has no line.
            text = (
                f"Line {note.line}: {note.text}" if note.line else f"{note.text[:1].upper()}{note.text[1:]}"
            )
            item = QListWidgetItem(text, self._notes)
            item.setData(_LINE_ROLE, note.line or None)
            item.setToolTip(plain_tooltip(note.text))
        number = self._notes.count()
        self._notes_title.setText(f"{pluralize(number, 'note')} on what was changed or skipped")
        self._notes.setFixedHeight(min(_NOTE_HEIGHT * number, _NOTES_HEIGHT))
        self._notes_title.setVisible(number > 0)
        self._notes.setVisible(number > 0)

    def _on_note(self, item: QListWidgetItem) -> None:
        line = item.data(_LINE_ROLE)
        if line is not None:
            self.line_chosen.emit(line)

    def _on_theme_changed(self, _: object) -> None:
        def paint(item: QTreeWidgetItem | None) -> None:
            if item is None:
                return
            name, token = item.data(0, _LINE_ROLE)
            item.setIcon(0, theme().icon(name, token))
            # Only layers with a problem have a tooltip.
            if item.toolTip(0):
                item.setForeground(0, theme().color("wrong"))
            for number in range(item.childCount()):
                paint(item.child(number))

        for number in range(self._layers.topLevelItemCount()):
            paint(self._layers.topLevelItem(number))


def _items(nodes: Iterable[Node], analysis: Analysis, remaining: list[int]) -> list[QTreeWidgetItem]:
    """Rows for layers and the layers in them; `remaining[0]` counts down how many more may be created."""
    items = []
    for node in nodes:
        if remaining[0] == 0:
            break
        remaining[0] -= 1
        report, icon = analysis[node.id], snake_case(node.layer.type_name())
        output = str(report.output) if report.has_known_output else ""
        type_name = f"{node.layer.type_name()}, " if node.name else ""
        item = QTreeWidgetItem([f"{node.title}   {type_name}{node.layer.summary()}".rstrip(" ,"), output])
        item.setSizeHint(0, _ROW)
        item.setIcon(0, theme().icon(icon, family_token(node.layer.family)))
        item.setData(0, _LINE_ROLE, (icon, family_token(node.layer.family)))
        item.setData(
            0, Qt.ItemDataRole.AccessibleTextRole, screen_reader_text(f"{item.text(0)}, output {output}")
        )
        item.setFont(1, theme().monospace())
        item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if report.problem is not None:
            item.setForeground(0, theme().color("wrong"))
            item.setToolTip(0, plain_tooltip(f"{report.problem.full_message}."))
        item.addChildren(_items(node.children, analysis, remaining))
        items.append(item)
    return items
