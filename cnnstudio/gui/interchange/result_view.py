"""What was read from code: its layers, what is wrong with them, and what was left out, line by line."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
)

from cnnstudio.core.formatting import plural, spoken
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.network import Node
from cnnstudio.gui.designer.selection_info import is_known
from cnnstudio.gui.theme.theme import family_token, theme
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.interchange.source import LANGUAGES, Imported, Note
from cnnstudio.layers.catalog import snake_case

_LINE_ROLE = Qt.ItemDataRole.UserRole
_ROW = QSize(0, 27)
_NOTE_HEIGHT = 42
"""Of a remark in two lines, as most are."""
_NOTES_HEIGHT = 132
_MOST_SHOWN = 2_000
"""Rows of the list of layers; more of them nobody reads before the import."""


class ResultView(Panel):
    """A sentence on the whole, the layers with their shapes, problems in red, notes to go to their lines."""

    line_chosen = Signal(object)
    """The number of a line of the code, from 1."""

    def __init__(self) -> None:
        super().__init__("importResult")
        self._sentence = Label("", "content", wrap=True)
        self._problems = Label("", "help", "wrong", wrap=True)
        self._layers = QTreeWidget()
        self._notes_title = Label("", "strong")
        self._notes = QListWidget()
        self._compose()
        theme().changed.connect(self._on_theme_changed)

    def _compose(self) -> None:
        self._sentence.setObjectName("importSentence")
        self._problems.setObjectName("importProblems")
        self._layers.setObjectName("importLayers")
        self._layers.setAccessibleName("Layers that were read")
        self._layers.setHeaderLabels(["Layer", "Output"])
        self._layers.setRootIsDecorated(True)
        self._layers.setIndentation(18)
        self._layers.setSelectionMode(QTreeWidget.SelectionMode.SingleSelection)
        head = self._layers.header()
        head.setStretchLastSection(False)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        head.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self._notes.setObjectName("importNotes")
        self._notes.setAccessibleName("What was left out; Enter goes to the line")
        self._notes.setWordWrap(True)
        self._notes.itemActivated.connect(self._on_note)
        self._notes.itemClicked.connect(self._on_note)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(8)
        for widget in (self._sentence, self._problems, self._layers, self._notes_title, self._notes):
            column.addWidget(widget)
        column.setStretchFactor(self._layers, 1)
        column.addStretch()

    def show_sentence(self, sentence: str, *, wrong: bool = False) -> None:
        """Only a sentence: there is nothing to import."""
        self._sentence.setText(sentence)
        self._sentence.set_tone("wrong" if wrong else "secondary")
        for widget in (self._problems, self._layers, self._notes_title, self._notes):
            widget.hide()

    def show_imported(self, imported: Imported, analysis: Analysis, complaints: Iterable[str]) -> None:
        """What was read, with its shapes; `complaints` are on values of the training, which have no lines."""
        number = plural(imported.network.layer_count, "layer")
        parameters = plural(analysis.parameters, "parameter")
        takes = f"images of {imported.network.input}"
        self._sentence.setText(f"{LANGUAGES[imported.language]}: {number} for {takes}, {parameters}")
        self._sentence.set_tone("text")
        self._problems.setText("\n".join(f"{problem.sentence}." for problem in analysis.problems[:3]))
        self._problems.setVisible(bool(analysis.problems))
        self._layers.clear()
        self._layers.addTopLevelItems(_items(imported.network.nodes, analysis, [_MOST_SHOWN]))
        self._layers.expandAll()
        self._layers.setRootIsDecorated(any(node.is_group for node in imported.network.nodes))
        self._layers.show()
        self._show_notes(imported.notes, complaints)

    def _show_notes(self, notes: Iterable[Note], complaints: Iterable[str]) -> None:
        self._notes.clear()
        for complaint in complaints:
            item = QListWidgetItem(f"{complaint[:1].upper()}{complaint[1:]}", self._notes)
            item.setToolTip(item.text())
        for note in notes:
            item = QListWidgetItem(f"Line {note.line}: {note.text}", self._notes)
            item.setData(_LINE_ROLE, note.line)
            item.setToolTip(note.text)
        number = self._notes.count()
        self._notes_title.setText(f"{plural(number, 'remark')} on what is not taken over as it stands")
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
            for number in range(item.childCount()):
                paint(item.child(number))

        for number in range(self._layers.topLevelItemCount()):
            paint(self._layers.topLevelItem(number))


def _items(nodes: Iterable[Node], analysis: Analysis, room: list[int]) -> list[QTreeWidgetItem]:
    """Rows for layers and what is in them; `room` counts down how many more there may be."""
    items = []
    for node in nodes:
        if room[0] == 0:
            break
        room[0] -= 1
        report, icon = analysis[node.id], snake_case(node.layer.type_name())
        output = str(report.output) if is_known(report) else ""
        own = f"{node.layer.type_name()}, " if node.name else ""
        item = QTreeWidgetItem([f"{node.title}   {own}{node.layer.summary()}".rstrip(" ,"), output])
        item.setSizeHint(0, _ROW)
        item.setIcon(0, theme().icon(icon, family_token(node.layer.family)))
        item.setData(0, _LINE_ROLE, (icon, family_token(node.layer.family)))
        item.setData(0, Qt.ItemDataRole.AccessibleTextRole, spoken(f"{item.text(0)}, output {output}"))
        item.setFont(1, theme().monospace())
        item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if report.problem is not None:
            item.setForeground(0, theme().color("wrong"))
            item.setToolTip(0, f"{report.problem.sentence}.")
        item.addChildren(_items(node.children, analysis, room))
        items.append(item)
    return items
