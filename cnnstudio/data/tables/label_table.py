"""Reads a table of labels: a text file with `file,label[,split]` in its first line, or none of these words.

Spreadsheets write such files with commas, semicolons or tabs, in UTF-8, UTF-16 or the encoding of Windows:
all are understood. Columns are found by their names, in any order.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from cnnstudio.core.files import read_regular
from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import CancelFunction, never_cancelled, raise_if_cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources.folder_scan import is_image_name

SUFFIXES = (".csv", ".tsv")
MAX_LINES = 1_000_000
_MAX_BYTES = 2**28
_MAX_CELL = 4_096
"""Characters of a path; the longest that systems allow."""
_MAX_LABEL = 200
_MAX_HEAD = 2**20
"""Characters among which the first line is."""
_CHECK_EVERY = 1_000
_SEPARATORS = (",", ";", "\t", "|")
_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "file": (
            *("file", "filename", "file_name", "path", "filepath", "file_path", "image", "image_path"),
            *("image_name", "image_file", "img", "image_id", "id", "id_code"),
        ),
        "label": ("label", "labels", "class", "class_name", "classname", "category", "target"),
        "split": ("split", "set", "subset", "partition"),
    }
)
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


class TableRow(NamedTuple):
    """One line of a table. A tuple, because there may be a million."""

    line: int
    file: str
    label: str
    split: str


@dataclass(frozen=True)
class LabelTable:
    """The lines that name a file and a label."""

    rows: tuple[TableRow, ...]
    notes: tuple[str, ...]
    """Sentences about how the table was understood."""


def is_table_name(name: str) -> bool:
    """Whether a file of this name is a table."""
    return name.lower().endswith(SUFFIXES)


def read_table(path: Path, cancelled: CancelFunction = never_cancelled) -> LabelTable:
    """The table in that file. Raises DataError, which says what is wrong and where; Cancelled."""
    text, notes = _read_text(path)
    lines = max(text.count("\n"), text.count("\r")) + 1
    if lines > MAX_LINES + 2:
        raise DataError(
            f"{path} has {lines:,} lines, but at most {MAX_LINES:,} are read: divide it into several tables."
        )
    # Of the beginning alone: while all lines are divided, nothing else in this program runs.
    first = next((line for line in text[:_MAX_HEAD].splitlines() if line.strip()), "")
    if not first:
        raise DataError(f"{path} is empty: its first line must be file,label or file,label,split.")
    separator = max(_SEPARATORS, key=lambda each: (len(_columns(_cells(first, each))), first.count(each)))
    columns = _columns(_cells(first, separator))
    has_header = {"file", "label"} <= columns.keys()
    if not has_header:
        columns = _assumed_columns(path, _cells(first, separator))
        notes = [*notes, "The first line names no columns: they were read as file, label and split."]
    rows, unlabeled = [], []
    file, label, split = (columns.get(name) for name in ("file", "label", "split"))
    for number, (line, cells) in enumerate(_lines(path, text, separator)):
        if number % _CHECK_EVERY == 0:
            raise_if_cancelled(cancelled)
        if has_header or not any(cells):
            has_header = has_header and not any(cells)
            continue
        row = TableRow(line, _cell(cells, file), _cell(cells, label), _cell(cells, split))
        if row.file and row.label:
            _check(path, row)
            rows.append(row)
        else:
            unlabeled.append(line)
    if unlabeled:
        count = "1 line has" if len(unlabeled) == 1 else f"{len(unlabeled):,} lines have"
        notes = [*notes, f"{count} no file or no label, the first of them line {unlabeled[0]:,}: left out."]
    return LabelTable(tuple(rows), tuple(notes))


def _read_text(path: Path) -> tuple[str, list[str]]:
    try:
        data = read_regular(path, _MAX_BYTES)
    except FileNotFoundError:
        raise DataError(f"There is no file {path}.") from None
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from None
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    if encoding is None and b"\0" in data[:1_000]:
        # Without a mark, ASCII characters in UTF-16 show by their zero bytes.
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be" if data[:1] == b"\0" else None
        if encoding is None:
            raise DataError(f"{path} is not a text file: save the table as CSV.")
    try:
        return data.decode(encoding or "utf-8"), []
    except UnicodeDecodeError:
        if encoding is not None:
            raise DataError(f"{path} is damaged: it is not {encoding.upper()} text as it says.") from None
    text = data.decode("cp1252", "replace")
    return text, ["The table is not UTF-8 and was read as Windows-1252: check names with accents."]


def _lines(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The number of each line and its cells, without the spaces around them."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for cells in reader:
            yield reader.line_num, list(map(str.strip, cells))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num:,}: {error}.") from None


def _cells(line: str, separator: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return []


def _columns(cells: Sequence[str]) -> dict[str, int]:
    """Which column has what, by the names in the first line. The most usual names count most."""
    names = [cell.casefold().replace(" ", "_") for cell in cells]
    found = {}
    for column, known in _COLUMNS.items():
        match = next((name for name in known if name in names), None)
        if match is not None:
            found[column] = names.index(match)
    return found


def _assumed_columns(path: Path, cells: Sequence[str]) -> dict[str, int]:
    """The columns of a table whose first line has an image already."""
    if len(cells) in (2, 3) and is_image_name(cells[0]):
        return dict(zip(_COLUMNS, range(len(cells)), strict=False))
    raise DataError(
        f"{path} names no columns “file” and “label”: its first line must be file,label or file,label,split, "
        f"not “{shorten(','.join(cells), 100)}”."
    )


def _cell(cells: Sequence[str], column: int | None) -> str:
    return cells[column] if column is not None and column < len(cells) else ""


def _check(path: Path, row: TableRow) -> None:
    if len(row.label) > _MAX_LABEL or len(row.file) > _MAX_CELL or "\0" in row.file:
        what = "label" if len(row.label) > _MAX_LABEL else "file name"
        raise DataError(f"{path}, line {row.line:,}: the {what} is too long or has zero bytes.")
