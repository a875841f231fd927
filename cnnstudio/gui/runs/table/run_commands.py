"""What one can do with the runs of the table. Everything that reads or writes files does so in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import expand_home
from cnnstudio.core.formatting import format_bytes
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.io_task import IoFunction, IoTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.runs.resume import read_resumable_run, resume_run
from cnnstudio.gui.runs.table.deletion import RunDeletion
from cnnstudio.gui.runs.table.label_box import LabelBox
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.runs.archive.packing import pack_run
from cnnstudio.runs.archive.unpacking import SUFFIX
from cnnstudio.runs.comparing.seeds import Training
from cnnstudio.runs.library.label import change_label
from cnnstudio.runs.library.summary import RunSummary
from cnnstudio.runs.run import Run

_FILTER = f"Runs (*{SUFFIX})"


class RunCommands(QObject):
    """Acts on runs, and says what came of it."""

    message = Signal(object)
    """A Message for the user."""
    changed = Signal()
    """A run's folder was changed: the table has to be read again."""
    training_started = Signal()
    renamed = Signal(object)
    """(folder, title) of a run whose title, possibly empty, was written."""
    start_wanted = Signal(object)
    """The folder of the run whose weights the next training is to start from."""
    design_requested = Signal(object)
    """The Network to open in the designer."""

    def __init__(self, session: TrainingSession, window: QWidget) -> None:
        """`window` is the parent of dialogs."""
        super().__init__(window)
        self._session = session
        self._window = window
        self.deletion = RunDeletion(window)
        self.deletion.message.connect(self.message)
        self.deletion.changed.connect(self.changed)

    @property
    def can_train(self) -> bool:
        return self._session.state is State.IDLE

    # Labels

    def rename(self, run: RunSummary, title: str) -> None:
        """Gives the run a title; an empty one shows the network's name again."""
        self._change_label(run, {"title": title})

    def edit_label(self, run: RunSummary) -> None:
        """Asks for title, tags and note."""
        label = LabelBox(self._window, run).ask_label()
        if label is not None and label != run.label:
            before = vars(run.label)
            self._change_label(run, {name: new for name, new in vars(label).items() if new != before[name]})

    def _change_label(self, run: RunSummary, changes: dict[str, Any]) -> None:
        self._write(
            lambda progress, cancelled: change_label(run.folder, **changes),
            lambda label: self.renamed.emit((run.folder, label.title)),
        )

    # Training

    def resume(self, run: RunSummary) -> None:
        """Resumes the run, and asks for more epochs if it is complete."""
        self._start(
            partial(read_resumable_run, run.folder), partial(resume_run, self._session, window=self._window)
        )

    def train_another_seed(self, run: RunSummary, known: Sequence[RunSummary]) -> None:
        """Trains the same design on the same images by the same recipe with the next seed.

        `known` are the runs among which seeds are taken already.
        """
        taken = [each.seed for each in known if (each.design, each.data) == (run.design, run.data)]
        seed = max([run.seed, *taken]) + 1

        def start(training: Training) -> None:
            recipe = training.recipe.replace(seed=seed)
            self._session.start(training.network, training.dataset_name, recipe)

        self._start(lambda: Training.of(Run.open(run.folder)), start)

    def _start(self, read: Callable[[], Any], start: Callable[[Any], object]) -> None:
        def on_done(value: Any) -> None:
            # Another training may have started while the folder was read.
            if not self.can_train:
                self._show_error("A run is already training.")
                return
            try:
                start(value)
            except UserError as error:
                self._show_error(str(error))
            if self._session.state is not State.IDLE:
                self.training_started.emit()

        self._run(lambda progress, cancelled: read(), on_done)

    # Design, files

    def open_design(self, run: RunSummary) -> None:
        """Opens the design that the run trained."""
        self._run(lambda progress, cancelled: Run.open(run.folder).network, self.design_requested.emit)

    def show_folder(self, run: RunSummary) -> None:
        """Shows the run's files in the system's file manager."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(run.folder)))

    def pack(self, run: RunSummary) -> None:
        """Asks for a file and writes the run into it."""
        suggestion = expand_home("~") / f"{run.id}{SUFFIX}"
        name, _ = QFileDialog.getSaveFileName(self._window, "Pack run", str(suggestion), _FILTER)
        if not name:
            return
        path = Path(name) if name.lower().endswith(SUFFIX) else Path(name + SUFFIX)

        def pack(progress: ProgressFunction, cancelled: CancelFunction) -> int:
            pack_run(Run.open(run.folder), path, progress, cancelled)
            return path.stat().st_size

        def on_done(size: object) -> None:
            assert isinstance(size, int)
            self.message.emit(Message(f"Packed {run.title} into {path} ({format_bytes(size)})."))

        self.message.emit(Message(f"Packing {run.title}…"))
        self._write(pack, on_done, changes_runs=False)

    # Threads

    def _run(self, function: IoFunction, on_done: Callable[[Any], object], *, writes: bool = False) -> IoTask:
        task = IoTask(function, self, writes_files=writes)
        task.done.connect(on_done)
        task.failed.connect(self._show_error)
        task.start()
        return task

    def _write(
        self, function: IoFunction, on_done: Callable[[Any], object], *, changes_runs: bool = True
    ) -> None:
        task = self._run(function, on_done, writes=True)
        if changes_runs:
            task.ended.connect(self.changed)

    def _show_error(self, text: object) -> None:
        self.message.emit(Message(str(text), is_error=True))
