"""Properties of a syntax tree that do not require evaluating its names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence


def uses_loop_variable(target: ast.expr, nodes: Iterable[ast.AST]) -> bool:
    """Whether the nodes of a loop's body read the loop variables in `target`."""
    variables = {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
    names = (each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name))
    return any(name.id in variables and isinstance(name.ctx, ast.Load) for name in names)


def read_before_assignment(body: Sequence[ast.stmt]) -> dict[str, bool]:
    """For each name in the statements, whether it is read before it is assigned."""
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


def assigned_names(body: Sequence[ast.stmt]) -> set[str]:
    """The names that the statements assign."""
    nodes = (node for statement in body for node in ast.walk(statement))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def has_required_arguments(node: ast.ClassDef | ast.FunctionDef) -> bool:
    """Whether a function, or the `__init__` of a class, has parameters without a default."""
    if isinstance(node, ast.ClassDef):
        inits = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
        return any(len(init.args.args) - 1 > len(init.args.defaults) for init in inits)
    return len(node.args.args) > len(node.args.defaults)


def is_static(node: ast.FunctionDef | ast.Lambda) -> bool:
    """Whether the function is decorated as a static method."""
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    return any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in decorators)


def bare_string(statement: ast.stmt) -> str | None:
    """The text of a statement that is only a string literal, like a docstring; else None."""
    match statement:
        case ast.Expr(ast.Constant(str(text))):
            return text
    return None


def as_load(target: ast.expr) -> ast.expr:
    """The target of an assignment, as an expression that reads it."""
    match target:
        case ast.Name(id=name):
            return ast.copy_location(ast.Name(name, ast.Load()), target)
        case ast.Attribute(value=value, attr=attr):
            return ast.copy_location(ast.Attribute(value, attr, ast.Load()), target)
    return target


def tree_height(node: ast.AST) -> int:
    """The depth of a tree, counted up to 20."""
    height, level = 0, [node]
    while level and height < 20:
        level = [child for each in level for child in ast.iter_child_nodes(each)]
        height += 1
    return height


def parameter_names(node: ast.FunctionDef | ast.Lambda) -> list[str]:
    """The names of a function's parameters, without `*args` and `**kwargs`."""
    declared = node.args
    return [each.arg for each in (*declared.posonlyargs, *declared.args, *declared.kwonlyargs)]
