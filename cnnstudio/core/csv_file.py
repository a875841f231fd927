"""Tables as CSV files that spreadsheets read safely."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

Cell = str | int | float

_CELL_START = re.compile(r"[=+\-@\t\r]")
"""With which a spreadsheet takes the text of a cell for a formula."""


def csv_bytes(table: Iterable[Sequence[Cell]]) -> bytes:
    """The table as a CSV file in UTF-8. Names that a spreadsheet would take for a formula are quoted."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerows([_safe(value) for value in row] for row in table)
    # Names of files may hold bytes that are not UTF-8.
    return file.getvalue().encode("utf-8", "backslashreplace")


def _safe(value: Cell) -> Cell:
    return f"'{value}" if isinstance(value, str) and _CELL_START.match(value) else value
