"""What adding images does in the background: looking, looking again in another way, and adding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.files import is_folder
from cnnstudio.core.progress import CancelFunction, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources.adding import PreparedImages, prepare_images
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.folder_layout import Reading
from cnnstudio.data.sources.folder_scan import scan
from cnnstudio.data.versions.split_plan import SplitPlan
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.data.adding.understood import Understood, look_into_files, understand


@dataclass(frozen=True)
class Unlabeled:
    """A folder with images that is no data set, and why."""

    folder: Path
    reason: str


class AddingTasks(QObject):
    """One task at a time that the user waits for, and beside it one look into the files."""

    began = Signal(object)
    """What the user waits for, as a phrase; not emitted for what takes no time."""
    progressed = Signal(object)
    """The Progress of the task."""
    ended = Signal()
    """Nothing runs any more that the user waits for."""
    failed = Signal(object)
    """Why looking failed, in one sentence."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._task: IoTask | None = None
        self._look: IoTask | None = None

    @property
    def is_running(self) -> bool:
        """Whether the user waits for something."""
        return self._task is not None

    def look_at(self, path: Path, on_done: Callable[[Any], object]) -> None:
        """Calls `on_done` with what a folder, a table or a zip file is: Understood or Unlabeled."""
        self._run(partial(_look_at, path), f"Scanning {path.name or path}", on_done, self.failed.emit)

    def read_again(
        self,
        prepared: PreparedImages,
        reading: Reading | None,
        plan: SplitPlan,
        unreadable: frozenset[str],
        on_done: Callable[[Any], object],
    ) -> None:
        """Calls `on_done` with the same images, Understood in another way, without the unreadable ones."""

        def look(progress: ProgressFunction, cancelled: CancelFunction) -> Understood:
            return understand(prepared.read_as(reading).changed(plan=plan), cancelled, unreadable)

        self._run(look, "", on_done, self.failed.emit)

    def add(
        self,
        prepared: PreparedImages,
        name: str,
        on_done: Callable[[Any], object],
        on_failed: Callable[[object], object],
    ) -> None:
        """Adds the images as a data set. `on_done` gets its FileSource, `on_failed` why there is none."""

        def add(progress: ProgressFunction, cancelled: CancelFunction) -> FileSource:
            return prepared.add(name)

        self._run(add, f"Adding {prepared.source.title}", on_done, on_failed)

    def look_into(
        self, found: Understood, on_text: Callable[[str], object], on_done: Callable[[Any], object]
    ) -> None:
        """Reads sizes, and finds the files that cannot be read. Nobody has to wait for that.

        `on_text` is called with how far it is or why it failed, `on_done` with the FileFacts.
        """
        self.end_look()
        self._look = task = IoTask(partial(look_into_files, found), self)
        task.progressed.connect(lambda progress: on_text(progress.text))
        task.done.connect(on_done)
        task.failed.connect(lambda reason: on_text(str(reason)))
        task.start()

    def discard(self, prepared: PreparedImages) -> None:
        """Deletes what was unpacked."""
        IoTask(lambda progress, cancelled: prepared.discard(), self, writes_files=True).start()

    def cancel(self) -> None:
        """Ends everything, and calls nothing any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.ended.emit()
        self.end_look()

    def end_look(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _run(
        self,
        function: Callable[..., object],
        text: str,
        on_done: Callable[[Any], object],
        on_failed: Callable[[object], object],
    ) -> None:
        if self._task is not None:
            self._task.cancel()
        if text:
            self.began.emit(text)
        self._task = task = IoTask(function, self, writes_files=True)
        task.progressed.connect(self.progressed)

        def ended_before(call: Callable[[Any], object], value: object) -> None:
            # Before the buttons are enabled: a click may come before the thread has ended.
            self._on_ended(task)
            call(value)

        task.done.connect(partial(ended_before, on_done))
        task.failed.connect(partial(ended_before, on_failed))
        task.ended.connect(lambda: self._on_ended(task))
        task.start()

    def _on_ended(self, task: IoTask) -> None:
        if self._task is task:
            self._task = None
            self.ended.emit()


def _look_at(path: Path, progress: ProgressFunction, cancelled: CancelFunction) -> Understood | Unlabeled:
    try:
        prepared = prepare_images(path, progress=progress, cancelled=cancelled)
    except DataError as error:
        if is_folder(path) and scan(path, cancelled).images:
            return Unlabeled(path, str(error))
        raise
    try:
        unreadable = prepared.source.unreadable_classes(prepared.listing(cancelled), cancelled)
        found = understand(prepared, cancelled, unreadable)
        raise_if_cancelled(cancelled)
        return found
    except BaseException:
        prepared.discard()
        raise
