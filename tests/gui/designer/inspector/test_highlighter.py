"""Syntax highlighting of Python code."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QTextDocument

from cnnstudio.gui.designer.inspector.highlighter import PythonHighlighter
from cnnstudio.gui.theme.theme import theme


def colored(code: str, token: str) -> list[str]:
    """The pieces of the code that have the color of a token."""
    document = QTextDocument(code)
    highlighter = PythonHighlighter(document)
    highlighter.rehighlight()
    pieces = []
    block = document.begin()
    while block.isValid():
        pieces += [
            block.text()[part.start : part.start + part.length]
            for part in block.layout().formats()
            if part.format.foreground().color() == theme().color(token)
        ]
        block = block.next()
    return pieces


@pytest.mark.parametrize(
    ("code", "token", "pieces"),
    [
        ("for x in range(3):", "accent", ["for", "in"]),
        ("form = inner", "accent", []),
        ("nn.Conv2d(3, 1_000, 0.5, eps=1e-05)", "core", ["3", "1_000", "0.5", "1e-05"]),
        ('name = "a \\" b" + \'c\'', "good", ['"a \\" b"', "'c'"]),
        ("x = 1  # for 2", "secondary", ["# for 2"]),
        ('x = "# no comment"', "secondary", []),
        ('"""One line."""\nx = 1', "secondary", ['"""One line."""']),
        ('"""Several\nfor 3\n"""\nx = 1', "secondary", ['"""Several', "for 3", '"""']),
    ],
)
def test_code_is_colored_by_kind(qapp: object, code: str, token: str, pieces: list[str]) -> None:
    assert colored(code, token) == pieces


def test_code_after_a_docstring_is_highlighted_as_code(qapp: object) -> None:
    assert colored('"""Several\nlines"""\nreturn 7', "core") == ["7"]
