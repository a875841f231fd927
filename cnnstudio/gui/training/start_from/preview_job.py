"""Reads what a training can start from in a thread, and computes what of it fits on the compute thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.session import TrainingSession

if TYPE_CHECKING:
    # It imports torch, which only the compute thread may do.
    from cnnstudio.runs.start_preview import StartEpoch, StartPreview


@dataclass(frozen=True)
class Found:
    """What is shown of a source."""

    preview: StartPreview
    epochs: tuple[StartEpoch, ...] = ()
    """Of a run."""


class PreviewJob(QObject):
    """One at a time: a new one replaces that before. After `cancel` nothing is emitted."""

    found = Signal(object)
    """A Found."""
    failed = Signal(object)
    """The error message, one sentence."""

    def __init__(self, session: TrainingSession, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._task: ComputeTask | None = None
        self.source = ""
        """Of the current job, with the epoch."""

    def start(self, source: str, folder: Path | None, epoch: int | None, network: Network) -> None:
        """Looks at a source, of a run's `folder` at its best or another epoch."""
        self.cancel()

        def compute(progress: ProgressFunction, cancelled: CancelFunction) -> Found:
            from cnnstudio.runs.start_preview import preview_start, start_epochs

            # Files of a run or of weights are read here as well: whoever trains from them waits for the same.
            epochs = start_epochs(folder) if folder is not None else ()
            return Found(preview_start(self.source, network), epochs)

        self.source = source if folder is None or epoch is None else f"{source}@{epoch}"
        self._task = self._session.run_task(compute, self.found.emit, self.failed.emit)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
