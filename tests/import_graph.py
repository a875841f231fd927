"""The imports of the package as a graph, read from the source without importing anything."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

Graph = Mapping[str, frozenset[str]]
"""Module -> modules of the package that it imports."""


@cache
def import_graph(root: Path, package: str = "cnnstudio") -> Graph:
    """All imports below `root / package`, including those for type annotations and inside functions."""
    files = {_module(path.relative_to(root)): path for path in sorted((root / package).rglob("*.py"))}
    return {
        name: imports_of(path.read_text(encoding="utf-8"), files) - {name} for name, path in files.items()
    }


def imports_of(source: str, known: Collection[str]) -> frozenset[str]:
    """What a module with that source imports of the known modules."""
    return frozenset(_imports(source, known))


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(source: str, known: Collection[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                name = full if full in known else node.module
                if name in known:
                    yield name


def cycles(graph: Graph) -> list[list[str]]:
    """The sets of modules that import each other in a cycle: strongly connected components of two or more.

    Tarjan, Depth-first search and linear graph algorithms (1972).
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for target in sorted(graph[module]):
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            start = stack.index(module)
            component = sorted(stack[start:])
            del stack[start:]
            if len(component) > 1:
                found.append(component)

    for module in graph:
        if module not in index:
            visit(module)
    return found
