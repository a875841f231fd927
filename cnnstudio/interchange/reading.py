"""Reads Keras or PyTorch code as a design, without running it."""

from __future__ import annotations

import ast
import logging
from collections.abc import Callable
from dataclasses import replace

from cnnstudio.core.errors import UserError
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.effort import MAXIMUM_CHARACTERS
from cnnstudio.interchange.endings import with_classes_of_data
from cnnstudio.interchange.keras.reader import read_keras
from cnnstudio.interchange.markdown import NO_PYTHON_BLOCK, code_of_markdown, has_fences
from cnnstudio.interchange.notebooks import NOT_PYTHON
from cnnstudio.interchange.pytorch.reader import read_pytorch
from cnnstudio.interchange.source import MAXIMUM_NOTES, ImportedDesign, Language, Note, comments, parse
from cnnstudio.layers.code import UnsupportedCall

__all__ = ["CodeError", "ImportedDesign", "Language", "Note", "detect_language", "read_code"]

_log = logging.getLogger(__name__)

_KERAS_NAMES = {"Sequential", "Conv2D", "Dense", "MaxPooling2D", "Flatten", "keras", "layers"}
_PYTORCH_NAMES = {"Module", "Conv2d", "Linear", "MaxPool2d", "forward", "nn", "torch"}


def read_code(text: str, network: str = "") -> ImportedDesign:
    """The design in a listing. Raises CodeError, with the line number if a single line is the reason.

    `network` names the one to read, if the listing has several; the default is the one that it uses.
    """
    text = _without_prose(text)
    language = detect_language(text)
    if language is None:
        raise CodeError("this is neither Keras nor PyTorch code")
    readers: dict[Language, Callable[[str, str], ImportedDesign]] = {
        "keras": read_keras,
        "pytorch": read_pytorch,
    }
    try:
        imported = with_classes_of_data(readers[language](text, network))
        return _with_skipped_cells(imported, text)
    except RecursionError:
        raise CodeError("the network is nested too deeply") from None
    except UnsupportedCall as error:
        raise CodeError(f"a call in the code cannot be read: it {error}") from None
    except UserError:
        raise
    except Exception:
        # Code from anywhere may contain what no test has: the log tells, and the program goes on.
        _log.exception("Cannot read the code")
        raise CodeError("the code cannot be read: it is unlike any listing of a network") from None


def _without_prose(text: str) -> str:
    """The code in a text: of a Markdown page, that of its blocks. Raises CodeError if it has none."""
    if not has_fences(text) or len(text) > MAXIMUM_CHARACTERS:
        return text
    try:
        parse(text)
    except CodeError:
        code = code_of_markdown(text)
        if not code:
            raise CodeError("this is a text without a block of Python code") from None
        return code
    return text


def _with_skipped_cells(imported: ImportedDesign, text: str) -> ImportedDesign:
    """The design with a note on each cell of a notebook or block of a page that cannot be read."""
    marks = (NOT_PYTHON, NO_PYTHON_BLOCK)
    if not any(mark in text for mark in marks):
        return imported
    skipped = [Note(line, comment) for line, comment in comments(text) if comment in marks]
    return replace(imported, notes=tuple(sorted([*imported.notes, *skipped])[:MAXIMUM_NOTES]))


def detect_language(text: str) -> Language | None:
    """The library that the code uses, by its imports or, without any, by its names; None for neither.

    Raises CodeError if the text is not Python.
    """
    imported: set[str] = set()
    names: set[str] = set()
    for node in ast.walk(parse(text)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    keras, torch = bool(imported & {"keras", "tensorflow", "tf_keras"}), "torch" in imported
    keras_count, torch_count = len(names & _KERAS_NAMES), len(names & _PYTORCH_NAMES)
    if keras == torch:
        keras = keras_count > torch_count
        torch = torch_count >= keras_count > 0 or torch_count > keras_count
    return "keras" if keras else "pytorch" if torch else None
