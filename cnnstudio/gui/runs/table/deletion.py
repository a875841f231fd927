"""Deletes runs a moment after they have left the list, so that it can be undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.message_box import Answer, MessageBox
from cnnstudio.runs.deletion import NoTrashError, delete_run, trash_run
from cnnstudio.runs.library.summary import RunSummary
from cnnstudio.runs.run import Run

UNDO_MS = 10_000
"""How long a deletion can be undone."""


@dataclass(frozen=True)
class _Result:
    """What came of deleting several runs."""

    gone: tuple[Path, ...]
    """The folders that are no longer there."""
    without_trash: tuple[Run, ...] = ()
    problems: tuple[str, ...] = ()


class RunDeletion(QObject):
    """Moves runs to the trash. Where there is none, the user is asked before they are deleted for good."""

    message = Signal(object)
    """A Message for the user."""
    pending_changed = Signal()
    """Other runs are about to be deleted: the list leaves them out."""
    deleted = Signal(object)
    """The folders that are gone, a tuple."""
    changed = Signal()
    """Folders are gone, or could not be deleted: the list has to be read again."""

    def __init__(self, window: QWidget) -> None:
        """`window` is the parent of questions."""
        super().__init__(window)
        self._window = window
        self.pending: tuple[Path, ...] = ()
        """The folders that will be deleted unless this is undone."""
        self._in_progress = set[Path]()
        self._without_trash = set[Path]()
        """The folders for whose runs there is no trash, as far as is known."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(UNDO_MS)
        self._timer.timeout.connect(self.finish)

    @property
    def hidden(self) -> frozenset[Path]:
        """The folders that are no longer listed: they are being deleted, or are about to be."""
        return frozenset({*self.pending, *self._in_progress})

    def delete(self, runs: Sequence[RunSummary]) -> None:
        """Takes runs out of the list and deletes them a moment later."""
        self.finish()
        folders = tuple(run.folder for run in runs)
        if any(folder.parent in self._without_trash for folder in folders):
            self._ask_to_delete(folders)
            return
        self._set_pending(folders)
        self._timer.start()
        what = pluralize(len(folders), "run") if len(folders) > 1 else runs[0].title
        self.message.emit(
            Message(
                f"Moving {what} to the trash.",
                button="Undo",
                action=self.undo,
                holds=lambda: self.pending == folders,
            )
        )

    def undo(self) -> None:
        """Keeps the runs that are about to be deleted."""
        self._timer.stop()
        self._set_pending(())

    def finish(self) -> None:
        """Deletes at once what is about to be deleted."""
        self._timer.stop()
        folders = self.pending
        if folders:
            self._run(folders, _trash, self._on_trashed)
            self._set_pending(())

    def _set_pending(self, folders: tuple[Path, ...]) -> None:
        if folders != self.pending:
            self.pending = folders
            self.pending_changed.emit()

    def _on_trashed(self, result: _Result) -> None:
        self.deleted.emit(result.gone)
        if result.problems:
            self.message.emit(Message(result.problems[0], is_error=True))
        elif result.without_trash:
            self._offer_to_delete(result.without_trash)

    # Without a trash

    def _offer_to_delete(self, runs: Sequence[Run]) -> None:
        folders = tuple(run.folder for run in runs)
        self._without_trash.update(folder.parent for folder in folders)
        which = runs[0].name if len(runs) == 1 else pluralize(len(runs), "run")
        self.message.emit(
            Message(
                f"There is no trash for this folder, so {which} was not deleted."
                if len(runs) == 1
                else f"There is no trash for this folder, so {which} were not deleted.",
                button="Delete permanently…",
                action=lambda: self._ask_to_delete(folders),
            )
        )

    def _ask_to_delete(self, folders: Sequence[Path]) -> None:
        which = f"“{folders[0].name}”" if len(folders) == 1 else pluralize(len(folders), "run")
        box = MessageBox(
            self._window,
            "Delete permanently",
            f"Delete {which} for good?",
            "There is no trash for this folder, so this cannot be undone.",
            icon="delete",
            answers=(
                Answer("cancel", "&Cancel", default=True, escape=True),
                Answer("delete", "&Delete permanently"),
            ),
        )
        if box.ask() == "delete":
            self._run(folders, _delete, self._on_deleted)

    def _on_deleted(self, result: _Result) -> None:
        self.deleted.emit(result.gone)
        if result.problems:
            self.message.emit(Message(result.problems[0], is_error=True))
        else:
            self.message.emit(Message(f"Deleted {pluralize(len(result.gone), 'run')}."))

    def _run(
        self,
        folders: Sequence[Path],
        function: Callable[[Sequence[Path]], _Result],
        on_done: Callable[[_Result], object],
    ) -> None:
        self._in_progress.update(folders)
        task = IoTask(lambda progress, cancelled: function(folders), self, writes_files=True)
        task.done.connect(on_done)
        task.failed.connect(lambda text: self.message.emit(Message(str(text), is_error=True)))
        task.ended.connect(lambda: self._on_ended(folders))
        task.start()

    def _on_ended(self, folders: Sequence[Path]) -> None:
        # What could not be deleted is listed again.
        self._in_progress.difference_update(folders)
        self.changed.emit()


def _trash(folders: Sequence[Path]) -> _Result:
    gone, without_trash, problems = [], [], []
    for folder in folders:
        try:
            run = Run.open(folder)
            trash_run(run)
            gone.append(folder)
        except NoTrashError:
            without_trash.append(run)
        except UserError as error:
            problems.append(str(error))
    return _Result(tuple(gone), tuple(without_trash), tuple(problems))


def _delete(folders: Sequence[Path]) -> _Result:
    gone, problems = [], []
    for folder in folders:
        try:
            delete_run(Run.open(folder))
            gone.append(folder)
        except UserError as error:
            problems.append(str(error))
    return _Result(tuple(gone), (), tuple(problems))
