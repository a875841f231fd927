"""The dialog that imports an ONNX file: its layers, and notes on what could not be imported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QHideEvent, QUndoCommand
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QWidget,
)

from cnnstudio.core.formatting import format_bytes
from cnnstudio.core.parameters import Integer
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.network import MAXIMUM_INPUT, Network
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.interchange.base_dialog import NetworkImportDialog
from cnnstudio.gui.interchange.import_choice import ImportChoice
from cnnstudio.gui.interchange.score_check import ScoreCheck
from cnnstudio.gui.training.start_from.choice import StartFrom
from cnnstudio.gui.training.start_from.start_choice import StartChoice
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column, leave_button
from cnnstudio.gui.widgets.fields.numbers import IntegerField
from cnnstudio.gui.widgets.labels import ElidedLabel, Label
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.progress import ProgressLine
from cnnstudio.interchange.onnx.errors import SizeNeededError
from cnnstudio.interchange.onnx.reader import ImportedOnnx, read_onnx
from cnnstudio.training.pretrained.imported import keep_weights

FILTER = "ONNX files (*.onnx)"
_USUAL_SIZE = 224
_FIELD_WIDTH = 96
_NOTHING = "Open an ONNX file to see its layers here. It is read, never run."


@dataclass(frozen=True)
class _Request:
    """What is read, and how."""

    path: Path
    output: str = ""
    """One of several outputs; empty for the first one."""
    side: int | None = None
    """Height and width of images, where the file leaves them open."""


@dataclass(frozen=True)
class _Read:
    request: _Request
    imported: ImportedOnnx
    analysis: Analysis


class _ChooseWeights(QUndoCommand):
    """Chooses the weights that training starts from. Undone, what was chosen before counts again."""

    def __init__(self, start: StartFrom, choice: StartChoice) -> None:
        super().__init__("choose start weights")
        self._start, self._choice = start, choice
        self._before = start.choice

    def redo(self) -> None:
        self._start.choose(self._choice)

    def undo(self) -> None:
        # Another choice since then stays.
        if self._start.choice == self._choice:
            self._start.choose(self._before)


class OnnxDialog(NetworkImportDialog):
    """Reads a file in a thread, shows the result, and imports design and weights as one undo step."""

    def __init__(
        self, project: Project, start: StartFrom, session: TrainingSession, parent: QWidget | None = None
    ) -> None:
        super().__init__("onnxDialog", "Import ONNX file", QSize(760, 660), project, parent)
        self._start = start
        self._request: _Request | None = None
        """What is read, or was read last."""
        self._read: _Read | None = None
        self._name = ElidedLabel("", "title")
        self._name.setObjectName("onnxName")
        self._size_row = QWidget()
        self._size = IntegerField(
            Integer("size", _USUAL_SIZE, label="Image size", minimum=1, maximum=MAXIMUM_INPUT)
        )
        self._scores = ScoreCheck(session)
        self._progress = ProgressLine(self)
        self._weights = QCheckBox("Start training from the weights in the file")
        self._choice = ImportChoice(self._weights)
        self._compose()
        self._connect()
        self._show_message(_NOTHING)

    def _compose(self) -> None:
        self._weights.setObjectName("importWeights")
        self._weights.setChecked(True)
        self._size.setObjectName("importSize")
        self._size.setAccessibleName("Image size in pixels")
        self._size.setFixedWidth(_FIELD_WIDTH)
        self._size.set_value(_USUAL_SIZE)
        size = QHBoxLayout(self._size_row)
        size.setContentsMargins(0, 0, 0, 0)
        size.setSpacing(8)
        size.addWidget(Label("Image size in pixels", "content"))
        size.addWidget(self._size)
        self._size_row.hide()
        open_button = QPushButton("Open file…")
        open_button.setObjectName("openOnnx")
        open_button.setAutoDefault(False)
        open_button.clicked.connect(self._on_open)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self._name, 1)
        head.addWidget(self._size_row)
        head.addWidget(open_button)
        cancel = leave_button(self, "Cancel")
        cancel.setAutoDefault(False)
        foot = button_row(cancel, self._import, left=[self._choice])
        for button in (cancel, self._import):
            foot.setAlignment(button, Qt.AlignmentFlag.AlignBottom)
        column = dialog_column(self)
        column.addLayout(head)
        column.addWidget(self._result, 1)
        column.addWidget(self._scores)
        column.addWidget(self._progress)
        column.addLayout(foot)

    def _connect(self) -> None:
        self._progress.cancelled.connect(self._on_cancelled)
        self._result.network_chosen.connect(self._on_output)
        self._size.finished.connect(lambda _: self._on_size())
        self._choice.replace.toggled.connect(self._weights.setEnabled)

    # Reading

    def open_file(self, path: Path) -> None:
        """Reads the file and shows what was read, or why it cannot be."""
        self._start_reading(_Request(path))

    def _on_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open ONNX file", "", FILTER)
        if name:
            self.open_file(Path(name))

    def _on_output(self, name: object) -> None:
        if self._request is not None:
            self._start_reading(replace(self._request, output=str(name)))

    def _on_size(self) -> None:
        if self._request is not None and self._request.side is not None:
            self._start_reading(replace(self._request, side=self._size.value()))

    def _show_request(self, request: _Request) -> None:
        self._request = request
        self._name.set_full_text(plain_line(request.path.name))
        self._size_row.setVisible(request.side is not None)
        if request.side is not None:
            self._size.set_value(request.side)

    def _start_reading(self, request: _Request) -> None:
        self._show_request(request)
        path, output, classes = request.path, request.output, self._project.classes
        size = None if request.side is None else (request.side, request.side)

        def read(progress: ProgressFunction, cancelled: CancelFunction) -> _Read | SizeNeededError:
            try:
                imported = read_onnx(path, output=output, size=size, progress=progress, cancelled=cancelled)
            except SizeNeededError as error:
                return error
            return _Read(request, imported, analyze(imported.design.network, classes=classes))

        self._run(IoTask(read, self), "Reading the file…")
        if self._task is not None:
            self._task.done.connect(self._on_read)
            self._task.start()

    def _run(self, task: IoTask, text: str) -> None:
        """Makes this the task that is waited for; the caller connects `done` and starts it."""
        if self._task is not None:
            self._task.cancel()
        self._task = task
        self._import.setEnabled(False)
        self._progress.begin(text)
        task.progressed.connect(self._on_progress)
        task.failed.connect(self._on_failed)

    def _on_progress(self, progress: object) -> None:
        if isinstance(progress, Progress):
            self._progress.show_progress(progress.done, progress.total, progress.text)

    def _on_failed(self, text: object) -> None:
        self._progress.hide()
        self._show_message(str(text), is_error=True)

    def _on_cancelled(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._progress.hide()
        if self._read is None:
            self._show_message("Reading was canceled.")
        else:
            # What was read before is what would be imported.
            self._show_request(self._read.request)
            self._show_read(self._read)

    def _on_read(self, found: object) -> None:
        self._progress.hide()
        if isinstance(found, SizeNeededError) and self._request is not None:
            self._start_reading(replace(self._request, side=self._size.value()))
        elif isinstance(found, _Read):
            self._show_read(found)
            self._scores.compare(found.imported)
            self._import.setFocus(Qt.FocusReason.OtherFocusReason)

    # The result

    def _show_message(self, text: str, *, is_error: bool = False) -> None:
        self._read = None
        self._import.setEnabled(False)
        self._weights.setEnabled(False)
        self._scores.clear()
        self._result.show_text(text, is_error=is_error)

    def _show_read(self, found: _Read) -> None:
        self._read = found
        self._result.show_imported(found.imported.design, found.analysis, ())
        size = sum(array.size * 4 for array in found.imported.weights.values())
        self._weights.setText(f"Start training from the weights in the file ({format_bytes(size)})")
        self._weights.setEnabled(self._choice.is_replacing and size > 0)
        self._import.setEnabled(True)

    @property
    def network(self) -> Network | None:
        return None if self._read is None else self._read.imported.design.network

    def show_fixed(self, network: Network) -> None:
        assert self._read is not None
        imported = self._read.imported
        analysis = analyze(network, self._read.analysis, classes=self._project.classes)
        imported = replace(imported, design=replace(imported.design, network=network))
        self._show_read(_Read(self._read.request, imported, analysis))
        self._scores.compare(imported)

    # The import

    def import_as_design(self) -> None:
        assert self._read is not None
        imported = self._read.imported
        if self._weights.isEnabled() and self._weights.isChecked():
            self._write_weights(imported)
        else:
            self._project.edit("import ONNX file", imported.design.network, select=())
            self.accept()

    def _write_weights(self, imported: ImportedOnnx) -> None:
        def write(progress: ProgressFunction, cancelled: CancelFunction) -> Path:
            return keep_weights(imported, progress, cancelled)

        self._run(IoTask(write, self, writes_files=True), "Writing the weights…")
        if self._task is not None:
            self._task.done.connect(lambda path: self._on_written(imported, path))
            self._task.start()

    def _on_written(self, imported: ImportedOnnx, path: object) -> None:
        choice = StartChoice(str(path), plain_line(imported.source.path.name, 80))
        stack = self._project.undo_stack
        stack.beginMacro("import ONNX file")
        self._project.edit("import ONNX file", imported.design.network, select=())
        stack.push(_ChooseWeights(self._start, choice))
        stack.endMacro()
        self.accept()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._scores.close_task()
        if self._task is not None:
            self._task.close()
