"""`events.jsonl`: one event a line, written as it comes.

Where the process was killed, the last line may be half a line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cnnstudio.core.files import write_atomically
from cnnstudio.training.events import EpochEnded, Event, EventError, Finished, SnapshotTaken, event_from_json

_COMPARED = 512
"""Bytes. Every line has a time in it, so that no two places of two logs are alike."""


def read_events(path: Path) -> list[Event]:
    """All events; lines that are no events are passed over. Raises OSError."""
    return EventReader(path).read()[0]


class EventReader:
    """Reads a log while it is written: each time what is new, or all of it where it was rewritten since."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._end = b""
        """What stood before that place; what stands there now tells whether the file is still the same."""

    @property
    def has_read(self) -> bool:
        """Whether there was anything yet."""
        return bool(self._offset)

    def read(self) -> tuple[list[Event], bool]:
        """The events of whole lines, and whether they are all that the log holds. Raises OSError."""
        afresh = not self._offset
        with open(self._path, "rb") as file:
            file.seek(self._offset - len(self._end))
            data = file.read()
            if not data.startswith(self._end):
                afresh, self._offset, self._end = True, 0, b""
                file.seek(0)
                data = file.read()
        new = data[len(self._end) : data.rfind(b"\n") + 1]
        self._offset += len(new)
        self._end = (self._end + new)[-_COMPARED:]
        return [event for line in new.splitlines() if (event := _event(line)) is not None], afresh


def _event(line: bytes) -> Event | None:
    """None for a line that is no event."""
    try:
        return event_from_json(json.loads(line))
    except (ValueError, RecursionError, EventError):
        return None


def forget_after(path: Path, step: int, epoch: int) -> None:
    """Leaves only what was said until that step, with so many epochs ended; step 0 leaves nothing.

    Progress ends where a checkpoint is written, so no event is cut in two. Raises FileError.
    """
    kept = 0
    data = path.read_bytes() if step and path.exists() else b""
    for line in data.splitlines(keepends=True):
        if _is_after(line, step, epoch):
            break
        kept += len(line)
    write_atomically(path, data[:kept])


def _is_after(line: bytes, step: int, epoch: int) -> bool:
    """Whether the event is of a later time; what is no event is of none."""
    event = _event(line)
    if event is None:
        return not line.endswith(b"\n")
    if isinstance(event, EpochEnded):
        return event.epoch > epoch
    return isinstance(event, Finished) or int(getattr(event, "step", 0)) > step


class EventLog:
    """Appends events to a file. A full disk does not end the run: `warn` hears of it once."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._file: BinaryIO | None = None
        self._broken = False

    def __enter__(self) -> Self:
        self._open()
        return self

    def _open(self) -> None:
        # Readable too: where somebody deletes the file, what was said can still be had.
        self._file = open(self._path, "a+b", buffering=0)  # noqa: SIM115  # closed by __exit__

    def said(self) -> bytes:
        """All that was written, also where the file was deleted since. Raises OSError."""
        if self._file is None:
            return b""
        self._file.seek(0)
        return self._file.read()

    def reopen(self) -> None:
        """Goes on in the file that stands in its place now. Raises OSError."""
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
        """Writes the event; images of the live view are not kept, the run's own snapshots are."""
        if self._file is None or isinstance(event, SnapshotTaken):
            return
        line = json.dumps(event.to_json(), ensure_ascii=False, allow_nan=False).encode() + b"\n"
        # What a failed write left of a line is ended first, so that this one stands alone.
        data = b"\n" + line if self._broken else line
        try:
            written = self._file.write(data)
            if written < len(data):
                raise OSError("the disk is full")
            self._broken = False
        except OSError as error:
            if not self._broken:
                self._broken = True
                self._warn(
                    f"The run's events cannot be written ({error.strerror or error}); the run goes on."
                )
