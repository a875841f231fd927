"""What an event log says of a run in a few numbers, and its loss curves in at most 96 points each.

A log may have millions of lines. Its lines are counted out, not parsed: of the steps only as many are read
as a thumbnail can show, and of each epoch's end its few numbers.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cnnstudio.core.files import open_regular

MAX_POINTS = 96
"""Points of one curve of a thumbnail, which is as many pixels wide."""

_MAX_LOG_BYTES = 4 * 2**30
_PART_BYTES = 128 * 2**20
"""Of a log longer than two such parts only the first and the last are read."""
_MAX_LINE_BYTES = 2 * 2**20
_MAX_EPOCHS = 50_000
_PROGRESS, _EPOCH = b'{"event": "Progress"', b'{"event": "EpochEnded"'
_MAX_EPOCH_NUMBER, _MAX_VALUE = 1e6, 6e4  # more than a curve's half precision can have

Point = tuple[float, float]
"""(epoch, loss)."""


@dataclass
class LogSummary:
    """The numbers of one log; None for what it does not say."""

    last_epoch: int | None = None
    last_loss: float | None = None
    """The validation loss, as `last_accuracy` is the validation accuracy."""
    last_accuracy: float | None = None
    best_epoch: int | None = None
    best_accuracy: float | None = None
    accuracies: dict[int, float] = field(default_factory=dict)
    """The validation accuracy of each epoch."""
    seconds: float = 0.0
    """Since the start, without pauses."""
    parameters: int | None = None
    training: tuple[Point, ...] = ()
    validation: tuple[Point, ...] = ()


def summarize_log(path: Path) -> LogSummary:
    """Reads a log; an empty summary if there is none. Raises OSError for one that is no regular file."""
    summary = LogSummary()
    progress = _Sample()
    validation: list[Point] = []
    try:
        file = open_regular(path, _MAX_LOG_BYTES)
    except FileNotFoundError:
        return summary
    with file:
        for line in _lines(file):
            if line.startswith(_PROGRESS):
                progress.add(line)
            elif line.startswith(_EPOCH):
                _add_epoch(summary, _parse(line), validation)
            elif summary.parameters is None and b'"Started"' in line[:40]:
                summary.parameters = _integer(_parse(line).get("parameters"), 10**15)
    steps = [_parse(line) for line in progress.lines]
    if steps:
        summary.seconds = max(summary.seconds, _number(steps[-1].get("seconds"), 1e15) or 0.0)
    summary.training = _thinned(filter(None, map(_step_point, steps)))
    summary.validation = _thinned(validation)
    return summary


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The whole lines, in a long log only those of its beginning and of its end."""
    size, position = file.seek(0, 2), file.seek(0)
    while line := file.readline(_MAX_LINE_BYTES):
        if line.endswith(b"\n"):
            yield line
        position += len(line)
        if position > _PART_BYTES and size - position > _PART_BYTES:
            position = file.seek(size - _PART_BYTES)
            file.readline(_MAX_LINE_BYTES)


class _Sample:
    """Every line at first, then every second, fourth, …, but always the last one."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._stride = 1
        self._count = 0
        self._last = b""

    def add(self, line: bytes) -> None:
        self._last = line
        if self._count % self._stride == 0:
            self._kept.append(line)
            if len(self._kept) >= 2 * MAX_POINTS:
                del self._kept[1::2]
                self._stride *= 2
        self._count += 1

    @property
    def lines(self) -> list[bytes]:
        return self._kept if self._kept[-1:] == [self._last] or not self._last else [*self._kept, self._last]


def _add_epoch(summary: LogSummary, event: dict[str, Any], validation: list[Point]) -> None:
    epoch, scores = _integer(event.get("epoch"), int(_MAX_EPOCH_NUMBER)), event.get("validation")
    if epoch is None or not isinstance(scores, dict) or len(validation) >= _MAX_EPOCHS:
        return
    loss, accuracy = _number(scores.get("loss"), 1e30), _number(scores.get("accuracy"), 1.0)
    summary.last_epoch, summary.last_loss, summary.last_accuracy = epoch, loss, accuracy
    if accuracy is not None:
        summary.accuracies[epoch] = accuracy
        if event.get("best") is True:
            summary.best_epoch, summary.best_accuracy = epoch, accuracy
    if loss is not None and loss < _MAX_VALUE:
        validation.append((float(epoch), loss))


def _step_point(event: dict[str, Any]) -> Point | None:
    epoch, losses = _number(event.get("epoch"), _MAX_EPOCH_NUMBER), event.get("losses")
    if epoch is None or not isinstance(losses, list):
        return None
    known = (
        losses if _are_sound(losses) else [loss for loss in losses if _number(loss, _MAX_VALUE) is not None]
    )
    return (epoch, sum(known) / len(known)) if known else None


def _are_sound(losses: list[Any]) -> bool:
    """Whether all are numbers that a curve can have, asked of all at once: there may be very many."""
    if set(map(type, losses)) != {float} or not math.isfinite(sum(losses)):
        return False
    return bool(min(losses) >= 0 and max(losses) <= _MAX_VALUE)


def _thinned(points: Iterable[Point]) -> tuple[Point, ...]:
    """At most MAX_POINTS, in the order of their epochs; the first and the last are kept."""
    found = sorted(points)
    if len(found) <= MAX_POINTS:
        return tuple(found)
    return tuple(found[round(index)] for index in np.linspace(0, len(found) - 1, MAX_POINTS))


def _parse(line: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(line)
        if isinstance(found, dict):
            return found
    return {}


def _number(value: Any, maximum: float) -> float | None:
    """The number from 0 to `maximum`; None for anything else, also NaN."""
    return float(value) if type(value) in (int, float) and 0 <= value <= maximum else None


def _integer(value: Any, maximum: int) -> int | None:
    return value if type(value) is int and 0 <= value <= maximum else None


def pack_points(points: Iterable[Point]) -> str:
    """The points as text for the cache: half precision is enough for a thumbnail."""
    array = np.array(list(points), "<f2").reshape(-1, 2)
    return base64.b64encode(array.tobytes()).decode()


def unpack_points(text: str) -> tuple[Point, ...]:
    """The points again; none for a damaged text."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return ()
    if len(data) % 4 or len(data) > 4 * MAX_POINTS:
        return ()
    pairs = np.frombuffer(data, "<f2").reshape(-1, 2).tolist()
    return tuple((x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y))
