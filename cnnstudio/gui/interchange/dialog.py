"""The dialog that imports code: the code on the left, the resulting layers on the right, updated live."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.core.resources import resources_folder
from cnnstudio.design.network import UNTITLED, Network
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.designer.paste_code import replace_design
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.interchange.base_dialog import NetworkImportDialog
from cnnstudio.gui.interchange.code_field import CodeField
from cnnstudio.gui.interchange.import_choice import ImportChoice
from cnnstudio.gui.interchange.parsed_code import ParsedCode, parse_code
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column, leave_button
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.interchange.reading import CodeError
from cnnstudio.interchange.source import ONNX_SUFFIX, read_text

_DELAY = 250
"""Milliseconds from the last change to the parsing of the code."""
_SLOW = 500
"""Milliseconds of parsing after which a message says so; most code takes a few milliseconds."""
_FILTER = (
    "Code and ONNX files (*.py *.ipynb *.md *.onnx);;Python, notebooks and Markdown (*.py *.ipynb *.md);;"
    "ONNX files (*.onnx);;All files (*)"
)
_NO_CODE = "The layers, their output shapes and any problems appear here as you type."


class ImportDialog(NetworkImportDialog):
    """Parses the code in a thread while it is typed. It is never executed."""

    onnx_wanted = Signal(object)
    """The path of an ONNX file that was opened here; the dialog closes."""

    def __init__(self, project: Project, parent: QWidget | None = None) -> None:
        super().__init__("importDialog", "Import", QSize(1080, 660), project, parent)
        self._parsed: ParsedCode | None = None
        self._opened_file = ("", "")
        """The text of the file that was opened last, and its name."""
        self._network = ""
        """The name of the network that was chosen among several in the code; empty for the default."""
        self._code = CodeField()
        self._recipe = QCheckBox()
        self._data = QCheckBox()
        self._data_note = Label("", "help", "secondary", wrap=True)
        self._choice = ImportChoice(self._recipe, self._data, self._data_note)
        self._parse_timer = QTimer(self)
        self._slow_timer = QTimer(self)
        self._compose()
        self._connect()
        self._show_message(_NO_CODE)

    # Composition

    def _compose(self) -> None:
        self._recipe.setObjectName("importRecipe")
        self._recipe.setToolTip("Settings that the code does not mention are those of the recipe “lesson”.")
        self._data.setObjectName("importData")
        self._data_note.setObjectName("importDataNote")
        halves = QSplitter()
        halves.addWidget(self._code_panel())
        halves.addWidget(self._result)
        halves.setSizes([560, 500])
        halves.setHandleWidth(12)
        halves.setChildrenCollapsible(False)
        column = dialog_column(self)
        column.addWidget(halves, 1)
        column.addLayout(button_row(leave_button(self, "Cancel"), self._import, left=[self._choice]))

    def _code_panel(self) -> Panel:
        open_button = QPushButton("Open file…")
        open_button.setObjectName("openCode")
        open_button.clicked.connect(self._on_open)
        examples = QPushButton("Examples")
        examples.setObjectName("codeExamples")
        menu = self._examples_menu(examples)
        examples.setMenu(menu)
        examples.setVisible(not menu.isEmpty())
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Label("Keras or PyTorch code", "title"), 1)
        head.addWidget(examples)
        head.addWidget(open_button)
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
        self._parse_timer.setSingleShot(True)
        self._parse_timer.setInterval(_DELAY)
        self._parse_timer.timeout.connect(self._parse)
        self._slow_timer.setSingleShot(True)
        self._slow_timer.setInterval(_SLOW)
        self._slow_timer.timeout.connect(lambda: self._show_message("Reading the code…"))
        self._code.textChanged.connect(self._on_text_changed)
        self._code.rejected.connect(lambda text: self._show_message(str(text), is_error=True))
        self._result.line_chosen.connect(self._code.go_to_line)
        self._result.network_chosen.connect(self._on_network)
        self._choice.replace.toggled.connect(lambda _: self._update_options())

    # Code

    def show_code(self, text: str) -> None:
        """Shows this code and parses it at once."""
        self._code.set_code(text)
        self._parse_timer.setInterval(0)
        self._parse_timer.start()
        self._parse_timer.setInterval(_DELAY)

    def open_file(self, path: Path) -> None:
        """Shows the code in a file, or an error if it cannot be read; an ONNX file in its own dialog."""
        if path.suffix.lower() == ONNX_SUFFIX:
            self.reject()
            self.onnx_wanted.emit(path)
            return
        try:
            text = read_text(path)
            self._opened_file = (text, path.stem)
            self.show_code(text)
        except CodeError as error:
            self._code.clear()
            self._parse_timer.stop()
            self._show_message(str(error), is_error=True)

    def _on_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open code", "", _FILTER)
        if name:
            self.open_file(Path(name))

    def _on_network(self, name: object) -> None:
        self._network = str(name)
        self._import.setEnabled(False)
        self._parse()

    def _on_text_changed(self) -> None:
        self._network = ""
        self._import.setEnabled(False)
        self._parse_timer.start()

    def _parse(self) -> None:
        self._cancel_parsing()
        text = self._code.toPlainText()
        if not text.strip():
            self._show_message(_NO_CODE)
            return
        classes, chosen = self._project.classes, self._network
        # A network without a name gets that of the file, unless the code was edited since.
        name = self._opened_file[1] if text == self._opened_file[0] else UNTITLED

        def parse(_: ProgressFunction, __: CancelFunction) -> ParsedCode:
            return parse_code(text, chosen, name, classes)

        self._task = IoTask(parse, self)
        self._task.done.connect(self._show_parsed)
        self._task.failed.connect(lambda text: self._show_message(str(text), is_error=True))
        self._slow_timer.start()
        self._task.start()

    def _cancel_parsing(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    # The result

    def _show_message(self, text: str, *, is_error: bool = False) -> None:
        """Shows a message instead of a result."""
        self._parsed = None
        self._slow_timer.stop()
        self._code.highlight(())
        self._result.show_text(text, is_error=is_error)
        self._recipe.hide()
        self._data.hide()
        self._data_note.hide()
        self._import.setEnabled(False)

    def _show_parsed(self, parsed: object) -> None:
        assert isinstance(parsed, ParsedCode)
        self._parsed = parsed
        self._slow_timer.stop()
        self._show_result(parsed)
        self._recipe.setVisible(parsed.recipe is not None)
        if parsed.recipe is not None:
            self._recipe.setText(parsed.describe_recipe())
            self._recipe.setChecked(True)
        self._show_data(parsed)
        self._import.setEnabled(True)
        self._update_options()

    def _show_result(self, parsed: ParsedCode) -> None:
        self._code.highlight({note.line for note in parsed.imported.notes})
        self._result.show_imported(parsed.imported, parsed.analysis, parsed.recipe_errors)

    def _show_data(self, parsed: ParsedCode) -> None:
        """Offers the data set that the code names, or says that there is none of that name."""
        data, is_offered = parsed.imported.data, parsed.has_data
        is_new = data is not None and data.name != self._project.dataset_name
        self._data.setVisible(is_new and is_offered)
        self._data.setChecked(is_new and is_offered)
        self._data_note.setVisible(is_new and not is_offered)
        (self._data if is_offered else self._data_note).setText(parsed.describe_data())

    def _update_options(self) -> None:
        """The recipe and the data set can only be taken over with the whole design."""
        self._recipe.setEnabled(self._choice.is_replacing)
        self._data.setEnabled(self._choice.is_replacing)

    @property
    def network(self) -> Network | None:
        return None if self._parsed is None else self._parsed.imported.network

    def show_fixed(self, network: Network) -> None:
        assert self._parsed is not None
        self._parsed = self._parsed.with_network(network, self._project.classes)
        self._show_result(self._parsed)

    def import_as_design(self) -> None:
        assert self._parsed is not None
        recipe = self._parsed.recipe if self._recipe.isChecked() else None
        source = self._parsed.source if self._data.isChecked() else None
        name = source.name if source is not None else None
        replace_design(self._project, self._parsed.imported.network, recipe, name)
        self.accept()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._code.setFocus(Qt.FocusReason.OtherFocusReason)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._parse_timer.stop()
        self._slow_timer.stop()
        if self._task is not None:
            self._task.close()
