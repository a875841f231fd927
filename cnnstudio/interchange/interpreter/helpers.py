"""The classes and functions that written code brings along: read back, they are known for what they are."""

from __future__ import annotations

import ast
import sys
from functools import cache

from cnnstudio.layers.catalog import layer_types


def helper_name(node: ast.ClassDef | ast.FunctionDef) -> str:
    """The name of the definition if it is one of a layer's own helpers, to the letter; else empty."""
    return node.name if node.name in _sources() and ast.dump(node) in _sources()[node.name] else ""


def is_helper(name: str) -> bool:
    """Whether a helper is called so."""
    return name in _sources()


@cache
def _sources() -> dict[str, set[str]]:
    """Name -> the syntax trees of the helpers of that name."""
    layer_types()
    found: dict[str, set[str]] = {}
    for name, module in list(sys.modules.items()):
        if not name.startswith("cnnstudio.layers."):
            continue
        for variable, value in vars(module).items():
            if variable.endswith("_HELPER") and isinstance(value, str):
                for node in ast.parse(value).body:
                    if isinstance(node, ast.ClassDef | ast.FunctionDef):
                        found.setdefault(node.name, set()).add(ast.dump(node))
    return found
