"""The user's corrections of labels while a data set is looked at.

What is shown changes at once; the file with the corrections follows in the background, one change after the
other. If it cannot be written, what is shown goes back to what the file says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import numpy as np
from PySide6.QtCore import QObject, Signal

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.checks.findings import Place
from cnnstudio.data.dataset import DataError
from cnnstudio.data.versions.confirmed import confirm_label
from cnnstudio.data.versions.corrections import Corrections, read_corrections
from cnnstudio.data.versions.relabeling import correct_known, undo_relabeling
from cnnstudio.data.versions.version import version_id
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.pages.data_set.images.viewed_set import ViewedSet

_MAX_UNDO = 100
_AS_IN_FILE = "\0"
"""No class name: a class is the name of a folder, or a line of a table."""

_Kind = Literal["change", "undo", "confirmation"]
Entries = dict[str, str | None]
"""File -> its right class, or None for an excluded image."""


class LabelOverlay(QObject):
    """The labels of one data set, with the changes so far."""

    changed = Signal(object)
    """The names of the files whose labels have changed, a frozenset."""
    failed = Signal(object)
    """Why a change could not be kept, one sentence."""

    def __init__(self, viewed: ViewedSet, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewed = viewed
        self._index = {name: number for number, name in enumerate(viewed.classes)}
        self._jobs: deque[tuple[Callable[[], object], _Kind]] = deque()
        """What is to be written."""
        self._confirmed = dict(viewed.confirmed)
        self._is_behind = False
        """Whether something was not kept, so that the file has to be read again."""
        self._task: IoTask | None = None
        self._load(viewed.corrections)

    def _load(self, corrections: Corrections) -> None:
        self.entries: Entries = {
            file: entry.label
            for file, entry in corrections.entries.items()
            if file not in self._viewed.ignored
        }
        self._steps: list[Entries] = [
            {file: _AS_IN_FILE if entry is None else entry.label for file, entry in step.items()}
            for step in corrections.replaced
        ]
        splits = self._viewed.dataset.splits
        self.labels = {part: split.labels.copy() for part, split in splits.items()}
        """Of each image, by split: int64 (N,)."""
        self.excluded = {part: np.zeros(len(split), bool) for part, split in splits.items()}
        for file in self.entries:
            self._apply(file)

    # What holds now

    @property
    def counts(self) -> tuple[int, int]:
        """How many labels are changed, and how many images are excluded."""
        excluded = sum(label is None for label in self.entries.values())
        return len(self.entries) - excluded, excluded

    @property
    def version(self) -> str:
        """The version of the data set with these corrections."""
        fingerprint = self._viewed.dataset.fingerprint
        known = {file: label for file, label in self.entries.items() if file in self._viewed.places}
        return version_id(fingerprint, known)

    @property
    def can_undo(self) -> bool:
        return bool(self._steps)

    def label(self, file: str) -> str | None:
        """The class of an image; None if it is excluded."""
        if file in self.entries:
            return self.entries[file]
        return self.label_in_file(file)

    def label_in_file(self, file: str) -> str:
        """The class that the files tell."""
        part, row = self._viewed.places[file]
        return self._viewed.classes[int(self._viewed.dataset.splits[part].labels[row])]

    def place(self, file: str) -> Place | None:
        """Where an image is and its class; None if it is excluded or not in the set."""
        found = self._viewed.places.get(file)
        label = None if found is None else self.label(file)
        return None if found is None or label is None else Place(*found, label)

    # Changes

    def set_label(self, file: str, label: str) -> None:
        """Corrects the label of an image; the label of its file is no correction."""
        self._change({file: _AS_IN_FILE if label == self.label_in_file(file) else label})

    def exclude(self, files: Iterable[str]) -> None:
        """Leaves images out of every training and evaluation."""
        self._change(dict.fromkeys(files))

    def reset(self, files: Iterable[str]) -> None:
        """Drops the corrections of these images."""
        self._change(dict.fromkeys((file for file in files if file in self.entries), _AS_IN_FILE))

    def undo(self) -> str | None:
        """Takes the last change back; the name of an image that it was about, None if there was nothing."""
        if not self._steps:
            return None
        step = self._steps.pop()
        self._set(step)
        source = self._viewed.source
        assert source is not None
        self._enqueue(lambda: undo_relabeling(source), "undo")
        return next(iter(step), None)

    def is_confirmed(self, file: str) -> bool:
        """Whether the user has said that the label which the image has now is right."""
        return file in self._confirmed and self._confirmed[file] == self.label(file)

    def confirm(self, file: str, *, is_right: bool = True) -> None:
        """Keeps that the label of an image is right, or forgets that; changes nothing about the data set."""
        label, source = self.label(file) if is_right else None, self._viewed.source
        if source is None or (label is None and file not in self._confirmed):
            return
        if label is None:
            del self._confirmed[file]
        else:
            self._confirmed[file] = label
        self._enqueue(lambda: confirm_label(source, file, label), "confirmation")

    def undo_all(self) -> None:
        """Drops all corrections, as one change that can be undone."""
        self.reset(tuple(self.entries))

    def _change(self, changes: Mapping[str, str | None]) -> None:
        before = {file: self.entries.get(file, _AS_IN_FILE) for file in changes}
        if self._viewed.source is None or before == dict(changes):
            return
        self._steps = [*self._steps, before][-_MAX_UNDO:]
        self._set(changes)
        source = self._viewed.source
        new = {file: label for file, label in changes.items() if label != _AS_IN_FILE}
        reset = [file for file in changes if file not in new]
        self._enqueue(lambda: correct_known(source, new, reset), "change")

    def _set(self, changes: Mapping[str, str | None]) -> None:
        for file, label in changes.items():
            if label == _AS_IN_FILE:
                self.entries.pop(file, None)
            else:
                self.entries[file] = label
            self._apply(file)
        self.changed.emit(frozenset(changes))

    def _apply(self, file: str) -> None:
        place = self._viewed.places.get(file)
        if place is None:
            return
        part, row = place
        label = self.label(file)
        self.excluded[part][row] = label is None
        # A class that is gone by now counts for nothing.
        index = self._index.get(label) if label is not None else None
        own = self._viewed.dataset.splits[part].labels[row]
        self.labels[part][row] = own if index is None else index

    # The file

    def _enqueue(self, job: Callable[[], object], kind: _Kind) -> None:
        self._jobs.append((job, kind))
        if self._task is None:
            self._start()

    def _start(self) -> None:
        jobs = self._jobs

        def keep(progress: ProgressFunction, cancelled: CancelFunction) -> None:
            # All that wait, also when the window closes meanwhile: they are the user's work.
            problems, kept = list[str](), list[bool]()
            while jobs:
                job, kind = jobs.popleft()
                if kind == "undo" and kept and not kept.pop():
                    continue  # of a change that was not kept
                is_kept = True
                try:
                    job()
                except UserError as error:
                    problems.append(str(error))
                    is_kept = False
                if kind == "change":
                    kept.append(is_kept)
            if problems:
                more = f" ({len(problems):,} corrections were not kept.)" if len(problems) > 1 else ""
                raise DataError(f"{problems[0]}{more}")

        self._task = IoTask(keep, self, writes_files=True)
        self._task.failed.connect(self._on_failed)
        self._task.ended.connect(self._on_ended)
        self._task.start()

    def _on_ended(self) -> None:
        self._task = None
        if self._jobs:
            self._start()
        elif self._is_behind:
            self._read_again()

    def _on_failed(self, reason: object) -> None:
        self._is_behind = True
        self.failed.emit(f"A correction was not kept. {reason}")

    def _read_again(self) -> None:
        source, before = self._viewed.source, set(self.entries)
        assert source is not None

        def on_read(corrections: object) -> None:
            assert isinstance(corrections, Corrections)
            if self.is_saved:
                # Otherwise what was changed meanwhile is not in there yet: it is read again after that.
                self._is_behind = False
                self._load(corrections)
                self.changed.emit(frozenset({*before, *self.entries}))

        task = IoTask(lambda progress, cancelled: read_corrections(source.path), self)
        task.done.connect(on_read)
        task.start()

    def finish(self, seconds: float = 2.0) -> None:
        """Waits until everything is kept, at most so long each."""
        while self._task is not None:
            task = self._task
            task.wait(seconds)
            if self._task is task:
                return

    def when_kept(self, act: Callable[[], object]) -> None:
        """Acts as soon as everything is kept, at once if it is."""
        if self._task is None:
            act()
        else:
            self._task.ended.connect(lambda: self.when_kept(act))

    def close(self) -> None:
        """Deletes it as soon as everything is kept."""
        if self._task is None:
            self.deleteLater()
        else:
            self._task.ended.connect(self.close)

    @property
    def last_step(self) -> Entries | None:
        """What the next undo restores."""
        return self._steps[-1] if self._steps else None

    @property
    def is_saved(self) -> bool:
        """Whether the file has all changes."""
        return self._task is None
