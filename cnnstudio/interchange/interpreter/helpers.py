"""Recognizes the helper classes and functions that exported code contains, when it is read back."""

from __future__ import annotations

import ast
import sys
from functools import cache

from cnnstudio.layers.catalog import layer_types


def helper_name(node: ast.ClassDef | ast.FunctionDef) -> str:
    """The name of the definition if it is one of the layers' helpers, up to documentation; else empty.

    A definition that only has the name of a helper, but other code, is somebody else's class and must not be
    taken for the layer.
    """
    return node.name if is_helper(node.name) and _dump(node) in _helpers()[node.name] else ""


def is_helper(name: str) -> bool:
    """Whether there is a helper of that name."""
    return name in _helpers()


@cache
def _helpers() -> dict[str, set[str]]:
    """Name -> the syntax trees of the helpers of that name, as text."""
    layer_types()
    found: dict[str, set[str]] = {}
    for name, module in list(sys.modules.items()):
        if not name.startswith("cnnstudio.layers."):
            continue
        for variable, value in vars(module).items():
            if variable.endswith("_HELPER") and isinstance(value, str):
                for node in ast.parse(value).body:
                    if isinstance(node, ast.ClassDef | ast.FunctionDef):
                        found.setdefault(node.name, set()).add(_dump(node))
    return found


def _dump(node: ast.AST) -> str:
    """The syntax tree as text, without docstrings: files of earlier versions word them differently."""
    copy = ast.parse(ast.unparse(node))
    for each in ast.walk(copy):
        if isinstance(each, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(each) is not None:
            each.body = each.body[1:] or [ast.Pass()]
    return ast.dump(copy)
