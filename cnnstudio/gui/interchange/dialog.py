"""The dialog that reads other people's code: the code at the left, at the right what it becomes, live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QRadioButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.core.resources import resources_folder
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.network import UNTITLED
from cnnstudio.gui.compute.io_task import Work
from cnnstudio.gui.designer.paste_code import insert_layers, recipe_of, replace_design
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.interchange.code_field import CodeField
from cnnstudio.gui.interchange.result_view import ResultView
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.interchange.reading import CodeError, Imported, read_code
from cnnstudio.interchange.source import read_text
from cnnstudio.training.recipe.recipe import Recipe

_DELAY = 250
"""Milliseconds after the last key before the code is read."""
_SLOW = 500
"""Milliseconds of reading after which it is said that it is read; most code takes a few."""
_FILTER = "Python (*.py);;All files (*)"
_NOTHING = "What the code says is shown here while you type: its layers, their shapes, and what is missing."


@dataclass(frozen=True)
class _Reading:
    """Code that was read, with what the project's data makes of it."""

    imported: Imported
    analysis: Analysis
    recipe: Recipe | None
    complaints: tuple[str, ...]
    """On values of the training that no recipe can have."""


class ImportDialog(QDialog):
    """Reads the code behind the window while it is typed. Nothing of it is ever run."""

    def __init__(self, project: Project, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("importDialog")
        self.setWindowTitle("Import code")
        self.resize(1080, 660)
        self._project = project
        self._reading: _Reading | None = None
        self._work: Work | None = None
        self._opened = ("", "")
        self._code = CodeField()
        self._result = ResultView()
        self._replace = QRadioButton("Replace the open design")
        self._insert = QRadioButton("Insert the layers after the selection")
        self._recipe = QCheckBox()
        self._import = QPushButton("Import")
        self._later = QTimer(self)
        self._slow = QTimer(self)
        self._compose()
        self._connect()
        self._show_nothing(_NOTHING)

    # Composition

    def _compose(self) -> None:
        self._import.setObjectName("importButton")
        self._import.setProperty("role", "primary")
        self._import.setDefault(True)
        self._replace.setObjectName("importReplaces")
        self._insert.setObjectName("importInserts")
        self._recipe.setObjectName("importRecipe")
        choice = QButtonGroup(self)
        choice.addButton(self._replace)
        choice.addButton(self._insert)
        self._replace.setChecked(True)
        halves = QSplitter()
        halves.addWidget(self._code_panel())
        halves.addWidget(self._result)
        halves.setSizes([560, 500])
        halves.setHandleWidth(12)
        halves.setChildrenCollapsible(False)
        options = QVBoxLayout()
        options.setSpacing(2)
        # The recipe belongs to the choice above it.
        inner = QHBoxLayout()
        inner.setContentsMargins(26, 0, 0, 0)
        inner.addWidget(self._recipe)
        options.addWidget(self._replace)
        options.addLayout(inner)
        options.addWidget(self._insert)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.reject)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addLayout(options)
        foot.addStretch(1)
        foot.addWidget(cancel)
        foot.addWidget(self._import)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(halves, 1)
        column.addLayout(foot)

    def _code_panel(self) -> Panel:
        opening = QPushButton("Open a file…")
        opening.setObjectName("openCode")
        opening.clicked.connect(self._on_open)
        examples = QPushButton("Examples")
        examples.setObjectName("codeExamples")
        menu = self._examples_menu(examples)
        examples.setMenu(menu)
        examples.setVisible(not menu.isEmpty())
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Label("Keras or PyTorch code", "title"), 1)
        head.addWidget(examples)
        head.addWidget(opening)
        panel = Panel()
        column = QVBoxLayout(panel)
        column.setContentsMargins(14, 10, 14, 14)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self._code, 1)
        return panel

    def _examples_menu(self, parent: QWidget) -> QMenu:
        menu = QMenu(parent)
        for path in sorted((resources_folder() / "lessons").glob("*.py")):
            action = menu.addAction(path.stem.replace("-", " ").replace("_", " ").capitalize())
            action.triggered.connect(lambda _checked=False, path=path: self.open_file(path))
        return menu

    def _connect(self) -> None:
        self._later.setSingleShot(True)
        self._later.setInterval(_DELAY)
        self._later.timeout.connect(self._read)
        self._slow.setSingleShot(True)
        self._slow.setInterval(_SLOW)
        self._slow.timeout.connect(lambda: self._show_nothing("Reading the code…"))
        self._code.textChanged.connect(self._on_text_changed)
        self._code.refused.connect(lambda sentence: self._show_nothing(str(sentence), wrong=True))
        self._result.line_chosen.connect(self._code.go_to)
        self._replace.toggled.connect(self._recipe.setEnabled)
        self._import.clicked.connect(self._on_import)

    # Code

    def show_code(self, text: str) -> None:
        """Shows this code and reads it at once."""
        self._code.take(text)
        self._later.setInterval(0)
        self._later.start()
        self._later.setInterval(_DELAY)

    def open_file(self, path: Path) -> None:
        """Shows the code in a file, or says why it cannot be shown."""
        try:
            text = read_text(path)
            self._opened = (text, path.stem)
            self.show_code(text)
        except CodeError as error:
            self._code.clear()
            self._later.stop()
            self._show_nothing(str(error), wrong=True)

    def _on_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open code", "", _FILTER)
        if name:
            self.open_file(Path(name))

    def _on_text_changed(self) -> None:
        self._import.setEnabled(False)
        self._later.start()

    def _read(self) -> None:
        self._stop_reading()
        text = self._code.toPlainText()
        if not text.strip():
            self._show_nothing(_NOTHING)
            return
        classes = self._project.classes
        # Code that is still as the file has it takes the file's name, if it has none of its own.
        name = self._opened[1] if text == self._opened[0] else UNTITLED

        def read(_: ProgressFunction, __: CancelFunction) -> _Reading:
            imported = read_code(text).named(name)
            return _Reading(imported, analyze(imported.network, classes=classes), *recipe_of(imported))

        self._work = Work(read, self)
        self._work.done.connect(self._show_reading)
        self._work.failed.connect(lambda sentence: self._show_nothing(str(sentence), wrong=True))
        self._slow.start()
        self._work.start()

    def _stop_reading(self) -> None:
        if self._work is not None:
            self._work.cancel()
            self._work = None

    # What it becomes

    def _show_nothing(self, sentence: str, *, wrong: bool = False) -> None:
        self._reading = None
        self._slow.stop()
        self._code.mark(())
        self._result.show_sentence(sentence, wrong=wrong)
        self._recipe.hide()
        self._import.setEnabled(False)

    def _show_reading(self, reading: object) -> None:
        assert isinstance(reading, _Reading)
        self._reading = reading
        self._slow.stop()
        self._code.mark({note.line for note in reading.imported.notes})
        self._result.show_imported(reading.imported, reading.analysis, reading.complaints)
        self._recipe.setVisible(reading.recipe is not None)
        if reading.recipe is not None:
            self._recipe.setText(f"Train as the code does: {recipe_words(reading.recipe)}")
            self._recipe.setChecked(True)
        self._import.setEnabled(True)

    def _on_import(self) -> None:
        if self._reading is None:
            return
        network = self._reading.imported.network
        try:
            if self._insert.isChecked():
                insert_layers(self._project, network)
            else:
                recipe = self._reading.recipe if self._recipe.isChecked() else None
                replace_design(self._project, network, recipe)
        except UserError as error:
            self._result.show_sentence(str(error), wrong=True)
            return
        self.accept()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._code.setFocus(Qt.FocusReason.OtherFocusReason)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._later.stop()
        self._slow.stop()
        if self._work is not None:
            self._work.close()


def recipe_words(recipe: Recipe) -> str:
    """`adam, learning rate 0.001, 10 epochs in batches of 32`."""
    return (
        f"{recipe.optimizer}, learning rate {recipe.learning_rate:g}, "
        f"{recipe.epochs:,} epochs in batches of {recipe.batch_size:,}"
    )
