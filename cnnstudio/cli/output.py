"""What commands print: tables, JSON, and a status line on terminals."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from cnnstudio.core.formatting import clean_line, clean_text

if TYPE_CHECKING:
    from cnnstudio.core.progress import Progress

_BAR_WIDTH = 24


def print_json(value: Any) -> None:
    """Prints the value as one line of JSON. NaN and infinity, which JSON lacks, become null."""
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    # JSON itself escapes the first 32 characters only.
    text = "".join(char if clean_text(char) == char else f"\\u{ord(char):04x}" for char in text)
    print(text, flush=True)


def echo(text: str = "", *, file: TextIO | None = None) -> None:
    """Prints the text without what a terminal would act on. Every command prints through this."""
    print(clean_text(text), file=file, flush=True)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table with columns as wide as needed; `right` are the indices of right-aligned columns."""
    rows = [[clean_line(cell) for cell in row] for row in rows]
    headings = [clean_line(cell) for cell in headings]
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([line(headings), "─" * (sum(widths) + 2 * len(widths) - 2), *map(line, rows)])


def two_columns(entries: Sequence[tuple[str, str]]) -> str:
    """Names and values in two aligned columns."""
    width = max(len(name) for name, _ in entries)
    return "\n".join(f"{clean_line(name).ljust(width)}  {clean_line(value)}" for name, value in entries)


def bar(fraction: float) -> str:
    """A progress bar of fixed width; fractions outside 0 to 1 are clipped."""
    full = round(min(max(fraction, 0.0), 1.0) * _BAR_WIDTH)
    return "━" * full + "╌" * (_BAR_WIDTH - full)


class LiveLine:
    """A status line that is updated in place. Prints nothing if the stream is not a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._shown = False

    def show(self, text: str) -> None:
        """Replaces the line by `text`."""
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{clean_line(text)[:width]}")
            self._stream.flush()
            self._shown = True

    def show_progress(self, progress: Progress) -> None:
        """Shows the progress until it is complete."""
        self.show(progress.text)
        if progress.done == progress.total:
            self.clear()

    def clear(self) -> None:
        """Removes the line, so that something else can be printed."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False
