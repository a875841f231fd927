"""Questions about a syntax tree that can be answered without following what its names stand for."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence


def uses(target: ast.expr, nodes: Iterable[ast.AST]) -> bool:
    """Whether a loop's body names what the loop counts with."""
    counted = {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
    names = (each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name))
    return any(name.id in counted and isinstance(name.ctx, ast.Load) for name in names)


def first_uses(body: Sequence[ast.stmt]) -> dict[str, bool]:
    """For each name in the statements, whether it is read before it is set."""
    found: dict[str, bool] = {}

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            if isinstance(node, ast.AugAssign):
                for name in ast.walk(node.target):
                    if isinstance(name, ast.Name):
                        found.setdefault(name.id, True)
            if node.value is not None:
                visit(node.value)
        if isinstance(node, ast.Name):
            found.setdefault(node.id, isinstance(node.ctx, ast.Load))
        for child in ast.iter_child_nodes(node):
            visit(child)

    for statement in body:
        visit(statement)
    return found


def stored(body: Sequence[ast.stmt]) -> set[str]:
    """The names that the statements set."""
    nodes = (node for statement in body for node in ast.walk(statement))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def needs_arguments(node: ast.ClassDef | ast.FunctionDef) -> bool:
    """Whether a function, or the __init__ of a class, has arguments without a default."""
    if isinstance(node, ast.ClassDef):
        makers = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
        return any(len(maker.args.args) - 1 > len(maker.args.defaults) for maker in makers)
    return len(node.args.args) > len(node.args.defaults)


def is_static(node: ast.FunctionDef | ast.Lambda) -> bool:
    """Whether a method does not get the object."""
    marks = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    return any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in marks)


def text_at(statement: ast.stmt) -> str | None:
    """The text that stands there for itself, as a docstring does; None where there is something else."""
    match statement:
        case ast.Expr(ast.Constant(str(text))):
            return text
    return None


def loaded(target: ast.expr) -> ast.expr:
    """The target of an assignment as an expression that reads it."""
    match target:
        case ast.Name(id=name):
            return ast.copy_location(ast.Name(name, ast.Load()), target)
        case ast.Attribute(value=value, attr=attr):
            return ast.copy_location(ast.Attribute(value, attr, ast.Load()), target)
    return target


def height(node: ast.AST) -> int:
    """How deep a tree is, as far as 20 goes."""
    height, level = 0, [node]
    while level and height < 20:
        level = [child for each in level for child in ast.iter_child_nodes(each)]
        height += 1
    return height
