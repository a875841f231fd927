"""Exports the model of the run on show: formats, folder, progress, and the results of the verification."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import exists, expand_home
from cnnstudio.core.formatting import format_percent
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.data.versions.evaluations import describe_evaluations, evaluation_count
from cnnstudio.design.file import read_design
from cnnstudio.export import Exporter, ExportResult, exporters
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line, Panel
from cnnstudio.gui.widgets.progress import ProgressLine
from cnnstudio.interchange.interpreter.names import class_name
from cnnstudio.runs.epochs.saved_best import describe_missing_best
from cnnstudio.runs.run import DESIGN_FILE, Run

_LEAST_WIDTH = 400
_HEAD_HEIGHT = 40
"""As the heads of the other panels."""
_DEFAULT_FORMATS = ("safetensors", "onnx")


@dataclass(frozen=True)
class FormatOutcome:
    """The outcome of one format: its result, or the error message."""

    exporter: Exporter
    result: ExportResult | None
    error: str = ""
    note: str = ""
    """What one has to know of the weights; the same for all formats."""
    tested: str = ""
    """How accurate the model was on the test images, as a sentence."""


class ExportPanel(Panel):
    """Exports the best weights of a run, on the compute thread."""

    def __init__(self, session: TrainingSession) -> None:
        super().__init__("exportPanel")
        self.setMinimumWidth(_LEAST_WIDTH)
        self._session = session
        self._run: Path | None = None
        self._task: ComputeTask | None = None
        self._result_labels: list[Label] = []
        self._formats = {name: self._make_format(exporter) for name, exporter in exporters().items()}
        self._make_fields()
        self._compose()
        session.state_changed.connect(self._on_changed)
        self.show_run(None)

    def show_run(self, run: Path | None) -> None:
        """Offers the export of the run in this folder. During an export it does nothing.

        The panel then keeps the title, folder and results of the run that is exported.
        """
        if self._task is not None:
            return
        if run == self._run and self._title.full_text:
            self._on_changed()
            return
        self._run = run
        self._title.set_full_text(f"Export {_title(run)}" if run is not None else "Export")
        if run is not None:
            self._folder.setText(str(_default_folder(run)))
        self._show_outcomes([])
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
        self._title = ElidedLabel(role="title")
        self._folder = QLineEdit()
        self._folder.setObjectName("exportFolder")
        self._folder.setAccessibleName("Export folder")
        self._folder.textChanged.connect(self._on_changed)
        self._browse = QPushButton("Browse…")
        self._browse.setObjectName("chooseFolder")
        self._browse.clicked.connect(self._on_browse)
        self._verify = QCheckBox("Verify each file against the original model (recommended)")
        self._verify.setObjectName("verify")
        self._verify.setChecked(True)
        self._note = Label("", "help", "secondary", wrap=True)
        self._note.setObjectName("exportNote")
        self._progress = ProgressLine()
        self._progress.cancelled.connect(self._on_cancel)
        self._outcome = QWidget()
        self._results = QVBoxLayout(self._outcome)
        self._results.setContentsMargins(0, 4, 0, 4)
        self._results.setSpacing(6)
        self._outcome.hide()
        self._open = QPushButton("Open folder")
        self._open.setObjectName("openFolder")
        self._open.clicked.connect(self._on_open)
        self._open.hide()
        self._export = QPushButton("Export")
        self._export.setObjectName("export")
        self._export.setProperty("role", "outlined")
        self._export.clicked.connect(self._on_export)

    def _compose(self) -> None:
        inside = QVBoxLayout()
        inside.setSpacing(2)
        for name, box in self._formats.items():
            inside.addWidget(box)
            description = Label(exporters()[name].description, "help", "secondary", wrap=True)
            description.setContentsMargins(26, 0, 0, 8)
            inside.addWidget(description)
        folder_row = QHBoxLayout()
        folder_row.setSpacing(8)
        label = Label("Folder")
        label.setBuddy(self._folder)
        folder_row.addWidget(label)
        folder_row.addWidget(self._folder, 1)
        folder_row.addWidget(self._browse)
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 8, 16, 10)
        foot.setSpacing(8)
        foot.addWidget(self._note, 1)
        # Without a note too, the buttons stand at the right.
        foot.addStretch()
        foot.addWidget(self._open)
        foot.addWidget(self._export)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 4, 16, 8)
        column.setSpacing(8)
        column.addLayout(inside)
        column.addWidget(Line())
        column.addWidget(self._verify)
        column.addLayout(folder_row)
        column.addWidget(self._progress)
        column.addWidget(self._outcome)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        scroll.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)
        head = QWidget()
        head.setFixedHeight(_HEAD_HEIGHT)
        head_row = QHBoxLayout(head)
        head_row.setContentsMargins(16, 0, 16, 0)
        head_row.addWidget(self._title)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 1, 1, 1)
        outer.setSpacing(0)
        outer.addWidget(head)
        outer.addWidget(scroll, 1)
        outer.addWidget(Line())
        outer.addLayout(foot)

    # User input

    def _chosen(self) -> list[Exporter]:
        return [exporters()[name] for name, box in self._formats.items() if box.isChecked()]

    @property
    def _target(self) -> Path:
        """The folder in the field, with ~ expanded to the user's home."""
        return expand_home(self._folder.text().strip())

    @property
    def _obstacle(self) -> str:
        """Why nothing can be exported now; empty if something can."""
        if self._run is None or not (self._run / "checkpoints").is_dir():
            return "There is no trained model yet. Press Train, or open an earlier run (Run ▸ Open run…)."
        if self._session.state is not State.IDLE:
            return "Training is in progress. Stop it, or wait for it to finish, then export the model."
        return ""

    def _on_changed(self, *_: object) -> None:
        has_folder, folder = bool(self._folder.text().strip()), self._target
        obstacle = self._obstacle if self._task is None else ""
        is_ready = bool(self._chosen()) and has_folder and not obstacle
        self._export.setEnabled(is_ready and self._task is None)
        existing = [name for exporter in self._chosen() for name in exporter.files if exists(folder / name)]
        names = ", ".join(dict.fromkeys(existing))
        self._note.setText(obstacle or (f"This will replace {names}" if has_folder and names else ""))
        self._note.setVisible(bool(self._note.text()))

    def _on_browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export folder", str(self._target))
        if folder:
            self._folder.setText(folder)

    def _on_export(self) -> None:
        chosen, folder = self._chosen(), self._target
        run, verify = self._run, self._verify.isChecked()
        assert run is not None
        self._show_outcomes([])
        self._progress.begin("Preparing")
        if self._export.hasFocus():
            self._progress.take_focus()
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
        self._show_busy(False)
        if self._progress.has_focus:
            self._export.setFocus(Qt.FocusReason.OtherFocusReason)
        self._progress.hide()

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
        for note in dict.fromkeys(outcome.note for outcome in outcomes if outcome.result and outcome.note):
            self._add_result(note, is_error=False)
        tested = next((outcome.tested for outcome in outcomes if outcome.result is not None), "")
        if tested:
            self._add_result(tested, is_error=False)
        # The files that were just written need no warning that they will be replaced.
        self._note.hide()

    def _add_result(self, text: str, *, is_error: bool) -> None:
        label = Label(text, "help", "wrong" if is_error else "text", wrap=True)
        self._result_labels.append(label)
        self._results.addWidget(label)
        self._outcome.show()


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
    note = describe_missing_best(run)
    outcomes = []
    for number, exporter in enumerate(chosen):

        def report(part: Progress, number: int = number) -> None:
            total = part.total or 1
            progress(Progress(number * total + part.done, len(chosen) * total, part.text))

        try:
            result = exporter.export(run, folder, verify, report, cancelled)
            outcomes.append(FormatOutcome(exporter, result, note=note, tested=_tested(run)))
        except UserError as error:
            outcomes.append(FormatOutcome(exporter, None, str(error)))
    return outcomes


def _tested(run: Run) -> str:
    """How far the exported model's test accuracy can be trusted; empty if it was not tested."""
    if run.test is None:
        return ""
    counted = describe_evaluations(evaluation_count(run.data_version))
    accuracy = f"Test accuracy {format_percent(run.test.accuracy)}"
    return f"{', '.join(filter(None, (accuracy, counted)))}."


def _title(run: Path) -> str:
    try:
        return read_design(run / DESIGN_FILE).name
    except UserError:
        return run.name


def _default_folder(run: Path) -> Path:
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents or Path.home()) / class_name(_title(run))
