"""Reads the code of a Jupyter notebook: its code cells in order, without outputs and shell commands."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from typing import Any

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.effort import check_length

MAXIMUM_BYTES = 32 * 1024 * 1024
"""The largest file, with images in its outputs; the limit on the code alone is that of any code."""
MAXIMUM_CELLS = 5_000
_MAXIMUM_BRACKETS = 1_000_000
"""The most strings and brackets in all outputs."""
_MAXIMUM_REST = 8_000_000
"""The most characters besides the outputs: the code, the text, and the images in it."""
_NO_JSON = "this is not a notebook: it is not valid JSON"
NOT_PYTHON = "this cell is not Python and is skipped"
"""The comment that stands for a cell that cannot be read; the reader makes a note of it."""

# In valid JSON this is a key: within a string the quotes are escaped.
_OUTPUTS = re.compile(r'"(?:outputs|attachments)"\s*:\s*(?=[\[{])')
_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_CELL = re.compile(r"^# %% cell (\d+)$")
# With the lines that a backslash continues; `x = !ls` assigns what nobody knows, and `model?` asks for help.
_COMMAND = re.compile(
    r"^[ \t]*(?:!|%{1,2}[a-zA-Z])(?:\\\n|[^\n])*|^[ \t]*\?{1,2}[\w.]+$|^[ \t]*[\w.]+\?{1,2}$",
    re.MULTILINE,
)
_ASSIGNED = re.compile(r"^([ \t]*\w+[ \t]*=[ \t]*)[!%][^\n]*$", re.MULTILINE)
_CELL_MAGIC = re.compile(r"\s*%%(\w+)[^\n]*")
_PYTHON_MAGICS = frozenset({"time", "timeit", "capture", "prun", "python", "python3"})


def code_of_notebook(text: str) -> str:
    """The code of a notebook as one program, each cell below a comment with its number. Raises CodeError."""
    sources = _code_cells(text)
    if len(sources) > MAXIMUM_CELLS:
        raise CodeError(f"the notebook has more than {MAXIMUM_CELLS:,} code cells")
    # Before any cell is parsed, which takes many times the time and memory.
    check_length("\n".join(source for source in sources if not _is_foreign(source)))
    cells = [f"# %% cell {number}\n{_python(source)}" for number, source in enumerate(sources, 1)]
    if not cells:
        raise CodeError("the notebook has no code cells")
    return "\n\n".join(cells) + "\n"


def without_commands(text: str) -> str:
    """The text without the shell and magic commands of notebooks: `!pip install keras`, `%matplotlib`.

    Each becomes as many empty lines as it had.
    """
    return _ASSIGNED.sub(r"\1None", _COMMAND.sub(lambda found: "\n" * found[0].count("\n"), text))


def place_in_notebook(code: str, line: int) -> str:
    """Where a line of `code_of_notebook` is: `cell 3, line 2`; `line 2` for code that is no notebook's."""
    lines = code.split("\n")[:line]
    for index in reversed(range(len(lines))):
        found = _CELL.match(lines[index])
        if found:
            return f"cell {found[1]}, line {max(line - index - 1, 1)}"
    return f"line {line}"


def _without_outputs(text: str) -> str:
    """The notebook without the outputs of its cells, which are most of it. Raises CodeError.

    They are cut out as text: as values they could take thirty times the memory of the file.
    """
    parts: list[str] = []
    position = brackets = 0
    while found := _OUTPUTS.search(text, position):
        parts.append(text[position : found.end()] + "[]")
        depth = 0
        for token in _STRUCTURE.finditer(text, found.end()):
            brackets += 1
            if brackets > _MAXIMUM_BRACKETS:
                raise CodeError("the outputs of the notebook are too complex to read: clear them")
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
            if depth == 0:
                position = token.end()
                break
        else:
            raise CodeError(_NO_JSON)
    rest = "".join([*parts, text[position:]])
    if len(rest) > _MAXIMUM_REST:
        raise CodeError(f"the notebook has more than {_MAXIMUM_REST:,} characters besides its outputs")
    return rest


def _code_cells(text: str) -> list[str]:
    try:
        content = json.loads(_without_outputs(text))
    except (ValueError, RecursionError):
        raise CodeError(_NO_JSON) from None
    cells = content.get("cells") if isinstance(content, dict) else None
    if cells is None and isinstance(content, dict):
        # Notebooks of versions before 4.
        sheets = content.get("worksheets")
        found = [sheet for sheet in sheets if isinstance(sheet, dict)] if isinstance(sheets, list) else []
        cells = [cell for sheet in found for cell in _list(sheet.get("cells"))] if found else None
    if not isinstance(cells, list):
        raise CodeError("this is not a notebook: it has no cells")
    return [_source(cell) for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str)).replace("\r\n", "\n")


def _is_foreign(source: str) -> bool:
    """Whether the first line of a cell says that it is in another language."""
    magic = _CELL_MAGIC.match(source)
    is_file = magic is not None and magic[1] in ("writefile", "file") and ".py" in magic[0]
    return magic is not None and magic[1] not in _PYTHON_MAGICS and not is_file


def _python(source: str) -> str:
    """The code of a cell; comments instead of one that is not Python."""
    if _is_foreign(source):
        return f"# {source.strip().splitlines()[0].strip()}"
    plain = textwrap.dedent(source)
    for text in (plain, without_commands(plain)):
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return text.rstrip("\n")
    return f"# {NOT_PYTHON}"
