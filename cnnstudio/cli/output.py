"""What commands print: tables, JSON, and one line that moves where the output is a terminal."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from cnnstudio.core.progress import Progress

_BAR = 24


def print_json(value: Any) -> None:
    """One JSON object on one line; numbers that are not finite become null, which JSON knows."""
    print(json.dumps(_finite(value), ensure_ascii=False, allow_nan=False), flush=True)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns as wide as they need to be, those of the numbers `right` right-aligned."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([line(heads), "─" * (sum(widths) + 2 * len(widths) - 2), *map(line, rows)])


def pairs(entries: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    width = max(len(name) for name, _ in entries)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in entries)


def bar(share: float) -> str:
    """A share from 0 to 1 as a bar of fixed width."""
    full = round(min(max(share, 0.0), 1.0) * _BAR)
    return "━" * full + "╌" * (_BAR - full)


class LiveLine:
    """One line at the bottom that says where the work stands. Silent where the stream is no terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._shown = False

    def show(self, text: str) -> None:
        """Puts `text` in place of what stood there."""
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{text[:width]}")
            self._stream.flush()
            self._shown = True

    def follow(self, progress: Progress) -> None:
        """Says how far the work is, until it is done."""
        self.show(progress.text)
        if progress.done == progress.total:
            self.clear()

    def clear(self) -> None:
        """Takes the line away, so that others can print."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False
