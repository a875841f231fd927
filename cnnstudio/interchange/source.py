"""Parses source code within size limits, and holds the result of reading it."""

from __future__ import annotations

import ast
import errno
import io
import textwrap
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from cnnstudio.core.files import read_regular
from cnnstudio.core.formatting import format_bytes
from cnnstudio.core.parameters import shorten
from cnnstudio.design.edits import rename
from cnnstudio.design.network import UNTITLED, Network
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.data_sets import NamedData
from cnnstudio.interchange.effort import MAXIMUM_CHARACTERS, TOO_LONG, Effort, check_length
from cnnstudio.interchange.notebooks import MAXIMUM_BYTES, code_of_notebook, without_commands

NOTEBOOK = ".ipynb"
ONNX_SUFFIX = ".onnx"
CODE_SUFFIXES = (".py", NOTEBOOK, ".md")
_MODELS = (".pt", ".pth", ".pt2", ".ckpt", ".pkl", ".pickle", ".h5", ".hdf5", ".keras", ".pb", ".tflite")
"""Of whole models, or of weights that Python can read."""
_NO_CODE = {
    **dict.fromkeys(
        _MODELS,
        "files such as .pt, .pkl and .h5 can contain programs, so they are not opened: import the code of "
        "the network, or an ONNX file of it",
    ),
    ".safetensors": "this file has weights, but not the layers that they belong to: import the code of the "
    "network, and start its training from these weights (cnnstudio train --weights)",
    **dict.fromkeys((".npz", ".npy"), "arrays do not say which layers a network has: import its code"),
    **dict.fromkeys(
        (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
        "this is an image: import the code of a network, or an ONNX file",
    ),
    ".cnn.json": "this is a design already, which can be opened and trained as it is",
}
"""What files with these endings are, and what would be right."""
MAXIMUM_NOTES = 100
_MAX_NOTE_LENGTH = 240

Language = Literal["keras", "pytorch", "onnx"]
LANGUAGES: Mapping[Language, str] = MappingProxyType({"keras": "Keras", "pytorch": "PyTorch", "onnx": "ONNX"})
"""Language -> its name for people."""


@dataclass(frozen=True, order=True)
class Note:
    """A part of the code that was not imported exactly, in one sentence; `line` counts from 1."""

    line: int
    text: str


@dataclass(frozen=True)
class ImportedDesign:
    """A design read from code, and the training settings in the code, with the keys of a recipe file."""

    network: Network
    recipe: Mapping[str, Any]
    notes: tuple[Note, ...]
    language: Language
    networks: tuple[str, ...] = ()
    """The names of all networks in the code, if there are several: the one that was read comes first."""
    data: NamedData | None = None
    """The data set that the code names."""
    last_line: int = 0
    """The line of the layer that gives the scores; 0 if there is none."""

    def with_default_name(self, name: str) -> ImportedDesign:
        """The same with that name for the network, unless the code has a name for it."""
        if self.network.name != UNTITLED:
            return self
        return replace(self, network=rename(self.network, name))


@dataclass
class Notes:
    """Collects notes while code is read: without duplicates, sorted by line, and at most MAXIMUM_NOTES."""

    effort: Effort = field(default_factory=Effort)
    """What reading the code has taken so far."""
    _found: dict[Note, None] = field(default_factory=dict)

    def add(self, line: int, text: str) -> None:
        if len(self._found) < MAXIMUM_NOTES:
            self._found[Note(line, shorten(text, _MAX_NOTE_LENGTH))] = None

    def extend(self, notes: Notes) -> None:
        """Adds the notes collected there."""
        for note in notes.all():
            self.add(note.line, note.text)

    def all(self) -> tuple[Note, ...]:
        return tuple(sorted(self._found))


def unknown_network(name: str, names: Iterable[str]) -> CodeError:
    """The error for a name that is not one of the code's networks, whose names it lists."""
    listed = ", ".join(names)
    return CodeError(f"there is no network “{name}” in the code" + (f"; there is {listed}" if listed else ""))


def read_text(path: Path) -> str:
    """The code in a file: of a notebook, that of its code cells. Raises CodeError.

    Files of whole models are not opened: they can contain programs.
    """
    for ending, reason in _NO_CODE.items():
        if path.name.lower().endswith(ending):
            raise CodeError(f"{path.name}: {reason}")
    is_notebook = path.suffix.lower() == NOTEBOOK
    try:
        # A character takes at most four bytes in UTF-8.
        most = MAXIMUM_BYTES if is_notebook else 4 * MAXIMUM_CHARACTERS
        text = read_regular(path, most).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise CodeError(f"{path.name}: this is not UTF-8 text, so it is not Python code") from None
    except OSError as error:
        too_long = f"the notebook is larger than {format_bytes(MAXIMUM_BYTES)}" if is_notebook else TOO_LONG
        reason = too_long if error.errno == errno.EFBIG else f"the file cannot be read ({error.strerror})"
        raise CodeError(f"{path.name}: {reason}") from None
    try:
        return code_of_notebook(text) if is_notebook else text
    except CodeError as error:
        raise CodeError(f"{path.name}: {error}") from None


def parse(text: str) -> ast.Module:
    """The syntax tree of a program. Raises CodeError, with the line of a syntax error."""
    check_length(text)
    if not text.strip():
        raise CodeError("there is no code")
    plain = textwrap.dedent(text.lstrip("\ufeff"))
    try:
        try:
            return ast.parse(plain)
        except SyntaxError:
            return ast.parse(without_commands(plain))
    except SyntaxError as error:
        raise CodeError(f"line {error.lineno or 1}: this is not Python ({_reason(error)})") from None
    except (RecursionError, MemoryError):
        raise CodeError("brackets or operators are nested too deeply") from None
    except ValueError:
        raise CodeError("this is not Python: it contains characters that source code cannot have") from None


def _reason(error: SyntaxError) -> str:
    return shorten((error.msg or "invalid syntax").rstrip("."), 80)


def comments(text: str) -> list[tuple[int, str]]:
    """(line, text) of the comments of a program, up to the first error."""
    found: list[tuple[int, str]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(textwrap.dedent(text)).readline):
            if token.type == tokenize.COMMENT:
                found.append((token.start[0], token.string.lstrip("# ")))
    except (tokenize.TokenError, SyntaxError):
        pass
    return found
