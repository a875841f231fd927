"""A run folder while somebody writes into it, here or elsewhere: what is new, and how the run is doing.

What stands in the folder may be anything at any moment: half a line, an event log that was cut back to a
checkpoint, another run, nothing at all because the drive is away. Each look takes it as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.files import is_folder
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.event_log import EventReader
from cnnstudio.runs.heartbeat import SILENT_SECONDS, is_held, last_pulse
from cnnstudio.runs.run import EVENTS_FILE, Run, Status
from cnnstudio.training.events import Event, Finished


@dataclass(frozen=True)
class Look:
    """What the folder showed."""

    run: Run
    status: Status
    events: list[Event]
    """What was said since the look before; all that was ever said where `afresh`."""
    afresh: bool
    """It is the first look, or the run went on from an earlier place, or it is another run."""
    snapshots: list[int]


class Following:
    """Looks into a run's folder again and again; each look reads only what is new."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._began = clock()
        self._log = EventReader(folder / EVENTS_FILE)
        self._created: object = None
        self._last: Status | None = None
        self._is_told = False
        self._pulse: float | None = None
        self._pulse_moved_at: float | None = None

    def look(self) -> Look:
        """Raises RunError where there is no run, or it cannot be read now; the next look may see it again."""
        if self._created is not None and not is_folder(self.folder):
            raise RunError(f"Its folder is gone, or the drive that it is on: {self.folder}.")
        run = Run.open(self.folder)
        run.check()
        created = run.about.get("created")
        if created != self._created:
            self._created = created
            self.start_over()
        try:
            events, afresh = self._log.read()
        except FileNotFoundError:
            if self._log.has_read:
                raise RunError(f"The run in {self.folder} has no {EVENTS_FILE} any more.") from None
            events, afresh = [], True
        except OSError as error:
            raise RunError(f"The run's events cannot be read ({error.strerror}).") from None
        return Look(run, self._told(self._status(run), events, afresh), events, afresh, run.snapshot_epochs)

    def _told(self, status: Status, events: list[Event], afresh: bool) -> Status:
        """`run.json` tells of the end a moment before the log does; a log on a full disk never does."""
        is_told = any(isinstance(event, Finished) for event in events)
        self._is_told = is_told or (self._is_told and not afresh)
        ended = status not in ("running", "interrupted")
        waits = ended and not self._is_told and self._last == "running"
        self._last = status
        return "running" if waits else status

    def start_over(self) -> None:
        """The next look gives everything again."""
        self._log = EventReader(self.folder / EVENTS_FILE)

    def _status(self, run: Run) -> Status:
        """Of a run elsewhere, what was seen counts more than two clocks that may differ."""
        before, self._pulse = self._pulse, last_pulse(self.folder)
        now = self._clock()
        if before is not None and self._pulse not in (before, None):
            self._pulse_moved_at = now
        status = run.status
        if status not in ("running", "interrupted") or run.is_of_this_machine or is_held(self.folder):
            return status
        if self._pulse_moved_at is not None:
            return "running" if now - self._pulse_moved_at < SILENT_SECONDS else "interrupted"
        return status if now - self._began < SILENT_SECONDS else "interrupted"
