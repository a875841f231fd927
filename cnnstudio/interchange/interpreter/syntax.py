"""Properties of a syntax tree that do not require evaluating its names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache


def uses_loop_variable(target: ast.expr, nodes: Iterable[ast.AST]) -> bool:
    """Whether the nodes of a loop's body read the loop variables in `target`."""
    variables = {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
    names = (each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name))
    return any(name.id in variables and isinstance(name.ctx, ast.Load) for name in names)


def reads_mode(node: ast.AST) -> bool:
    """Whether an expression depends on whether the network trains: `not self.training`, `training`."""
    names = (getattr(each, "attr", getattr(each, "id", "")) for each in ast.walk(node))
    return "training" in names


def operands(node: ast.AST) -> Sequence[ast.expr]:
    """What a calculation calculates with: `x` and `2` in `x * 2` and in `x *= 2`."""
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.AugAssign(target=target, value=value):
            return [as_load(target), value]
        case ast.UnaryOp(operand=operand):
            return [operand]
    return []


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


@lru_cache(maxsize=4096)
def decorator_names(node: ast.FunctionDef | ast.ClassDef | ast.Lambda) -> frozenset[str]:
    """The decorators by the last part of their names: `dataclass` for `@dataclasses.dataclass`."""
    found: set[str] = set()
    for decorator in () if isinstance(node, ast.Lambda) else node.decorator_list:
        each = decorator.func if isinstance(decorator, ast.Call) else decorator
        found.add(
            each.attr if isinstance(each, ast.Attribute) else each.id if isinstance(each, ast.Name) else ""
        )
    return frozenset(found)


def is_static(node: ast.FunctionDef | ast.Lambda) -> bool:
    """Whether the function is decorated as a static method."""
    return "staticmethod" in decorator_names(node)


@lru_cache(maxsize=4096)
def is_generator(node: ast.FunctionDef) -> bool:
    """Whether calling the function gives an iterator over what it yields."""
    return any(isinstance(each, ast.Yield) for each in _walk_function(node))


def is_named_tuple(node: ast.ClassDef) -> bool:
    """Whether objects of the class are tuples with named elements."""
    names = [getattr(base, "attr", getattr(base, "id", "")) for base in node.bases]
    return "NamedTuple" in names


def field_names(node: ast.ClassDef) -> list[str]:
    """The fields with which objects of a dataclass or named tuple are created; none for other classes."""
    if "dataclass" not in decorator_names(node) and not is_named_tuple(node):
        return []
    fields = (each.target for each in node.body if isinstance(each, ast.AnnAssign))
    return [field.id for field in fields if isinstance(field, ast.Name)]


@lru_cache(maxsize=4096)
def returns_tuple(node: ast.FunctionDef | ast.Lambda) -> bool:
    """Whether the function has a `return a, b`."""
    returned = (each.value for each in _walk_function(node) if isinstance(each, ast.Return))
    return any(isinstance(value, ast.Tuple) and len(value.elts) > 1 for value in returned)


def leaves(nodes: Iterable[ast.AST], kinds: tuple[type[ast.stmt], ...]) -> bool:
    """Whether the statements may end by one of these: `return`, `break`, `continue`."""
    return any(isinstance(each, kinds) for node in nodes for each in _walk_function(node))


def _walk_function(node: ast.AST) -> Iterator[ast.AST]:
    """The node and everything in it, without the functions and classes that are defined in it."""
    pending = [node]
    while pending:
        each = pending.pop()
        yield each
        pending += [
            child
            for child in ast.iter_child_nodes(each)
            if not isinstance(child, ast.FunctionDef | ast.ClassDef | ast.Lambda)
        ]


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


def only_raises(body: Sequence[ast.stmt]) -> bool:
    """Whether the statements end with an error, as where arguments are checked."""
    return isinstance(body[-1], ast.Raise)


def is_path(node: ast.expr) -> bool:
    """Whether this is a name, or an attribute of a name, which can be evaluated without any effect."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)
