"""The dialog that exports a trained model: formats, folder, progress, and the results of the verification."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QStandardPaths, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import exists, expand_home
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.design.file import read_design
from cnnstudio.export import Exporter, ExportResult, exporters
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line, Panel
from cnnstudio.gui.widgets.progress import ProgressLine
from cnnstudio.interchange.interpreter.names import class_name
from cnnstudio.runs.run import DESIGN_FILE, Run

_WIDTH = 620
_DEFAULT_FORMATS = ("safetensors", "onnx")


@dataclass(frozen=True)
class FormatOutcome:
    """The outcome of one format: its result, or the error message."""

    exporter: Exporter
    result: ExportResult | None
    error: str = ""


class ExportDialog(QDialog):
    """Exports the best weights of the run in the folder `run`, on the compute thread."""

    def __init__(self, session: TrainingSession, run: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("exportDialog")
        self.setWindowTitle("Export")
        self.setMinimumWidth(_WIDTH)
        self._session = session
        self._run = run
        self._task: ComputeTask | None = None
        self._result_labels: list[Label] = []
        self._formats = {name: self._make_format(exporter) for name, exporter in exporters().items()}
        self._make_fields()
        self._compose()
        self._on_changed()

    # Composition

    def _make_format(self, exporter: Exporter) -> QCheckBox:
        box = QCheckBox(exporter.title)
        box.setObjectName(f"format_{exporter.name}")
        box.setAccessibleDescription(exporter.description)
        box.setChecked(exporter.name in _DEFAULT_FORMATS)
        box.toggled.connect(self._on_changed)
        return box

    def _make_fields(self) -> None:
        self._folder = QLineEdit(str(_default_folder(self._run)))
        self._folder.setObjectName("exportFolder")
        self._folder.setAccessibleName("Export folder")
        self._folder.textChanged.connect(self._on_changed)
        self._browse = QPushButton("Browse…")
        self._browse.setObjectName("chooseFolder")
        self._browse.clicked.connect(self._on_browse)
        self._verify = QCheckBox("Verify each file against the original model (recommended)")
        self._verify.setObjectName("verify")
        self._verify.setChecked(True)
        self._note = Label("", "help", "secondary")
        self._note.setObjectName("exportNote")
        self._progress = ProgressLine()
        self._progress.cancelled.connect(self._on_cancel)
        self._outcome = Panel()
        self._results = QVBoxLayout(self._outcome)
        self._results.setContentsMargins(14, 12, 14, 12)
        self._results.setSpacing(6)
        self._outcome.hide()
        self._open = QPushButton("Open folder")
        self._open.setObjectName("openFolder")
        self._open.clicked.connect(self._on_open)
        self._open.hide()
        self._close = QPushButton("Close")
        self._close.clicked.connect(self.reject)
        self._export = QPushButton("Export")
        self._export.setObjectName("export")
        self._export.setProperty("role", "primary")
        self._export.setDefault(True)
        self._export.clicked.connect(self._on_export)

    def _compose(self) -> None:
        panel = Panel()
        inside = QVBoxLayout(panel)
        inside.setContentsMargins(14, 12, 14, 12)
        inside.setSpacing(2)
        for name, box in self._formats.items():
            inside.addWidget(box)
            description = Label(exporters()[name].description, "help", "secondary")
            description.setContentsMargins(26, 0, 0, 6)
            inside.addWidget(description)
        inside.addWidget(Line())
        inside.addWidget(self._verify)
        folder_row = QHBoxLayout()
        folder_row.setSpacing(8)
        label = Label("Folder")
        label.setBuddy(self._folder)
        folder_row.addWidget(label)
        folder_row.addWidget(self._folder, 1)
        folder_row.addWidget(self._browse)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self._open)
        foot.addStretch(1)
        foot.addWidget(self._close)
        foot.addWidget(self._export)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(ElidedLabel(f"Export {_title(self._run)}", "title"))
        column.addWidget(panel)
        column.addLayout(folder_row)
        column.addWidget(self._note)
        column.addWidget(self._progress)
        column.addWidget(self._outcome)
        column.addStretch(1)
        column.addLayout(foot)

    # User input

    def _chosen(self) -> list[Exporter]:
        return [exporters()[name] for name, box in self._formats.items() if box.isChecked()]

    @property
    def _target(self) -> Path:
        """The folder in the field, with ~ expanded to the user's home."""
        return expand_home(self._folder.text().strip())

    def _on_changed(self) -> None:
        has_folder, folder = bool(self._folder.text().strip()), self._target
        self._export.setEnabled(bool(self._chosen()) and has_folder and self._task is None)
        existing = [name for exporter in self._chosen() for name in exporter.files if exists(folder / name)]
        names = ", ".join(dict.fromkeys(existing))
        self._note.setText(f"This will replace {names}" if has_folder and names else "")
        self._note.setVisible(bool(self._note.text()))

    def _on_browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export folder", str(self._target))
        if folder:
            self._folder.setText(folder)

    def _on_export(self) -> None:
        chosen, folder = self._chosen(), self._target
        run, verify = self._run, self._verify.isChecked()
        self._show_outcomes([])
        self._progress.begin("Preparing")
        self._task = self._session.run_task(
            lambda progress, cancelled: export_all(run, chosen, folder, verify, progress, cancelled),
            self._on_done,
            self._on_failed,
            self._on_progress,
        )
        self._show_busy(True)

    def _on_progress(self, progress: object) -> None:
        assert isinstance(progress, Progress)
        self._progress.show_progress(progress.done, progress.total, progress.text)

    def _on_done(self, outcomes: object) -> None:
        assert isinstance(outcomes, list)
        self._end()
        self._show_outcomes(outcomes)
        self._open.setVisible(any(outcome.result for outcome in outcomes))

    def _on_failed(self, message: str) -> None:
        self._end()
        self._add_result(message, is_error=True)

    def _on_cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._end()
        self._add_result("Export canceled. The files written so far are complete.", is_error=False)

    def _on_open(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._target)))

    # Results

    def _end(self) -> None:
        self._task = None
        self._progress.hide()
        self._show_busy(False)

    def _show_busy(self, busy: bool) -> None:
        for widget in (*self._formats.values(), self._folder, self._browse, self._verify):
            widget.setEnabled(not busy)
        self._on_changed()

    def _show_outcomes(self, outcomes: list[FormatOutcome]) -> None:
        for label in self._result_labels:
            label.deleteLater()
        self._result_labels.clear()
        self._outcome.hide()
        self._open.hide()
        for outcome in outcomes:
            if outcome.result is None:
                self._add_result(f"{outcome.exporter.title}: {outcome.error}", is_error=True)
            else:
                self._add_result(f"✓ {outcome.result.message}", is_error=False)
        # The files that were just written need no warning that they will be replaced.
        self._note.hide()

    def _add_result(self, text: str, *, is_error: bool) -> None:
        label = Label(text, "help", "wrong" if is_error else "text", wrap=True)
        self._result_labels.append(label)
        self._results.addWidget(label)
        self._outcome.show()

    def done(self, result: int) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        super().done(result)


def export_all(
    run_folder: Path,
    chosen: list[Exporter],
    folder: Path,
    verify: bool,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> list[FormatOutcome]:
    """Exports every chosen format, on the compute thread; the others are exported even if one fails.

    Raises RunError if the run cannot be opened.
    """
    run = Run.open(run_folder)
    outcomes = []
    for number, exporter in enumerate(chosen):

        def report(part: Progress, number: int = number) -> None:
            total = part.total or 1
            progress(Progress(number * total + part.done, len(chosen) * total, part.text))

        try:
            result = exporter.export(run, folder, verify, report, cancelled)
            outcomes.append(FormatOutcome(exporter, result))
        except UserError as error:
            outcomes.append(FormatOutcome(exporter, None, str(error)))
    return outcomes


def _title(run: Path) -> str:
    try:
        return read_design(run / DESIGN_FILE).name
    except UserError:
        return run.name


def _default_folder(run: Path) -> Path:
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents or Path.home()) / class_name(_title(run))
