"""The runs laid over the curves of the run on show: the one before it, and those that the user chose."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.runs.follower import OpenedRun, RunFollower, read_run
from cnnstudio.gui.runs.history import RunHistory
from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library.label import read_label
from cnnstudio.runs.library.listing import list_summaries
from cnnstudio.runs.library.starts import distinct_starts


@dataclass(frozen=True)
class Overlay:
    """A run that is laid over the curves."""

    folder: Path
    title: str
    """What the user calls it, or else the network's name."""
    record: RunRecord
    is_previous: bool = False
    """Whether it is the run before the one on show, rather than one that the user chose."""
    start: str = ""
    """When it was started; longer where that is needed to tell it from another run that is drawn."""

    @property
    def name(self) -> str:
        """`Wider network, 14:02`."""
        return ", ".join(filter(None, (self.title, self.start)))

    @property
    def history(self) -> RunHistory:
        return self.record.history


class RunOverlays(QObject):
    """Reads runs in threads, and follows those that are being trained. There is one in a window."""

    MAXIMUM = 5
    """Of the runs that the user chose; more curves could not be told apart."""

    changed = Signal()
    """Another run is laid over the curves, or has new events."""
    failed = Signal(object)
    """Why a run cannot be read, one sentence."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs: dict[Path, _Followed] = {}
        self._previous: _Followed | None = None
        self._shown: RunRecord | None = None
        """The run for which the previous one was looked for."""
        self._search: IoTask | None = None
        self._hidden = frozenset[Path]()

    @property
    def folders(self) -> tuple[Path, ...]:
        """The runs that the user chose, in this order, also those that are still being read."""
        return tuple(self._runs)

    @property
    def runs(self) -> tuple[Overlay, ...]:
        """What has been read, the previous run first, without the run on show."""
        shown = self._shown.folder if self._shown is not None else None
        chosen = [each.overlay for each in self._runs.values() if each.overlay is not None]
        previous = self._previous.overlay if self._previous is not None else None
        if previous is not None and previous.folder not in [each.folder for each in chosen]:
            chosen.insert(0, previous)
        seen = [each for each in chosen if each.folder != shown and each.folder not in self._hidden]
        exact = distinct_starts(self._namesakes(seen))
        return tuple(replace(each, start=exact.get(each.folder) or each.record.start) for each in seen)

    def _namesakes(self, overlays: Iterable[Overlay]) -> Iterator[tuple[Path, str, float | None]]:
        """All runs whose curves are drawn, with their titles and when they were started."""
        for each in overlays:
            yield each.folder, each.title, each.record.started_at
        if self._shown is not None and self._shown.folder is not None:
            yield self._shown.folder, self._shown.name, self._shown.started_at

    def add(self, folders: Sequence[Path]) -> None:
        """Lays runs over the curves; of too many, those that were added first make room."""
        for folder in folders:
            if folder not in self._runs:
                followed = self._runs[folder] = _Followed(folder, self)
                followed.changed.connect(self.changed)
                followed.failed.connect(self._on_failed)
                followed.start()
        for folder in self.folders[: -self.MAXIMUM]:
            self._runs.pop(folder).close()
        self.changed.emit()

    def remove(self, folder: Path) -> None:
        """Takes a run away that the user chose."""
        if folder in self._runs:
            self._runs.pop(folder).close()
            self.changed.emit()

    def hide(self, folders: frozenset[Path]) -> None:
        """Does not draw these runs, which are about to be deleted."""
        if folders != self._hidden:
            self._hidden = folders
            self.changed.emit()

    def rename(self, folder: Path, title: str) -> None:
        """The user gave the run in that folder another title, or none."""
        for each in (*self._runs.values(), *((self._previous,) if self._previous else ())):
            if each.folder == folder:
                each.rename(title)

    def forget(self, folders: Iterable[Path]) -> None:
        """Takes runs away whose folders are gone; another one may be the previous run then."""
        gone = set(folders)
        for folder in gone:
            self.remove(folder)
        if self._previous is not None and self._previous.folder in gone and self._shown is not None:
            shown, self._shown = self._shown, None
            self.look_for_previous(shown)

    def clear(self) -> None:
        """Takes all runs away that the user chose."""
        for folder in self.folders:
            self._runs.pop(folder).close()
        self.changed.emit()

    def close(self) -> None:
        """Ends what is done in the background."""
        for each in (*self._runs.values(), *((self._previous,) if self._previous else ())):
            each.close()
        if self._search is not None:
            self._search.cancel()

    # The previous run

    def look_for_previous(self, record: RunRecord) -> None:
        """Finds the run on the same data that was started before this one, which is on show now."""
        if record is self._shown:
            return
        before, self._shown = self._shown, record
        if before is not None and before.folder is not None and before.folder == record.folder:
            return
        if self._search is not None:
            self._search.cancel()
        if self._previous is not None:
            self._previous.close()
            self._previous = None
        self.changed.emit()
        if not record.network.nodes:
            return

        own = record.own_folders  # read here: they change when the run starts

        def search(progress: ProgressFunction, cancelled: CancelFunction) -> Path | None:
            return _run_before(record, own, progress, cancelled)

        self._search = IoTask(search, self)
        self._search.done.connect(self._on_found)
        self._search.start()

    def _on_found(self, folder: object) -> None:
        self._search = None
        if isinstance(folder, Path):
            self._previous = _Followed(folder, self, is_previous=True)
            # Nobody asked for it: if it cannot be read, there is none.
            self._previous.changed.connect(self.changed)
            self._previous.start()

    def _on_failed(self, folder: object, message: object) -> None:
        assert isinstance(folder, Path)
        self._runs.pop(folder, None)
        self.changed.emit()
        self.failed.emit(message)


class _Followed(QObject):
    """One run that is laid over the curves: read once, and again while it is being trained."""

    changed = Signal()
    failed = Signal(object, object)

    def __init__(self, folder: Path, parent: QObject, *, is_previous: bool = False) -> None:
        super().__init__(parent)
        self.overlay: Overlay | None = None
        self.folder = folder
        self._is_previous = is_previous
        self._follower = RunFollower(self)
        self._follower.record_changed.connect(self._on_record_changed)
        self._follower.events_added.connect(lambda _: self.changed.emit())
        self._task = IoTask(lambda progress, cancelled: (read_run(folder), read_label(folder).title), self)
        self._task.done.connect(self._on_read)
        self._task.failed.connect(lambda message: self.failed.emit(self.folder, message))
        self._title = ""

    def start(self) -> None:
        self._task.start()

    def close(self) -> None:
        self._task.cancel()
        self._follower.close()
        self.deleteLater()

    def _on_read(self, result: tuple[OpenedRun, str]) -> None:
        opened, self._title = result
        self._follower.follow(opened)

    def rename(self, title: str) -> None:
        """Names it as the user does now."""
        self._title = title
        if self.overlay is not None:
            self._on_record_changed(self.overlay.record)

    def _on_record_changed(self, record: object) -> None:
        assert isinstance(record, RunRecord)
        self.overlay = Overlay(self.folder, self._title or record.network.name, record, self._is_previous)
        self.changed.emit()


def _run_before(
    record: RunRecord, own: frozenset[Path], progress: ProgressFunction, cancelled: CancelFunction
) -> Path | None:
    """The newest run on the same data that was started before this one and has completed an epoch."""
    created = record.created.timestamp() if record.created is not None else None
    with contextlib.suppress(RunError):
        for each in list_summaries(progress, cancelled).runs:
            is_before = created is not None and each.created < created and each.folder not in own
            if is_before and each.data == record.dataset_name and each.last_epoch is not None:
                return each.folder
    return None
