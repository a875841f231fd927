"""Follows a run that another program trains, possibly on another machine, by polling its folder.

Polling only reads files, so that its thread does not slow down a training; it needs a thread because a
network drive may hang, even forever. There is at most one poll at a time, and none after the run has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.runs.record import RunRecord, saved_images
from cnnstudio.runs.archive.unpacking import is_archive, open_archive
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.watching import RunSnapshot, RunWatcher

POLL_INTERVAL_MS = 1000
IDLE_POLL_INTERVAL_MS = 5000
"""For a run that was interrupted or stopped while it was followed: it may be resumed."""

_SLOW_MS = 8000
_TOLERATED_FAILURES = 1
"""Failed polls in a row that are not reported: a file may just be being replaced."""

_SLOW_DRIVE = "The drive is not responding."


@dataclass(frozen=True)
class OpenedRun:
    """The result of reading a run folder for the first time."""

    watcher: RunWatcher
    snapshot: RunSnapshot
    record: RunRecord


def read_run(path: Path) -> OpenedRun:
    """Reads the run in a folder or in a zip file, in any thread. Raises RunError."""
    watcher = RunWatcher(open_archive(path) if is_archive(path) else path)
    snapshot = watcher.poll()
    return OpenedRun(watcher, snapshot, RunRecord.of(snapshot))


@dataclass(frozen=True)
class _PollResult:
    """A snapshot, and what takes long to derive from it."""

    snapshot: RunSnapshot
    record: RunRecord | None
    """A new record if the run was restarted."""
    images: tuple[np.ndarray, tuple[str, ...]] | None
    """The example images and their classes, if they were wanted and are there now."""


def _poll(watcher: RunWatcher, images_wanted: bool) -> _PollResult:
    """Raises RunError."""
    snapshot = watcher.poll()
    try:
        record = RunRecord.of(snapshot) if snapshot.restarted else None
    except RunError:
        # Without this, the next snapshot would lack the events read now.
        watcher.start_over()
        raise
    images = saved_images(snapshot) if images_wanted and snapshot.snapshots and record is None else None
    return _PollResult(snapshot, record, images)


class RunFollower(QObject):
    """Keeps the record of one run up to date with its folder. All signals are emitted in the main thread."""

    record_changed = Signal(object)
    """The new RunRecord: another run was opened, or the same one was resumed from an earlier checkpoint."""
    events_added = Signal(object)
    """A tuple of the events that were added to the record."""
    changed = Signal()
    """Emitted after every poll: status, problem or snapshots may have changed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.record: RunRecord | None = None
        """None if no run is followed."""
        self.latest: RunSnapshot | None = None
        """The newest snapshot of the run folder."""
        self.problem = ""
        """Why the folder cannot be read now; empty if it can."""
        self._watcher: RunWatcher | None = None
        self._was_running = False
        self._failures = 0
        self._task: IoTask | None = None
        self._poll_timer = QTimer(self)
        self._poll_timer.setSingleShot(True)
        self._poll_timer.timeout.connect(self._start_poll)
        self._slow_timer = QTimer(self)
        self._slow_timer.setSingleShot(True)
        self._slow_timer.setInterval(_SLOW_MS)
        self._slow_timer.timeout.connect(self._on_slow)

    @property
    def is_running(self) -> bool:
        """Whether another program is training the run, as far as is known."""
        return self.latest is not None and self.latest.status == "running" and not self.problem

    def follow(self, opened: OpenedRun) -> None:
        """Follows this run instead of the one before, and polls its folder while it is being trained."""
        self.close()
        self._watcher, self.latest, self.record = opened.watcher, opened.snapshot, opened.record
        self._was_running = self.is_running
        self.record_changed.emit(self.record)
        self.changed.emit()
        self._schedule_poll()

    def close(self) -> None:
        """Stops following the run."""
        self._poll_timer.stop()
        self._slow_timer.stop()
        if self._task is not None:
            self._task.cancel()
        followed = self.record is not None
        self._task = self._watcher = self.latest = self.record = None
        self._was_running = False
        self.problem, self._failures = "", 0
        if followed:
            self.changed.emit()

    def _schedule_poll(self) -> None:
        """Does nothing if the run is complete, or has not been in training since it was opened."""
        if self.latest is None or self.latest.status == "completed":
            return
        self._was_running = self._was_running or self.is_running
        if self.is_running:
            self._poll_timer.start(POLL_INTERVAL_MS)
        elif self.latest.status == "interrupted" or self._was_running:
            self._poll_timer.start(IDLE_POLL_INTERVAL_MS)

    def _start_poll(self) -> None:
        watcher = self._watcher
        if watcher is None:
            return

        images_wanted = self.record is None or not len(self.record.images)

        def poll(progress: ProgressFunction, cancelled: CancelFunction) -> _PollResult:
            return _poll(watcher, images_wanted)

        self._task = IoTask(poll, self)
        self._task.done.connect(self._on_polled)
        self._task.failed.connect(self._on_failed)
        self._task.start()
        self._slow_timer.start()

    def _on_polled(self, result: object) -> None:
        assert isinstance(result, _PollResult)
        assert self.record is not None
        self._end_poll()
        self.problem, self._failures = "", 0
        self.latest, record = result.snapshot, result.record or self.record
        if result.images is not None:
            record.images, record.image_names = result.images
        if record is self.record:
            record.history.feed(self.latest.events)
        if record is not self.record or result.images is not None:
            self.record = record
            self.record_changed.emit(record)
        elif self.latest.events:
            self.events_added.emit(tuple(self.latest.events))
        self.changed.emit()
        self._schedule_poll()

    def _on_failed(self, message: object) -> None:
        self._end_poll()
        self._failures += 1
        if self._failures > _TOLERATED_FAILURES:
            self._show_problem(str(message))
        self._schedule_poll()

    def _on_slow(self) -> None:
        self._show_problem(_SLOW_DRIVE)

    def _show_problem(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self.changed.emit()

    def _end_poll(self) -> None:
        self._slow_timer.stop()
        self._task = None
