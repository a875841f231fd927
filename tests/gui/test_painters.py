"""An exception does not leave a pixmap or an image that is still painted: Qt ends the process for that.

The names of a function are forgotten in the order of their first use, so the pixmap goes before its painter.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import cnnstudio.gui

PACKAGE = Path(cnnstudio.gui.__file__).parent


def unguarded_painters(source: str) -> Iterator[str]:
    """The painters that no `with` ends, of what is not a widget, which its frames do not own."""
    if "QPainter(" not in source:
        return
    tree = ast.parse(source)
    ended = {
        id(item.context_expr) for node in ast.walk(tree) if isinstance(node, ast.With) for item in node.items
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or id(node) in ended:
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "QPainter":
            device = ast.unparse(node.args[0]) if node.args else ""
            if device != "self" and not device.endswith(".viewport()"):
                yield f"QPainter({device})"


def test_painters_of_pixmaps_are_ended_by_a_with_statement() -> None:
    found = {path: list(unguarded_painters(path.read_text("utf-8"))) for path in PACKAGE.rglob("*.py")}
    assert {path: painters for path, painters in found.items() if painters} == {}


def test_a_painter_without_a_with_statement_is_found() -> None:
    source = "p = QPainter(pixmap)\nwith QPainter(image) as q:\n    r = QPainter(self.viewport())"
    assert list(unguarded_painters(source)) == ["QPainter(pixmap)"]
