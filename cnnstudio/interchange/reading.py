"""Code of Keras or PyTorch as a design: finds out which of the two it is, and reads it. Nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Callable

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.keras.reader import read_keras
from cnnstudio.interchange.pytorch.reader import read_pytorch
from cnnstudio.interchange.source import Imported, Language, Note, parse

__all__ = ["CodeError", "Imported", "Language", "Note", "language_of", "read_code"]

_KERAS = {"Sequential", "Conv2D", "Dense", "MaxPooling2D", "Flatten", "keras", "layers"}
_PYTORCH = {"Module", "Conv2d", "Linear", "MaxPool2d", "forward", "nn", "torch"}


def read_code(text: str) -> Imported:
    """The design in a listing. Raises CodeError, with the line where one is to blame."""
    language = language_of(text)
    if language is None:
        raise CodeError("there is neither Keras nor PyTorch in it, so no network can be read from it")
    readers: dict[Language, Callable[[str], Imported]] = {"keras": read_keras, "pytorch": read_pytorch}
    try:
        return readers[language](text)
    except RecursionError:
        raise CodeError("what the code makes stands too deep in itself, so this cannot be read") from None


def language_of(text: str) -> Language | None:
    """Which library the code speaks of; its imports decide, and where it has none, its names."""
    nodes = list(ast.walk(parse(text)))
    imported = {
        alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {(node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    keras, torch = bool(imported & {"keras", "tensorflow", "tf_keras"}), "torch" in imported
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    for_keras, for_torch = len(names & _KERAS), len(names & _PYTORCH)
    if keras == torch:
        keras, torch = for_keras > for_torch, for_torch >= for_keras > 0 or for_torch > for_keras
    return "keras" if keras else "pytorch" if torch else None
