"""Reads the code of a Markdown page, or of an answer pasted from a chat: its fenced blocks of Python.

Everything else becomes empty lines, so that notes name the lines of the page.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.effort import check_length
from cnnstudio.interchange.notebooks import without_commands

MAXIMUM_BLOCKS = 1_000
NO_PYTHON_BLOCK = "this block is not Python and is skipped"
"""The comment that stands for a block that cannot be read; the reader makes a note of it."""

_FENCE = re.compile(r"^[ \t]{0,8}(?P<marks>`{3,}|~{3,})[ \t]*(?P<language>[^`\n]*)$")
_PYTHON = re.compile(r"\{?[ \t.]*(?:python|python3|py|py3|ipython|ipython3|pycon)\b", re.IGNORECASE)
_TAB = re.compile(r"^\s*(?:%%tab|#\s*@tab)[ \t]+(?P<names>[^\n]*)")
"""The textbook d2l.ai has each listing for several libraries: the first line of a block names those."""
_PREFERRED_TABS = ("pytorch", "tensorflow")


@dataclass(frozen=True)
class _Block:
    """The lines of a fenced block, from `start` on, counted from 0."""

    language: str
    start: int
    lines: tuple[str, ...]

    @property
    def tabs(self) -> tuple[str, ...]:
        found = _TAB.match("\n".join(self.lines[:1]))
        return tuple(re.findall(r"[\w-]+", found["names"].lower())) if found else ()


def has_fences(text: str) -> bool:
    """Whether a text that is no Python may be a page with blocks of code in it."""
    return any(_FENCE.match(line) for line in text.split("\n"))


def code_of_markdown(text: str) -> str:
    """The Python in a page, each line where it was; empty if there is none. Raises CodeError."""
    lines = text.replace("\r\n", "\n").split("\n")
    blocks = list(itertools.islice(_blocks(lines), MAXIMUM_BLOCKS + 1))
    if len(blocks) > MAXIMUM_BLOCKS:
        raise CodeError(f"the page has more than {MAXIMUM_BLOCKS:,} blocks of code")
    python = [block for block in blocks if _PYTHON.match(block.language)]
    # Before any block is parsed, which takes many times the time and memory.
    possible = python or [block for block in blocks if not block.language]
    check_length("\n".join(line for block in possible for line in block.lines))
    if not python:
        # Without the name of a language, whatever is Python.
        python = [block for block in blocks if not block.language and _parses(_plain(block))]
    tabs = {name for block in python for name in block.tabs}
    tab = next((name for name in _PREFERRED_TABS if name in tabs), "")
    kept = [""] * len(lines)
    for block in python:
        if block.tabs and tab and not {tab, "all"} & set(block.tabs):
            continue
        code = _plain(block)
        if not _parses(code):
            kept[block.start] = f"# {NO_PYTHON_BLOCK}"
            continue
        kept[block.start : block.start + len(block.lines)] = code.split("\n")
    return "\n".join(kept) if any(kept) else ""


def _blocks(lines: list[str]) -> Iterator[_Block]:
    opened: tuple[str, str, int] | None = None
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened = fence["marks"], fence["language"].strip(), number + 1
        elif fence and not fence["language"].strip() and fence["marks"].startswith(opened[0]):
            _, language, start = opened
            yield _Block(language, start, tuple(lines[start:number]))
            opened = None
    if opened is not None:
        # An answer that was copied without its end.
        yield _Block(opened[1], opened[2], tuple(lines[opened[2] :]))


def _plain(block: _Block) -> str:
    """The code without indentation, prompts of the interpreter, and commands; it has as many lines."""
    lines = list(block.lines)
    if any(line.lstrip().startswith(">>>") for line in lines):
        lines = [line.lstrip()[4:] if line.lstrip()[:3] in (">>>", "...") else "" for line in lines]
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    least = min(indents, default=0)
    return without_commands("\n".join(line[least:] for line in lines))


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
