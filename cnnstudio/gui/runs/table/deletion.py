"""Deletes runs a moment after they have left the list, so that it can be undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.message_box import Answer, MessageBox
from cnnstudio.runs.library.deletion import TrashedRun, TrashError, delete_run, restore_run, trash_run
from cnnstudio.runs.library.summary import RunSummary
from cnnstudio.runs.library.trash import TrashProblem
from cnnstudio.runs.run import Run

UNDO_MS = 10_000
"""How long a deletion can be undone."""


@dataclass(frozen=True)
class _Result:
    """What came of deleting several runs, or of moving them back."""

    folders: tuple[Path, ...]
    """Those that were asked for."""
    gone: tuple[Path, ...] = ()
    """The folders that are no longer there; of runs that were moved back, those that are there again."""
    trashed: tuple[TrashedRun, ...] = ()
    """The runs in the trash that can be moved back."""
    without_trash: tuple[Path, ...] = ()
    """Folders that were not deleted for want of a trash."""
    permanently: tuple[Path, ...] = ()
    """Folders that were not moved to the trash, but may be deleted for good."""
    problems: tuple[str, ...] = ()
    """One sentence for each folder that is not gone."""

    def describe(self, done: str, not_done: str) -> str:
        """`Moved 2 of 3 runs to the trash. The run … is in use.`, with the first reason.

        `done` and `not_done` have a place for the runs: `Moved {} to the trash`, `{} moved to the trash`.
        """
        count, left = len(self.folders), len(self.problems)
        if count == 1:
            return self.problems[0]
        runs = pluralize(count, "run")
        if self.gone:
            text = f"{done.format(f'{len(self.gone):,} of {runs}')}."
        else:
            text = f"{not_done.format(f'None of the {runs} was')}."
        others = f" {pluralize(left - 1, 'other')} failed, too." if left > 1 else ""
        return f"{text} {self.problems[0]}{others}"


class RunDeletion(QObject):
    """Moves runs to the trash. Where there is none, the user is asked before they are deleted for good."""

    message = Signal(object)
    """A Message for the user."""
    pending_changed = Signal()
    """Other runs are about to be deleted: the list leaves them out."""
    hidden_changed = Signal()
    """`hidden` is another one: runs are about to be deleted, are gone, or stay after all."""
    deleted = Signal(object)
    """The folders that are gone, a tuple."""
    restored = Signal(object)
    """The folders of runs that were moved back from the trash, a tuple."""
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
        if all(folder.parent in self._without_trash for folder in folders):
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
            self.hidden_changed.emit()

    def _on_trashed(self, result: _Result) -> None:
        self.deleted.emit(result.gone)
        self._without_trash.update(folder.parent for folder in result.without_trash)
        if not result.problems:
            return
        text = result.describe("Moved {} to the trash", "{} moved to the trash")
        if result.trashed:
            # What is left can be deleted again in the list; what is gone only comes back from here.
            self.message.emit(Message(text, True, "Undo", partial(self._restore, result.trashed)))
        elif result.permanently:
            ask = partial(self._ask_to_delete, result.permanently)
            self.message.emit(Message(text, button="Delete permanently…", action=ask))
        else:
            self.message.emit(Message(text, is_error=True))

    def _restore(self, trashed: Sequence[TrashedRun]) -> None:
        """Moves runs back from the trash."""
        self._run((), lambda _: _restore(trashed), self._on_restored)

    def _on_restored(self, result: _Result) -> None:
        self.restored.emit(result.gone)
        if result.problems:
            text = result.describe("Moved {} back from the trash", "{} moved back from the trash")
            self.message.emit(Message(text, is_error=True))

    # Without a trash

    def _ask_to_delete(self, folders: Sequence[Path]) -> None:
        which = f"“{folders[0].name}”" if len(folders) == 1 else pluralize(len(folders), "run")
        box = MessageBox(
            self._window,
            "Delete permanently",
            f"Delete {which} for good?",
            "Nothing is moved to the trash, so this cannot be undone.",
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
            self.message.emit(Message(result.describe("Deleted {}", "{} deleted"), is_error=True))
        else:
            self.message.emit(Message(f"Deleted {pluralize(len(result.gone), 'run')}."))

    def _run(
        self,
        folders: Sequence[Path],
        function: Callable[[Sequence[Path]], _Result],
        on_done: Callable[[_Result], object],
    ) -> None:
        self._in_progress.update(folders)
        self.hidden_changed.emit()
        task = IoTask(lambda progress, cancelled: function(folders), self, writes_files=True)
        task.done.connect(on_done)
        task.failed.connect(lambda text: self.message.emit(Message(str(text), is_error=True)))
        task.ended.connect(lambda: self._on_ended(folders))
        task.start()

    def _on_ended(self, folders: Sequence[Path]) -> None:
        # What could not be deleted is listed again.
        self._in_progress.difference_update(folders)
        self.hidden_changed.emit()
        self.changed.emit()


def _trash(folders: Sequence[Path]) -> _Result:
    gone, trashed, without_trash, permanently, problems = [], [], [], [], []
    for folder in folders:
        try:
            found = trash_run(Run.open(folder))
        except UserError as error:
            problems.append(str(error))
            if isinstance(error, TrashError) and error.can_delete_permanently:
                permanently.append(folder)
                if error.problem is TrashProblem.NO_TRASH:
                    without_trash.append(folder)
        else:
            gone.append(folder)
            trashed += [found] if found.parts is not None else []
    kinds = (gone, trashed, without_trash, permanently, problems)
    return _Result(tuple(folders), *map(tuple, kinds))  # type: ignore[arg-type]  # each is a list of its field


def _restore(trashed: Sequence[TrashedRun]) -> _Result:
    back, problems = [], []
    for run in trashed:
        try:
            restore_run(run)
            back.append(run.folder)
        except UserError as error:
            problems.append(str(error))
    return _Result(tuple(run.folder for run in trashed), tuple(back), problems=tuple(problems))


def _delete(folders: Sequence[Path]) -> _Result:
    gone, problems = [], []
    for folder in folders:
        try:
            delete_run(Run.open(folder))
            gone.append(folder)
        except UserError as error:
            problems.append(str(error))
    return _Result(tuple(folders), tuple(gone), problems=tuple(problems))
