"""The network as PyTorch and Keras code, the chosen layers' lines lit: of the layers, or the whole file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtGui import QGuiApplication, QTextCharFormat, QTextCursor, QTextFormat
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPlainTextEdit, QTabBar, QTextEdit, QVBoxLayout

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import write_atomically
from cnnstudio.gui.designer.inspector.highlighter import CodeColors
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.lazy_panel import LazyPanel
from cnnstudio.gui.widgets.quiet_button import QuietButton
from cnnstudio.interchange.chain import CodeLine, require_whole
from cnnstudio.interchange.interpreter.names import class_name
from cnnstudio.interchange.keras import writer as keras
from cnnstudio.interchange.pytorch import writer as pytorch

_WRITERS = {
    "PyTorch": (pytorch.layer_code, pytorch.file_code),
    "Keras": (keras.layer_code, keras.file_code),
}
"""Language -> what writes the lines of the layers, and those of a whole file."""
_NO_FILE = "# No whole program yet. {}."
_NO_CODE: list[CodeLine] = [(None, "# The code of the layers stands here.")]
_HIGHEST = 360
_DELAY = 60
"""Milliseconds, in which the list stands."""


class CodeView(LazyPanel):
    """The lines of the layers, moved to those of the selected ones; `whole`, the file around them too."""

    def __init__(self, project: Project, *, whole: bool = False) -> None:
        super().__init__("codeFile" if whole else "codeView", delay=_DELAY)
        self._project = project
        self._whole = whole
        self._owners: list[str | None] = []
        self._tabs = QTabBar()
        self._text = QPlainTextEdit()
        of_what = "the whole program" if whole else "all layers"
        self._copy = QuietButton("copyCode", "Copy", f"Copy the code of {of_what}")
        self._save = QuietButton("saveCode", "Save…", "Save the whole program as a Python file")
        self._compose()
        self._tabs.currentChanged.connect(lambda _: self.refresh())
        self._copy.clicked.connect(self._on_copy)
        self._save.clicked.connect(self._on_save)
        for signal in (project.network_changed, project.selection_changed, theme().changed):
            signal.connect(self.refresh_later)

    def sizeHint(self) -> QSize:
        return QSize(320, 400 if self._whole else 110)

    def minimumSizeHint(self) -> QSize:
        return QSize(320, 110)

    @property
    def lit_lines(self) -> list[str]:
        """The lines of the selected layers."""
        lines = self._text.toPlainText().split("\n")
        return [line for line, owner in zip(lines, self._owners, strict=False) if owner in self._lit()]

    def _compose(self) -> None:
        if not self._whole:
            self.setProperty("role", "code")
        for name in _WRITERS:
            self._tabs.addTab(name)
        self._tabs.setFont(theme().font("help"))
        self._tabs.setExpanding(False)
        self._tabs.setAccessibleName("Language of the code")
        self._text.setObjectName("code")
        self._text.setProperty("role", "program" if self._whole else "code")
        self._text.setReadOnly(True)
        self._text.setFont(theme().monospace())
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setTabChangesFocus(True)
        self._text.setAccessibleName("Code of the network")
        head = QHBoxLayout()
        head.addWidget(self._tabs, 1)
        head.addWidget(self._copy)
        head.addWidget(self._save)
        if not self._whole:
            self._save.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 6, 6)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(self._text, 1)
        if self._whole:
            self.setFocusProxy(self._text)
            self._colors = CodeColors(self._text.document())
        else:
            self.setMaximumHeight(_HIGHEST)

    def refresh(self) -> None:
        """Writes the code anew, and lights and shows what belongs to the selection."""
        self._later.stop()
        lines = self._lines()
        self._owners = [owner for owner, _ in lines]
        code = "\n".join(line for _, line in lines)
        if code != self._text.toPlainText():
            self._text.setPlainText(code)
        self._light()

    def _lines(self) -> list[CodeLine]:
        network, analysis = self._project.network, self._project.analysis
        of_layers, of_file = _WRITERS[self._language]
        try:
            if not self._whole:
                return of_layers(network, analysis) or _NO_CODE
            if not analysis.problems:
                return of_file(network, analysis)
            reason = _NO_FILE.format(analysis.problems[0].sentence)
            return [(None, reason), (None, ""), *of_layers(network, analysis)]
        except UserError as error:
            return [(None, f"# {error}")]

    @property
    def _language(self) -> str:
        return self._tabs.tabText(self._tabs.currentIndex())

    def _lit(self) -> Collection[str | None]:
        """The selected layers and all that is in them."""
        network = self._project.network
        return {node.id for chosen in self._project.selection for node in network.node(chosen).walk()}

    def _light(self) -> None:
        lit = QTextCharFormat()
        if not self._whole:
            # The whole program has the colors of its code.
            lit.setForeground(theme().color("text"))
        lit.setBackground(theme().color("selection"))
        lit.setProperty(QTextFormat.Property.FullWidthSelection, True)
        chosen = self._lit()
        numbers = [number for number, owner in enumerate(self._owners) if owner in chosen]
        selections = []
        for number in numbers:
            selection = QTextEdit.ExtraSelection()
            selection.format = lit
            selection.cursor = QTextCursor(self._text.document().findBlockByNumber(number))
            selections.append(selection)
        self._text.setExtraSelections(selections)
        self._scroll_to(numbers[0] if numbers else 0)

    def _scroll_to(self, line: int) -> None:
        """Puts the line into the middle."""
        self._text.setTextCursor(QTextCursor(self._text.document().findBlockByNumber(line)))
        self._text.centerCursor()

    def _on_copy(self) -> None:
        self.refresh()
        QGuiApplication.clipboard().setText(self._text.toPlainText())

    def _on_save(self) -> None:
        """Asks where to, and writes the program there."""
        project = self._project
        if not project.attempt(lambda: _require_whole(project)):
            return
        self.refresh()
        stem = f"{class_name(project.network.name)}_{self._language}".lower()
        name, _ = QFileDialog.getSaveFileName(self, "Save the program", f"{stem}.py", "Python (*.py)")
        if name:
            path = Path(name) if name.endswith(".py") else Path(f"{name}.py")
            text = self._text.toPlainText() + "\n"
            project.attempt(lambda: write_atomically(path, text.encode()))


def _require_whole(project: Project) -> None:
    """Raises CodeError, which says why there is no program yet."""
    require_whole(project.network, project.analysis)
