"""`events.jsonl`: one event per line, appended as it happens.

If the process is killed, the last line may be incomplete. Every reader therefore ignores what follows the
last newline, and every line that is not an event.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cnnstudio.core.files import write_atomically
from cnnstudio.training.events import EpochEnded, Event, EventError, Finished, SnapshotTaken, event_from_json

_TAIL_BYTES = 512
"""How much of what was read is kept for comparison: a few lines. Each carries a time, so no two are alike."""


def read_events(path: Path) -> list[Event]:
    """All events; lines that are not events are skipped. Raises OSError."""
    return EventReader(path).read()[0]


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
        """The events of new whole lines, and whether reading restarted at the beginning. Raises OSError.

        A resumed run cuts its log back to the checkpoint and appends again. The file may then be longer than
        before, so its size tells nothing: comparing the bytes before the old position does. That costs one
        read of `_TAIL_BYTES` more, however long the log is.
        """
        restarted = not self._offset
        with open(self._path, "rb") as file:
            file.seek(self._offset - len(self._tail))
            data = file.read()
            if not data.startswith(self._tail):
                restarted, self._offset, self._tail = True, 0, b""
                file.seek(0)
                data = file.read()
        new = data[len(self._tail) : data.rfind(b"\n") + 1]
        self._offset += len(new)
        self._tail = (self._tail + new)[-_TAIL_BYTES:]
        return [event for line in new.splitlines() if (event := _parse_line(line)) is not None], restarted


def _parse_line(line: bytes) -> Event | None:
    """None for a line that is not an event."""
    try:
        return event_from_json(json.loads(line))
    except (ValueError, RecursionError, EventError):
        return None


def truncate_after(path: Path, step: int, epoch: int) -> None:
    """Keeps the events up to that step and that number of finished epochs; step 0 keeps nothing.

    A resumed run repeats the steps since its checkpoint and logs them again. What was logged of them before
    has to go first, or every reader would see those steps twice. Progress is emitted whenever a checkpoint is
    written, so the cut never falls inside the range of steps of one event. Raises FileError.
    """
    kept = 0
    data = path.read_bytes() if step and path.exists() else b""
    for line in data.splitlines(keepends=True):
        if _is_after(line, step, epoch):
            break
        kept += len(line)
    write_atomically(path, data[:kept])


def _is_after(line: bytes, step: int, epoch: int) -> bool:
    event = _parse_line(line)
    if event is None:
        # An unknown event stays where it is; an incomplete line is where the process was killed.
        return not line.endswith(b"\n")
    if isinstance(event, EpochEnded):
        return event.epoch > epoch
    return isinstance(event, Finished) or int(getattr(event, "step", 0)) > step


class EventLog:
    """Appends events to a file. A full disk does not stop the run: `warn` is called once."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._file: BinaryIO | None = None
        self._is_broken = False

    def __enter__(self) -> Self:
        self._open()
        return self

    def _open(self) -> None:
        # Also readable: the open file still has its contents after its name was deleted. Unbuffered, so that
        # an event is in the file, for other programs and after a kill, as soon as it happened.
        self._file = open(self._path, "a+b", buffering=0)  # noqa: SIM115  # closed by __exit__

    def contents(self) -> bytes:
        """Everything written so far, even if the file was deleted since. Raises OSError."""
        if self._file is None:
            return b""
        self._file.seek(0)
        return self._file.read()

    def reopen(self) -> None:
        """Continues in the file that is at the path now. Raises OSError."""
        if self._file is not None:
            self._file.close()
        self._open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, event: Event) -> None:
        """Appends the event, except live feature maps: the run keeps its own snapshots."""
        if self._file is None or isinstance(event, SnapshotTaken):
            return
        line = json.dumps(event.to_json(), ensure_ascii=False, allow_nan=False).encode() + b"\n"
        # Ends the incomplete line that a failed write may have left, so that this one stays readable.
        data = b"\n" + line if self._is_broken else line
        try:
            written = self._file.write(data)
            if written < len(data):
                raise OSError("the disk is full")
            self._is_broken = False
        except OSError as error:
            if not self._is_broken:
                self._is_broken = True
                self._warn(f"Cannot write the run's events ({error.strerror or error}). Training continues.")
