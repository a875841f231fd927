"""The network as PyTorch and Keras code, with the lines of the selected layers highlighted."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtGui import QGuiApplication, QTextCharFormat, QTextCursor, QTextFormat
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPlainTextEdit, QTextEdit, QVBoxLayout

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import write_atomically
from cnnstudio.gui.designer.inspector.highlighter import PythonHighlighter
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.icon_button import QuietButton
from cnnstudio.gui.widgets.lazy_panel import LazyPanel
from cnnstudio.gui.widgets.segments import Choice
from cnnstudio.interchange.chain import CodeLine, require_valid
from cnnstudio.interchange.interpreter.names import class_name
from cnnstudio.interchange.keras import writer as keras
from cnnstudio.interchange.pytorch import writer as pytorch

_WRITERS = {
    "PyTorch": (pytorch.layer_code, pytorch.file_code),
    "Keras": (keras.layer_code, keras.file_code),
}
"""Language -> the functions that write the layers alone, and a complete file."""
_NO_FILE = "# No complete program yet. {}."
_DELAY = 60
"""Milliseconds; the layer list is drawn first."""


class CodeView(LazyPanel):
    """The complete program; scrolls to the selected layers."""

    def __init__(self, project: Project) -> None:
        super().__init__("codeFile", delay=_DELAY)
        self._project = project
        self._owners: list[str | None] = []
        self._language = Choice("Code language", list(_WRITERS))
        self._text = QPlainTextEdit()
        self._copy = QuietButton("copyCode", "Copy", "Copy the program")
        self._save = QuietButton("saveCode", "Save…", "Save the program as a Python file")
        self._compose()
        self._language.changed.connect(lambda _: self.refresh())
        self._copy.clicked.connect(self._on_copy)
        self._save.clicked.connect(self._on_save)
        for signal in (project.network_changed, project.selection_changed, theme().changed):
            signal.connect(self.refresh_later)

    def sizeHint(self) -> QSize:
        return QSize(320, 400)

    def minimumSizeHint(self) -> QSize:
        return QSize(280, 110)

    @property
    def highlighted_lines(self) -> list[str]:
        """The lines of code that belong to the selected layers."""
        lines, selected = self._text.toPlainText().split("\n"), self._selected_ids()
        return [line for line, owner in zip(lines, self._owners, strict=False) if owner in selected]

    def _compose(self) -> None:
        self._text.setObjectName("code")
        self._text.setProperty("role", "program")
        self._text.setReadOnly(True)
        self._text.setFont(theme().monospace())
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setTabChangesFocus(True)
        self._text.setAccessibleName("Network code")
        head = QHBoxLayout()
        head.addWidget(self._language)
        head.addStretch(1)
        head.addWidget(self._copy)
        head.addWidget(self._save)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 6, 6)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self._text, 1)
        self.setFocusProxy(self._text)
        self._highlighter = PythonHighlighter(self._text.document())

    def refresh(self) -> None:
        """Writes the code again, highlights the lines of the selection and scrolls to them."""
        self._later.stop()
        lines = self._lines()
        self._owners = [owner for owner, _ in lines]
        code = "\n".join(line for _, line in lines)
        if code != self._text.toPlainText():
            self._text.setPlainText(code)
        self._highlight()

    def _lines(self) -> list[CodeLine]:
        network, analysis = self._project.network, self._project.analysis
        layer_code, file_code = _WRITERS[self._language_name]
        try:
            if not analysis.problems:
                return file_code(network, analysis)
            reason = _NO_FILE.format(analysis.problems[0].full_message)
            return [(None, reason), (None, ""), *layer_code(network, analysis)]
        except UserError as error:
            return [(None, f"# {error}")]

    @property
    def _language_name(self) -> str:
        return [*_WRITERS][self._language.index]

    def _selected_ids(self) -> Collection[str | None]:
        """The ids of the selected layers and of everything inside them."""
        network = self._project.network
        return {node.id for selected in self._project.selection for node in network.node(selected).walk()}

    def _highlight(self) -> None:
        highlight = QTextCharFormat()
        highlight.setBackground(theme().color("selection"))
        highlight.setProperty(QTextFormat.Property.FullWidthSelection, True)
        selected = self._selected_ids()
        numbers = [number for number, owner in enumerate(self._owners) if owner in selected]
        selections = []
        for number in numbers:
            selection = QTextEdit.ExtraSelection()
            selection.format = highlight
            selection.cursor = QTextCursor(self._text.document().findBlockByNumber(number))
            selections.append(selection)
        self._text.setExtraSelections(selections)
        self._scroll_to(numbers[0] if numbers else 0)

    def _scroll_to(self, line: int) -> None:
        """Scrolls so that the line is in the middle."""
        self._text.setTextCursor(QTextCursor(self._text.document().findBlockByNumber(line)))
        self._text.centerCursor()

    def _on_copy(self) -> None:
        self.refresh()
        QGuiApplication.clipboard().setText(self._text.toPlainText())

    def _on_save(self) -> None:
        """Asks for a file name and saves the program."""
        project = self._project
        if not project.run_command(lambda: _require_complete(project)):
            return
        self.refresh()
        stem = f"{class_name(project.network.name)}_{self._language_name}".lower()
        name, _ = QFileDialog.getSaveFileName(self, "Save program", f"{stem}.py", "Python (*.py)")
        if name:
            path = Path(name) if name.endswith(".py") else Path(f"{name}.py")
            text = self._text.toPlainText() + "\n"
            project.run_command(lambda: write_atomically(path, text.encode()))


def _require_complete(project: Project) -> None:
    """Raises CodeError, with the reason, if the network cannot be written as a complete program yet."""
    require_valid(project.network, project.analysis)
