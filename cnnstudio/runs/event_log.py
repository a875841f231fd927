"""`events.jsonl`: one event per line, appended as it happens.

If the process is killed, the last line may be incomplete. Every reader therefore ignores what follows the
last newline, and every line that is not an event.

A log may be long, or come from anyone, so it is read line by line, in memory that does not grow with it, and
its events are checked.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from cnnstudio.core.files import atomic_writer, is_disk_full, open_regular
from cnnstudio.runs.errors import RunError, describe_full_disk
from cnnstudio.runs.event_check import find_problem
from cnnstudio.training.events import (
    EpochEnded,
    Event,
    EventError,
    Finished,
    Progress,
    SnapshotTaken,
    event_from_json,
)
from cnnstudio.training.recipe.recipe import MAX_EPOCHS

E = TypeVar("E", bound=Event)

_ENCODING = ("utf-8", "backslashreplace")
"""Bytes of file names that are not UTF-8 are escaped like \\udcff, which JSON readers restore."""

_TAIL_BYTES = 512
"""How much of what was read is kept for comparison: a few lines. Each carries a time, so no two are alike."""

_MAX_LOG_BYTES = 4 * 2**30
_MAX_LINE_BYTES = 2 * 2**20
"""No event is longer, not even that of a design with the most layers. Longer lines are skipped."""
_MAX_UNWRITTEN = 4 * 2**20
"""Bytes of events that wait for space; later ones are lost."""

_MAX_PROGRESS_BYTES = 24 * 2**20
"""Of the lines of Progress events that are kept: about half a million steps."""
_MAX_OTHER_BYTES = 24 * 2**20
"""Of the lines of all other events but the ends of epochs."""
_MAX_EPOCHS = 5 * MAX_EPOCHS
"""The most ends of epochs. A run has at most MAX_EPOCHS, of which no log has one twice."""

_BLOCK_BYTES = 2**20
_ALWAYS_KEPT = (b'"Progress"', b'"EpochEnded"', b'"Finished"')
_PROGRESS = b'{"event": "Progress"'
_PROGRESS_STEP = re.compile(rb'\{"event": "Progress", "step": ([0-9]{1,18}),')
"""The start of most lines, as `EventLog` writes them: their step is found without parsing the rest."""


def iterate_events(path: Path, kind: type[E]) -> Iterator[E]:
    """The events of that class in order, one at a time. Raises OSError.

    Lines that no training writes are skipped. For resuming a run: its checkpoints decide whether that is
    possible, not its log.
    """
    name = _name_of(kind)
    with open_regular(path, _MAX_LOG_BYTES) as file:
        for line, size in _whole_lines(file):
            event = _parse_line(line) if len(line) == size and name in line else None
            if isinstance(event, kind) and not find_problem(event):
                yield event


def read_events(path: Path, kind: type[E]) -> list[E]:
    """The events of that class in order; lines that are not events are skipped. Raises OSError, RunError.

    Of events that would take much memory, some are left out, as by `EventReader`.
    """
    name = _name_of(kind)
    events = _BoundedEvents(path)
    with open_regular(path, _MAX_LOG_BYTES) as file:
        for line, size in _whole_lines(file):
            if len(line) == size and name in line:
                events.add(line)
    return [event for event in events.all() if isinstance(event, kind)]


def _name_of(kind: type[Event]) -> bytes:
    """What the lines of these events contain: most lines of others need not be parsed."""
    return getattr(kind, "event_name", "").encode()


class EventReader:
    """Reads a log that is being written: each call returns what is new, or everything if it was rewritten."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._tail = b""
        """The bytes before `_offset`. If the file has others there now, it was rewritten since."""

    @property
    def has_read_any(self) -> bool:
        """Whether the log has contained a whole line so far."""
        return bool(self._offset)

    def read(self) -> tuple[list[Event], bool]:
        """The events of new whole lines, and whether reading restarted at the beginning.

        If there are so many that they would take much memory, only every second, fourth, … of the Progress
        events is among them, and only the first of others. Raises OSError, and RunError for a log that no
        training writes; the next call then begins where this one did.

        A resumed run cuts its log back to the checkpoint and appends again. The file may then be longer than
        before, so its size tells nothing: comparing the bytes before the old position does. That costs one
        read of `_TAIL_BYTES` more, however long the log is.
        """
        # The first read counts as restarted, so that callers need no case of their own for it.
        offset, tail, restarted = self._offset, self._tail, not self._offset
        events = _BoundedEvents(self._path)
        with open_regular(self._path, _MAX_LOG_BYTES) as file:
            file.seek(offset - len(tail))
            if file.read(len(tail)) != tail:
                restarted, offset, tail = True, 0, b""
                file.seek(0)
            for line, size in _whole_lines(file):
                offset += size
                tail = (tail + line[-_TAIL_BYTES:])[-_TAIL_BYTES:]
                if len(line) == size:
                    events.add(line)
        self._offset, self._tail = offset, tail
        return events.all(), restarted


class _BoundedEvents:
    """The checked events of lines, in bounded memory.

    Of too many Progress events, every second is dropped, but never the last one. Of other events the first
    are kept, and Finished. Too many ends of epochs are an error: to leave some out would falsify the curves.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._events: list[Event | None] = []
        self._progress: list[tuple[int, int]] = []
        """Of each Progress event: its index in `_events`, and the length of its line."""
        self._progress_bytes = self._other_bytes = self._epochs = 0
        self._stride = 1
        self._skipped = 0
        self._last_skipped = b""
        self._last_skipped_at = 0

    def add(self, line: bytes) -> None:
        """Raises RunError for an event that no training can have."""
        if line.startswith(_PROGRESS) and self._skipped + 1 < self._stride:
            self._skipped += 1
            self._last_skipped, self._last_skipped_at = line, len(self._events)
            return
        is_full = self._other_bytes > _MAX_OTHER_BYTES
        if is_full and not any(name in line for name in _ALWAYS_KEPT):
            return
        event = _parse_line(line)
        if event is None:
            return
        _checked(event, self._path)
        if isinstance(event, Progress):
            self._skipped, self._last_skipped = 0, b""
            self._progress.append((len(self._events), len(line)))
            self._progress_bytes += len(line)
            self._events.append(event)
            if self._progress_bytes > _MAX_PROGRESS_BYTES:
                self._drop_every_second()
        elif isinstance(event, EpochEnded):
            self._epochs += 1
            if self._epochs > _MAX_EPOCHS:
                raise _damaged(self._path, f"{self._path.name} has more than {_MAX_EPOCHS:,} epochs")
            self._events.append(event)
        elif not is_full or isinstance(event, Finished):
            self._other_bytes += len(line)
            self._events.append(event)

    def all(self) -> list[Event]:
        if self._last_skipped:
            event = _parse_line(self._last_skipped)
            self._events.insert(self._last_skipped_at, None if event is None else _checked(event, self._path))
        return [event for event in self._events if event is not None]

    def _drop_every_second(self) -> None:
        for index, _ in self._progress[-2::-2]:
            self._events[index] = None
        self._events = [event for event in self._events if event is not None]
        lengths = [length for _, length in self._progress[::-2]][::-1]
        kept = (index for index, event in enumerate(self._events) if isinstance(event, Progress))
        self._progress = list(zip(kept, lengths, strict=True))
        self._progress_bytes = sum(lengths)
        self._stride *= 2


def _whole_lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """(line, its length) of each line that ends with a newline; of a line that is too long, only its end."""
    start, size = b"", 0
    while piece := file.readline(_MAX_LINE_BYTES):
        size += len(piece)
        if not piece.endswith(b"\n"):
            start = (start + piece)[-_TAIL_BYTES:]
            continue
        yield (piece if size == len(piece) else (start + piece)[-_TAIL_BYTES:]), size
        start, size = b"", 0


def _parse_line(line: bytes) -> Event | None:
    """None for a line that is not an event."""
    try:
        return event_from_json(json.loads(line))
    except (ValueError, RecursionError, EventError):
        return None


def _checked(event: Event, path: Path) -> Event:
    problem = find_problem(event)
    if problem:
        raise _damaged(path, f"in its {event.event_name} event, {problem}")
    return event


def _damaged(path: Path, problem: str) -> RunError:
    return RunError(f"The run in {path.parent} is damaged: {problem}.")


def last_progress_step(path: Path) -> int:
    """The last step of which the log tells; 0 without one. Raises OSError."""
    last = 0
    with open_regular(path, _MAX_LOG_BYTES) as file:
        for line, _ in _whole_lines(file):
            if found := _PROGRESS_STEP.match(line):
                last = max(last, int(found[1]))
    return last


def truncate_after(path: Path, step: int, epoch: int) -> None:
    """Keeps the events up to that step and that number of finished epochs; step 0 keeps nothing.

    A resumed run repeats the steps since its checkpoint and logs them again. What was logged of them before
    has to go first, or every reader would see those steps twice. Progress is emitted whenever a checkpoint is
    written, so the cut never falls inside the range of steps of one event. Raises FileError and OSError.
    """
    # Atomically and not by truncating in place: a reader sees the old log or the new one.
    if not step or not path.exists():
        with atomic_writer(path):
            return
    with open_regular(path, _MAX_LOG_BYTES) as file:
        kept = 0
        for line, size in _whole_lines(file):
            if len(line) == size and _is_after(line, step, epoch):
                break
            kept += size
        file.seek(0)
        with atomic_writer(path) as shortened:
            _copy(file, shortened, kept)


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    while size > 0 and (block := source.read(min(size, _BLOCK_BYTES))):
        target.write(block)
        size -= len(block)


def _is_after(line: bytes, step: int, epoch: int) -> bool:
    if found := _PROGRESS_STEP.match(line):
        return int(found[1]) > step
    event = _parse_line(line)
    # By its number, because the end of an epoch belongs to the same step as the last Progress in it: a
    # checkpoint at that step may have been written before the epoch ended, or after.
    if isinstance(event, EpochEnded):
        return event.epoch > epoch
    # A run that is resumed has not finished, whatever its log says. Events without a step, such as Started,
    # stay.
    return isinstance(event, Finished) or int(getattr(event, "step", 0)) > step


class EventLog:
    """Appends events to a file. A full disk does not stop the run: `warn` is called once.

    What could not be written is written when there is space again.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._file: BinaryIO | None = None
        self._unwritten = b""
        """What could not be written yet; it follows the last byte that was."""
        self._is_told = False

    def __enter__(self) -> Self:
        self._open()
        return self

    def _open(self) -> None:
        # Also readable: the open file still has its content after its name was deleted. Unbuffered, so that
        # an event is in the file, for other programs and after a kill, as soon as it happened.
        self._file = open(self._path, "a+b", buffering=0)  # noqa: SIM115  # closed by __exit__

    def copy_to(self, path: Path) -> None:
        """Copies everything written so far, even if the file was deleted since. Raises OSError, FileError."""
        with atomic_writer(path) as target:
            if self._file is not None:
                self._file.seek(0)
                _copy(self._file, target, os.fstat(self._file.fileno()).st_size)

    def reopen(self) -> None:
        """Continues in the file that is at the path now. Raises OSError."""
        if self._file is not None:
            self._file.close()
        self._open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            # An error on closing, as on network drives, comes too late to matter.
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def write(self, event: Event) -> None:
        """Appends the event, except live feature maps: the run keeps its own snapshots."""
        if self._file is None or isinstance(event, SnapshotTaken):
            return
        try:
            text = json.dumps(event.to_json(), ensure_ascii=False, allow_nan=False)
        except ValueError as error:
            self._tell(f"Cannot write the run's events ({error}). Training continues.")
            return
        if len(self._unwritten) < _MAX_UNWRITTEN:
            self._unwritten += text.encode(*_ENCODING) + b"\n"
        self._write_rest()

    def _write_rest(self) -> None:
        """Writes what there is to write, as far as possible; the rest is tried again with the next event."""
        assert self._file is not None
        try:
            self._unwritten = self._unwritten[self._file.write(self._unwritten) :]
        except OSError as error:
            if not is_disk_full(error):
                self._tell(f"Cannot write the run's events ({error.strerror or error}). Training continues.")
                return
        if self._unwritten:
            self._tell(describe_full_disk(self._path.parent))
        else:
            self._is_told = False

    def _tell(self, message: str) -> None:
        if not self._is_told:
            self._is_told = True
            self._warn(message)
