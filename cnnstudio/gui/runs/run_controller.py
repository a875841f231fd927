"""Opens runs from their folders, resumes them, and reports on a run that another program trains."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.runs.follower import OpenedRun, RunFollower, read_run
from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.gui.runs.status_text import RunStatusText, describe_followed_run, describe_training_location
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.runs.library.listing import list_summaries
from cnnstudio.runs.run import Status
from cnnstudio.runs.watching import RunSnapshot
from cnnstudio.training.events import Event, Warned

_BLOCKING_SECONDS = 0.3
"""The time that the window waits for a folder before it shows a message; most drives respond faster."""
_INTERRUPTED = "The run was interrupted (its process ended). The last checkpoint is intact."
_UNREACHABLE = "The run stopped responding: it was interrupted, or {} is unreachable."
_NO_RUN = "There is no run yet. Press Train or open an existing run."


class RunController(QObject):
    """Reads run folders in threads, so that a drive that hangs does not block the window.

    It does not depend on any panel: it emits what it finds.
    """

    message = Signal(object)
    """A Message for the user."""
    message_withdrawn = Signal(object)
    """The text of a message that no longer applies."""
    opened = Signal(object)
    """The OpenedRun to show, because the user asked for it."""
    restored = Signal(object)
    """The OpenedRun that was shown when the window was closed."""
    next_found = Signal(object)
    """The OpenedRun to show in place of one that is about to be deleted."""
    reopened = Signal(object)
    """The OpenedRun that is on show and was read again."""
    diagnosed = Signal(object)
    """A tuple of the events of a run that another program trains, for the diagnoses among them."""

    def __init__(
        self,
        session: TrainingSession,
        follower: RunFollower,
        shown_folder: Callable[[], Path | None],
        window: QWidget,
    ) -> None:
        """`shown_folder` returns the folder of the run that is shown; `window` is the parent of dialogs."""
        super().__init__(window)
        self._session = session
        self._follower = follower
        self._shown_folder = shown_folder
        self._window = window
        self._task: IoTask | None = None
        self._status: Status | None = None
        follower.record_changed.connect(self._on_record_changed)
        follower.events_added.connect(self._on_events_added)
        follower.changed.connect(self._on_changed)

    # What the user does

    def choose(self) -> None:
        """Lets the user choose a run folder and opens it."""
        from cnnstudio.core.paths import home

        folder = QFileDialog.getExistingDirectory(self._window, "Open a run", str(home() / "runs"))
        if folder:
            self.open(Path(folder))

    def open(self, folder: Path) -> None:
        """Shows a run folder, also while another run trains. The open design stays as it is."""
        self._read(folder, partial(read_run, folder), self.opened.emit)

    def open_quietly(self, folder: Path) -> None:
        """The same without waiting for the drive, and without a message if there is no run any more.

        What the user has opened in the meantime has precedence.
        """
        if self._task is not None:
            return
        self._task = task = IoTask(lambda progress, cancelled: read_run(folder), self)
        task.done.connect(partial(self._on_read_quietly, task))
        task.failed.connect(lambda _: self._forget(task))
        task.start()

    def _on_read_quietly(self, task: IoTask, opened: OpenedRun) -> None:
        if self._forget(task) and self._session.state is State.IDLE:
            self.restored.emit(opened)

    def open_next(self, record: RunRecord, hidden: Container[Path]) -> None:
        """Opens the run that comes after a deleted one in the list, quietly, if there is another one."""
        self.close()
        created = record.created

        def read(progress: ProgressFunction, cancelled: CancelFunction) -> OpenedRun | None:
            runs = [each for each in list_summaries(progress, cancelled).runs if each.folder not in hidden]
            before = [each for each in runs if created is None or each.created < created.timestamp()]
            # The newest first, as they are listed; after the last one comes the one above it.
            following = before[:1] or runs[-1:]
            return read_run(following[0].folder) if following else None

        self._task = task = IoTask(read, self)
        task.done.connect(partial(self._on_next_read, task))
        task.failed.connect(lambda _: self._forget(task))
        task.start()
        task.wait(_BLOCKING_SECONDS)

    def reopen(self, folder: Path) -> None:
        """Reads the run on show again, quietly."""
        self.close()
        self._task = task = IoTask(lambda progress, cancelled: read_run(folder), self)
        task.done.connect(partial(self._on_reopened, task))
        task.failed.connect(lambda _: self._forget(task))
        task.start()

    def _on_reopened(self, task: IoTask, opened: OpenedRun) -> None:
        if self._forget(task):
            self.reopened.emit(opened)

    def _on_next_read(self, task: IoTask, opened: OpenedRun | None) -> None:
        if self._forget(task) and opened is not None and self._session.state is State.IDLE:
            self.next_found.emit(opened)

    def _forget(self, task: IoTask) -> bool:
        """Whether its result still counts."""
        is_current = self._task is task
        if is_current:
            self._task = None
        return is_current

    def resume(self) -> None:
        """Resumes the run that the dashboard shows."""
        from cnnstudio.gui.runs.resume import read_resumable_run, resume_run

        folder = self._shown_folder()
        if self._session.state is not State.IDLE:
            self._show_error("A run is already training.")
        elif folder is None:
            self.message.emit(Message(_NO_RUN))
        else:
            resume = partial(resume_run, self._session, window=self._window)
            self._read(folder, partial(read_resumable_run, folder), resume)

    def close(self) -> None:
        """Ignores the result of the folder that is being read."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    # Reading

    def _read(self, folder: Path, read: Callable[[], Any], on_done: Callable[[Any], object]) -> None:
        """Calls `on_done` with the result of `read`: before it returns if the drive is fast, else later."""
        self.close()
        waiting = f"Reading the run in {folder}…"

        def end(callback: Callable[[Any], object], value: object) -> None:
            self._task = None
            self.message_withdrawn.emit(waiting)
            callback(value)

        self._task = task = IoTask(lambda progress, cancelled: read(), self)
        task.done.connect(partial(end, on_done))
        task.failed.connect(partial(end, self._show_error))
        task.start()
        task.wait(_BLOCKING_SECONDS)
        if self._task is task:
            self.message.emit(Message(waiting))

    def _show_error(self, text: object) -> None:
        self.message.emit(Message(str(text), is_error=True))

    # The run that is followed

    def _on_record_changed(self, _: object) -> None:
        snapshot = self._follower.latest
        if snapshot is not None and snapshot.status == "running":
            self.diagnosed.emit(tuple(snapshot.events))

    def _on_events_added(self, events: Iterable[Event]) -> None:
        self.diagnosed.emit(events)
        for event in events:
            if isinstance(event, Warned):
                self.message.emit(Message(event.message, is_note=True))

    def _on_changed(self) -> None:
        """Reports that a run which was training has ended, or that it was resumed."""
        snapshot = self._follower.latest
        before, self._status = self._status, snapshot.status if snapshot is not None else None
        if snapshot is None or before is None or before == self._status:
            return
        if self._status == "running":
            self.message.emit(Message(f"The run was resumed. {describe_training_location(snapshot)}."))
        elif before == "running":
            self._report_end(snapshot)

    def _report_end(self, snapshot: RunSnapshot) -> None:
        if snapshot.status != "interrupted":
            text = f"The run has ended. {self._outcome(snapshot).rstrip('.')}."
            self.message.emit(Message(text, is_error=snapshot.status == "failed"))
        elif snapshot.run.is_of_this_machine:
            self.message.emit(Message(_INTERRUPTED, button="Resume run", action=self.resume))
        else:
            self.message.emit(Message(_UNREACHABLE.format(snapshot.run.host)))

    def _outcome(self, snapshot: RunSnapshot) -> str:
        status = RunStatusText()
        if self._follower.record is not None:
            status.feed(self._follower.record.history.summary_events)
        return describe_followed_run(snapshot, status, self._follower.problem)
