"""Watches a run folder while another program writes it, on this machine or elsewhere.

The folder may be in any state at any moment: half a line, an event log that was cut back to a checkpoint,
another run, or nothing at all because the drive is away. Each poll reports what it finds then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.files import is_folder
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.event_log import EventReader
from cnnstudio.runs.heartbeat import HEARTBEAT_TIMEOUT, is_held, last_heartbeat
from cnnstudio.runs.run import EVENTS_FILE, Run, Status
from cnnstudio.training.events import Event, Finished


@dataclass(frozen=True)
class RunSnapshot:
    """The state of a run folder at one poll."""

    run: Run
    status: Status
    events: list[Event]
    """The events since the poll before; all events if `restarted`."""
    restarted: bool
    """Whether this is the first poll, the run was resumed from an earlier step, or it is another run."""
    snapshots: list[int]
    """The epochs that have a snapshot of feature maps."""


class RunWatcher:
    """Polls a run folder; each poll reads only what is new.

    It keeps what it has seen for two reasons: to read each event once, and to judge the heartbeat of another
    machine by its changes instead of by comparing clocks.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._started = clock()
        self._log = EventReader(folder / EVENTS_FILE)
        self._created: object = None
        self._last_status: Status | None = None
        self._has_finished_event = False
        self._heartbeat: float | None = None
        self._beat_seen_at: float | None = None
        """When the heartbeat was last seen to change, by this machine's clock."""

    def poll(self) -> RunSnapshot:
        """Raises RunError if the folder contains no run or cannot be read now; a later poll may succeed."""
        # Once the run was seen, a missing folder is an error of its own; before, `Run.open` says that there
        # is no run.
        if self._created is not None and not is_folder(self.folder):
            raise RunError(f"The run folder or its drive is not available: {self.folder}.")
        run = Run.open(self.folder)
        run.validate()
        # Another run in the same folder may have no log yet, which must not be reported as a missing file.
        created = run.metadata.get("created")
        if created != self._created:
            self._created = created
            self.start_over()
        try:
            events, restarted = self._log.read()
        except FileNotFoundError:
            # A run that has just been created has no log yet.
            if self._log.has_read_any:
                raise RunError(f"{EVENTS_FILE} is missing from the run in {self.folder}.") from None
            events, restarted = [], True
        except OSError as error:
            raise RunError(f"Cannot read the run's events: {error.strerror}.") from None
        status = self._reported_status(self._current_status(run), events, restarted)
        return RunSnapshot(run, status, events, restarted, run.snapshot_epochs)

    def start_over(self) -> None:
        """Makes the next poll return all events again."""
        self._log = EventReader(self.folder / EVENTS_FILE)

    def _reported_status(self, status: Status, events: list[Event], restarted: bool) -> Status:
        """The status, but "running" for one more poll if the run has ended and its last events are missing.

        `run.json` is written just before the Finished event. A caller that stops polling at the end must not
        miss that event. It waits once only: a log on a full disk never gets it.
        """
        has_finished_event = any(isinstance(event, Finished) for event in events)
        self._has_finished_event = has_finished_event or (self._has_finished_event and not restarted)
        has_ended = status not in ("running", "interrupted")
        # "interrupted" has no Finished event to wait for: the process was killed.
        waits = has_ended and not self._has_finished_event and self._last_status == "running"
        self._last_status = status
        return "running" if waits else status

    def _current_status(self, run: Run) -> Status:
        """The run's status, in which for another machine the observed heartbeat counts more than clocks.

        `Run.status` compares the drive's clock with this machine's, which may be minutes apart. Once the
        heartbeat has been seen to change, only how long ago that was counts. Until then `Run.status` is all
        there is, believed no longer than a live run would take to beat.
        """
        # The first heartbeat that is read is no change: it may be a week old. Two different ones prove that
        # something touched the file in between.
        before, self._heartbeat = self._heartbeat, last_heartbeat(self.folder)
        now = self._clock()
        if before is not None and self._heartbeat not in (before, None):
            self._beat_seen_at = now
        status = run.status
        # The lock decides where it can: on this machine, and on drives that carry locks to other machines.
        if status not in ("running", "interrupted") or run.is_of_this_machine or is_held(self.folder):
            return status
        if self._beat_seen_at is not None:
            return "running" if now - self._beat_seen_at < HEARTBEAT_TIMEOUT else "interrupted"
        return status if now - self._started < HEARTBEAT_TIMEOUT else "interrupted"
