"""Follows a run folder that another program writes, maybe on another machine: looks into it again and again.

Only files are read, so that a thread beside the training costs it nothing; and in a thread it is done because
a network drive may hang, for ever too. There is one look at a time, and none once the run has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.io_task import Work
from cnnstudio.gui.runs.record import Record, kept_images
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.watching import Following, Look

EVERY_MS = 1000
SELDOM_MS = 5000
"""For a run that nobody trains now, but that was being trained a moment ago: it may go on."""

_SLOW_MS = 8000
_TOLERATED = 1
"""Looks that fail: a file may just be in the middle of being replaced."""

_SLOW = "Its drive does not answer."


@dataclass(frozen=True)
class Opened:
    """A run folder that was read for the first time."""

    following: Following
    look: Look
    record: Record


def read_run(folder: Path) -> Opened:
    """Reads the run in a folder, in any thread. Raises RunError."""
    following = Following(folder)
    look = following.look()
    return Opened(following, look, Record.of(look))


@dataclass(frozen=True)
class _Seen:
    """A look, and what it takes long to make of it: a record that begins anew, or images that came."""

    look: Look
    record: Record | None
    images: tuple[np.ndarray, tuple[str, ...]] | None


def _see(following: Following, images_wanted: bool) -> _Seen:
    """Raises RunError."""
    look = following.look()
    try:
        record = Record.of(look) if look.afresh else None
    except RunError:
        following.start_over()
        raise
    images = kept_images(look) if images_wanted and look.snapshots and record is None else None
    return _Seen(look, record, images)


class Follower(QObject):
    """Keeps the record of one run like its folder. Everything is told in the main thread."""

    began = Signal(object)
    """The Record: of another run than before, or of the same one, which went on from an earlier place."""
    grew = Signal(object)
    """A tuple of the events that are new in the record."""
    changed = Signal()
    """After every look: status, problem or snapshots may be others."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.record: Record | None = None
        """None where no run is followed."""
        self.look: Look | None = None
        """The newest."""
        self.problem = ""
        """Why the folder cannot be seen just now; empty where it can."""
        self._following: Following | None = None
        self._was_running = False
        self._failures = 0
        self._reading: Work | None = None
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.timeout.connect(self._start_look)
        self._slow = QTimer(self)
        self._slow.setSingleShot(True)
        self._slow.setInterval(_SLOW_MS)
        self._slow.timeout.connect(self._on_slow)

    @property
    def is_running(self) -> bool:
        """Whether somebody trains the run now, as far as one can see."""
        return self.look is not None and self.look.status == "running" and not self.problem

    def follow(self, opened: Opened) -> None:
        """Shows this run, and looks for more of it while it is being trained."""
        self.close()
        self._following, self.look, self.record = opened.following, opened.look, opened.record
        self._was_running = self.is_running
        self.began.emit(self.record)
        self.changed.emit()
        self._plan()

    def close(self) -> None:
        """Follows nothing any more."""
        self._next.stop()
        self._slow.stop()
        if self._reading is not None:
            self._reading.cancel()
        followed = self.record is not None
        self._reading = self._following = self.look = self.record = None
        self._was_running = False
        self.problem, self._failures = "", 0
        if followed:
            self.changed.emit()

    def _plan(self) -> None:
        """The next look; none where the run has come to its end, or was not being trained at all."""
        if self.look is None or self.look.status == "completed":
            return
        self._was_running = self._was_running or self.is_running
        if self.is_running:
            self._next.start(EVERY_MS)
        elif self.look.status == "interrupted" or self._was_running:
            self._next.start(SELDOM_MS)

    def _start_look(self) -> None:
        following = self._following
        if following is None:
            return

        images_wanted = self.record is None or not len(self.record.images)

        def look(progress: ProgressFunction, cancelled: CancelFunction) -> _Seen:
            return _see(following, images_wanted)

        self._reading = Work(look, self)
        self._reading.done.connect(self._on_seen)
        self._reading.failed.connect(self._on_failed)
        self._reading.start()
        self._slow.start()

    def _on_seen(self, seen: object) -> None:
        assert isinstance(seen, _Seen)
        assert self.record is not None
        self._end_reading()
        self.problem, self._failures = "", 0
        self.look, record = seen.look, seen.record or self.record
        if seen.images is not None:
            record.images, record.image_names = seen.images
        if record is self.record:
            record.history.feed(self.look.events)
        if record is not self.record or seen.images is not None:
            self.record = record
            self.began.emit(record)
        elif self.look.events:
            self.grew.emit(tuple(self.look.events))
        self.changed.emit()
        self._plan()

    def _on_failed(self, sentence: object) -> None:
        self._end_reading()
        self._failures += 1
        if self._failures > _TOLERATED:
            self._tell(str(sentence))
        self._plan()

    def _on_slow(self) -> None:
        self._tell(_SLOW)

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self.changed.emit()

    def _end_reading(self) -> None:
        self._slow.stop()
        self._reading = None
