"""The dialog that takes a trained model away: formats, folder, progress, and what the comparison found."""

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
from cnnstudio.core.files import exists, with_home
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.design.file import read_design
from cnnstudio.export import Exporter, ExportResult, exporters
from cnnstudio.gui.compute.compute_task import Job
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.widgets.labels import Label, Line, Panel
from cnnstudio.gui.widgets.progress import ProgressLine
from cnnstudio.interchange.interpreter.names import class_name
from cnnstudio.runs.run import DESIGN_FILE, Run

_WIDTH = 620
_CHOSEN_FIRST = ("safetensors", "onnx")


@dataclass(frozen=True)
class Outcome:
    """What became of one format: its result, or the sentence that says why there is none."""

    exporter: Exporter
    result: ExportResult | None
    problem: str = ""


class ExportDialog(QDialog):
    """Exports the best weights of the run in `run`, on the thread that computes."""

    def __init__(self, session: TrainingSession, run: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("exportDialog")
        self.setWindowTitle("Export")
        self.setMinimumWidth(_WIDTH)
        self._session = session
        self._run = run
        self._job: Job | None = None
        self._lines: list[Label] = []
        self._formats = {name: self._make_format(exporter) for name, exporter in exporters().items()}
        self._make_fields()
        self._compose()
        self._on_changed()

    # Composition

    def _make_format(self, exporter: Exporter) -> QCheckBox:
        box = QCheckBox(exporter.title)
        box.setObjectName(f"format_{exporter.name}")
        box.setAccessibleDescription(exporter.description)
        box.setChecked(exporter.name in _CHOSEN_FIRST)
        box.toggled.connect(self._on_changed)
        return box

    def _make_fields(self) -> None:
        self._folder = QLineEdit(str(_first_folder(self._run)))
        self._folder.setObjectName("exportFolder")
        self._folder.setAccessibleName("Folder for the files")
        self._folder.textChanged.connect(self._on_changed)
        self._browse = QPushButton("Choose…")
        self._browse.setObjectName("chooseFolder")
        self._browse.clicked.connect(self._on_browse)
        self._verify = QCheckBox("Compare each file with the original (recommended)")
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
        self._open = QPushButton("Open the folder")
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
            words = Label(exporters()[name].description, "help", "secondary")
            words.setContentsMargins(26, 0, 0, 6)
            inside.addWidget(words)
        inside.addWidget(Line())
        inside.addWidget(self._verify)
        place = QHBoxLayout()
        place.setSpacing(8)
        label = Label("Folder")
        label.setBuddy(self._folder)
        place.addWidget(label)
        place.addWidget(self._folder, 1)
        place.addWidget(self._browse)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self._open)
        foot.addStretch(1)
        foot.addWidget(self._close)
        foot.addWidget(self._export)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(Label(f"Export {_title(self._run)}", "title"))
        column.addWidget(panel)
        column.addLayout(place)
        column.addWidget(self._note)
        column.addWidget(self._progress)
        column.addWidget(self._outcome)
        column.addStretch(1)
        column.addLayout(foot)

    # What the user does

    def _chosen(self) -> list[Exporter]:
        return [exporters()[name] for name, box in self._formats.items() if box.isChecked()]

    @property
    def _target(self) -> Path:
        """The folder that the field names, in which ~ stands for the user's own."""
        return with_home(self._folder.text().strip())

    def _on_changed(self) -> None:
        named, folder = bool(self._folder.text().strip()), self._target
        self._export.setEnabled(bool(self._chosen()) and named and self._job is None)
        there = [name for exporter in self._chosen() for name in exporter.files if exists(folder / name)]
        names = ", ".join(dict.fromkeys(there))
        self._note.setText(f"Replaces in this folder: {names}" if named and names else "")
        self._note.setVisible(bool(self._note.text()))

    def _on_browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "A folder for the files", str(self._target))
        if folder:
            self._folder.setText(folder)

    def _on_export(self) -> None:
        chosen, folder = self._chosen(), self._target
        run, verify = self._run, self._verify.isChecked()
        self._show_outcomes([])
        self._progress.begin("Getting ready")
        self._job = self._session.run_job(
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

    def _on_failed(self, sentence: str) -> None:
        self._end()
        self._add_line(sentence, wrong=True)

    def _on_cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
        self._end()
        self._add_line("The export was called off; files that were written before are whole.", wrong=False)

    def _on_open(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._target)))

    # What is shown

    def _end(self) -> None:
        self._job = None
        self._progress.hide()
        self._show_busy(False)

    def _show_busy(self, busy: bool) -> None:
        for widget in (*self._formats.values(), self._folder, self._browse, self._verify):
            widget.setEnabled(not busy)
        self._on_changed()

    def _show_outcomes(self, outcomes: list[Outcome]) -> None:
        for line in self._lines:
            line.deleteLater()
        self._lines.clear()
        self._outcome.hide()
        self._open.hide()
        for outcome in outcomes:
            if outcome.result is None:
                self._add_line(f"{outcome.exporter.title}: {outcome.problem}", wrong=True)
            else:
                self._add_line(f"✓ {outcome.result.message}", wrong=False)
        # What was just written needs no warning that it would be replaced.
        self._note.hide()

    def _add_line(self, sentence: str, *, wrong: bool) -> None:
        line = Label(sentence, "help", "wrong" if wrong else "text", wrap=True)
        self._lines.append(line)
        self._results.addWidget(line)
        self._outcome.show()

    def done(self, result: int) -> None:
        if self._job is not None:
            self._job.cancel()
            self._job = None
        super().done(result)


def export_all(
    run_folder: Path,
    chosen: list[Exporter],
    folder: Path,
    verify: bool,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> list[Outcome]:
    """Every chosen format, on the thread that computes; one that fails does not keep the others back."""
    run = Run.open(run_folder)
    outcomes = []
    for number, exporter in enumerate(chosen):

        def tell(part: Progress, number: int = number) -> None:
            total = part.total or 1
            progress(Progress(number * total + part.done, len(chosen) * total, part.text))

        try:
            outcomes.append(Outcome(exporter, exporter.export(run, folder, verify, tell, cancelled)))
        except UserError as error:
            outcomes.append(Outcome(exporter, None, str(error)))
    return outcomes


def _title(run: Path) -> str:
    try:
        return read_design(run / DESIGN_FILE).name
    except UserError:
        return run.name


def _first_folder(run: Path) -> Path:
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents or Path.home()) / class_name(_title(run))
