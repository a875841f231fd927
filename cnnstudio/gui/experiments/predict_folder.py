"""Classifies images without labels with the run on show, and saves the result as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QWidget

from cnnstudio.core.files import write_atomically
from cnnstudio.core.formatting import list_names, pluralize
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.experiments.run_dialog import RunDialog
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.runs.predicting import (
    Prediction,
    SkippedFiles,
    describe_predictions,
    images_in,
    predict_files,
    predictions_table,
)
from cnnstudio.runs.run import Run

_FILTER = "Tables (*.csv)"
_MAX_NAMED = 3
_MAX_RESULT = 1_000


class PredictFolderDialog(RunDialog):
    """Asks for the file to write, then starts; it is written when all images are classified."""

    def __init__(
        self, run: Path, title: str, folder: Path, session: TrainingSession, parent: QWidget | None = None
    ) -> None:
        """`title` is that of the run; `folder` has the images."""
        name = plain_line(folder.name or str(folder), 60)
        text = (
            f"Classifies all images in {name} with {plain_line(title, 60)}, and writes a table with the "
            "class and the probabilities of each image."
        )
        super().__init__("predictFolderDialog", "Predict images without labels", text, session, parent)
        self._run, self._folder, self._device = run, folder, session.device
        self.offer("Choose a file…")

    def act(self) -> None:
        suggested = self._folder.parent / f"{self._folder.name} predictions.csv"
        name, _ = QFileDialog.getSaveFileName(self, "Save predictions", str(suggested), _FILTER)
        if name:
            self._start(Path(name) if Path(name).suffix else Path(f"{name}.csv"))

    def _start(self, target: Path) -> None:
        run, folder, device = self._run, self._folder, self._device

        def read(progress: ProgressFunction, cancelled: CancelFunction) -> tuple[Run, list[Path]]:
            return Run.open(run), images_in(folder, cancelled)

        def compute(
            found: tuple[Run, list[Path]], progress: ProgressFunction, cancelled: CancelFunction
        ) -> str:
            return _predict(*found, target, device, progress, cancelled)

        self.show_text("")
        self.begin("Looking for images", read, compute)
        self.progress.take_focus()

    def show_result(self, result: Any) -> None:
        self.show_text(str(result))
        self.offer("Choose another file…")

    def show_ended(self) -> None:
        self.offer("Choose a file…")


def _predict(
    run: Run,
    paths: list[Path],
    target: Path,
    device: str,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> str:
    """Writes the table; what became of it, as a sentence or two. Raises UserError, Cancelled."""
    from cnnstudio.data.dataset import DataError
    from cnnstudio.training.hardware.device import choose_device

    skipped = SkippedFiles()
    model = run.model().to(choose_device(device))
    found = list(predict_files(run, model, paths, skipped, 0, progress, cancelled))
    if not found:
        raise DataError(f"None of the {pluralize(len(paths), 'file')} can be read as an image.")
    write_atomically(target, predictions_table(run, found))
    return describe_result(target, found, skipped)


def describe_result(target: Path, found: Sequence[Prediction], skipped: SkippedFiles) -> str:
    """What was saved, most often which classes, and what was left out."""
    text = f"Saved {target.name}: {describe_predictions(found)}."
    if skipped.reasons:
        names = list_names([Path(path).name for path in skipped.reasons][:_MAX_NAMED])
        verb = "was" if len(skipped.reasons) == 1 else "were"
        text += f" {pluralize(len(skipped.reasons), 'file')} that cannot be read {verb} left out: {names}."
    return plain_line(text, _MAX_RESULT)
