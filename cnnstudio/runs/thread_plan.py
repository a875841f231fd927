"""With how many threads a run trains, and whether it may use fewer while other programs are busy.

A resumed run repeats the changes that its event log has. Resuming cuts the log back to the checkpoint, so the
changes to repeat are kept in `run.json`: the run may be interrupted again before it has repeated them.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnstudio.runs.event_log import iterate_events, last_progress_step
from cnnstudio.runs.run import EVENTS_FILE, Run
from cnnstudio.training.events import EventError, ThreadsChanged, event_from_json
from cnnstudio.training.hardware.adaptive_threads import ThreadRecord
from cnnstudio.training.hardware.thread_policy import MAX_THREADS

_ADAPTS, _RECORD, _LAST_STEP, _CHANGES = "adapts_threads", "thread_record", "last_step", "changes"
"""Keys in `run.json`."""


@dataclass(frozen=True)
class ThreadPlan:
    """The CPU threads of a run that is about to start."""

    threads: int | None
    """The usual number; None for torch's setting."""
    adapt: ThreadRecord | None = None
    """What to repeat before the number adapts to other programs; None if it is fixed."""

    def metadata(self) -> dict[str, Any]:
        """Its entries in `run.json`."""
        record = self.adapt
        if record is None:
            return {}
        if not record.changes:
            return {_ADAPTS: True}
        changes = [change.to_json() for change in record.changes]
        return {_ADAPTS: True, _RECORD: {_LAST_STEP: record.last_step, _CHANGES: changes}}


def plan_threads(threads: int | None, adapts: bool, resumed: Path | None) -> ThreadPlan:
    """The plan for a run of a single process; `resumed` is the folder of the run if it resumes.

    `threads` is the number that was asked for, which then is fixed; `adapts` whether it may change otherwise.
    A resumed run keeps its own, with which it gives the same bits. Raises RunError.
    """
    if threads is not None:
        return ThreadPlan(threads)
    if resumed is None:
        return ThreadPlan(None, ThreadRecord() if adapts else None)
    run = Run.open(resumed)
    _, own = run.hardware
    if own is None or not 1 <= own <= MAX_THREADS:
        return ThreadPlan(None)
    if run.metadata.get(_ADAPTS) is not True:
        return ThreadPlan(own)
    record = _read_record(run)
    # Without leave to adapt, the last recorded number stays.
    return ThreadPlan(own, record if adapts else ThreadRecord(record.changes, sys.maxsize))


def _read_record(run: Run) -> ThreadRecord:
    """All known changes: those of the log, and those that the log had before the run was last resumed."""
    log, logged, last_step = run.folder / EVENTS_FILE, list[ThreadsChanged](), 0
    # A log that cannot be read is refused, or left alone if it is missing, where the run is resumed.
    with contextlib.suppress(OSError):
        logged = list(iterate_events(log, ThreadsChanged))
        last_step = max([last_progress_step(log), *(change.step for change in logged)])
    earlier = _from_json(run.metadata.get(_RECORD))
    changes = {change.step: change for change in (*earlier.changes, *logged)}
    return ThreadRecord([changes[step] for step in sorted(changes)], max(last_step, earlier.last_step))


def _from_json(content: Any) -> ThreadRecord:
    """What `ThreadPlan.metadata` wrote; nothing if it is missing or damaged."""
    if isinstance(content, Mapping):
        with contextlib.suppress(EventError):
            last_step, entries = content.get(_LAST_STEP), content.get(_CHANGES)
            changes = [event_from_json(entry) for entry in entries] if isinstance(entries, list) else []
            kept = [change for change in changes if isinstance(change, ThreadsChanged)]
            if type(last_step) is int and len(kept) == len(changes):
                return ThreadRecord(kept, last_step)
    return ThreadRecord()
