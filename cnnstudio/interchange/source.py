"""A text as a syntax tree, whatever it holds within limits; and what reading it gives."""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from cnnstudio.core.parameters import shorten
from cnnstudio.design.edits import renamed
from cnnstudio.design.network import UNTITLED, Network
from cnnstudio.interchange.chain import CodeError

MAXIMUM_CHARACTERS = 1_000_000
MAXIMUM_NOTES = 100
_LONGEST_NOTE = 240
_TOO_LONG = f"the code is longer than {MAXIMUM_CHARACTERS:,} characters, so it is no listing of a network"

Language = Literal["keras", "pytorch"]
LANGUAGES: Mapping[Language, str] = MappingProxyType({"keras": "Keras", "pytorch": "PyTorch"})
"""As people write them."""


@dataclass(frozen=True, order=True)
class Note:
    """What of the code is not in the design as it stands there, in one sentence; `line` counts from 1."""

    line: int
    text: str


@dataclass(frozen=True)
class Imported:
    """A design read from code, and what the code says of its training, under the keys of a recipe file."""

    network: Network
    recipe: Mapping[str, Any]
    notes: tuple[Note, ...]
    language: Language

    def named(self, name: str) -> Imported:
        """The same with the network called so, where the code has no name for it."""
        if self.network.name != UNTITLED:
            return self
        return replace(self, network=renamed(self.network, name))


@dataclass
class Notes:
    """Collects notes while a text is read: each once, in the order of the lines, and not without end."""

    _found: dict[Note, None] = field(default_factory=dict)

    def add(self, line: int, text: str) -> None:
        if len(self._found) < MAXIMUM_NOTES:
            self._found[Note(line, shorten(text, _LONGEST_NOTE))] = None

    def all(self) -> tuple[Note, ...]:
        return tuple(sorted(self._found))


def read_text(path: Path) -> str:
    """The text of a file of code. Raises CodeError."""
    try:
        if not path.is_file():
            raise CodeError(f"{path.name}: this is no file with code in it")
        # A character takes at most four bytes.
        if path.stat().st_size > 4 * MAXIMUM_CHARACTERS:
            raise CodeError(f"{path.name}: {_TOO_LONG}")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CodeError(f"{path.name}: this is not UTF-8 text, so it is no Python code") from None
    except OSError as error:
        raise CodeError(f"{path.name}: the file cannot be read ({error.strerror})") from None


def parse(text: str) -> ast.Module:
    """The syntax tree of a program. Raises CodeError for what is none, with the line."""
    if len(text) > MAXIMUM_CHARACTERS:
        raise CodeError(_TOO_LONG)
    if not text.strip():
        raise CodeError("there is no code in it")
    try:
        return ast.parse(_without_shell(textwrap.dedent(text.lstrip("\ufeff"))))
    except SyntaxError as error:
        raise CodeError(f"line {error.lineno or 1}: this is not Python ({_reason(error)})") from None
    except (RecursionError, MemoryError):
        raise CodeError("brackets or signs stand too deep in each other, so this cannot be read") from None
    except ValueError:
        raise CodeError("there are signs in it that no program can hold, so this is not Python") from None


def _reason(error: SyntaxError) -> str:
    return shorten((error.msg or "it cannot be understood").rstrip("."), 80)


def _without_shell(text: str) -> str:
    """The text without the lines that notebooks give to the shell: `!pip install keras`, `%matplotlib`."""
    return re.sub(r"^[ \t]*[!%][a-zA-Z].*$", "", text, flags=re.MULTILINE)


def comments(text: str) -> list[tuple[int, str]]:
    """The comments of a program with their lines; as many as can be read."""
    found: list[tuple[int, str]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(textwrap.dedent(text)).readline):
            if token.type == tokenize.COMMENT:
                found.append((token.start[0], token.string.lstrip("# ")))
    except (tokenize.TokenError, SyntaxError):
        pass
    return found
