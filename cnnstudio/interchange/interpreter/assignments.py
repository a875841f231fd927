"""Interprets the statements that change what names, attributes and items stand for."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from cnnstudio.interchange.interpreter import folding
from cnnstudio.interchange.interpreter.arguments import Namespace
from cnnstudio.interchange.interpreter.calls import Calls
from cnnstudio.interchange.interpreter.syntax import as_load
from cnnstudio.interchange.interpreter.values import (
    REST,
    UNKNOWN,
    BoundMethod,
    Class,
    Instance,
    Scope,
    is_known,
)
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Name


class Assignments(Calls):
    """Assigns to targets, in every way in which Python has them."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.star_imports: list[str] = []
        """Modules from which all names are imported (`from … import *`)."""

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        match target:
            case ast.Name(id=name):
                if name in scope.elsewhere and is_known(value):
                    self.changes += 1
                scope.assign(name, value)
            case ast.Attribute(value=owner, attr=name):
                found = self.evaluate(owner, scope)
                if isinstance(found, Instance | Class):
                    self.set_attribute(found, name, value)
                elif isinstance(found, Namespace):
                    self.changes += is_known(value)
                    found.names[name] = value
                else:
                    self.on_assign_attribute(found, name, value, target.lineno)
            case ast.Subscript(value=owner, slice=index):
                self.assign_item(
                    self.evaluate(owner, scope), self.evaluate(index, scope), value, target.lineno
                )
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                self._unpack(targets, value, scope)
            case ast.Starred(value=inner):
                self.assign(inner, UNKNOWN, scope)

    def assign_item(self, owner: Any, index: Any, value: Any, line: int) -> None:
        """`owner[index] = value`; REST as the value deletes the item."""
        self.changes += is_known(value)
        match owner:
            case dict() if isinstance(index, str | int | float | bool | None):
                if value is REST:
                    owner.pop(index, None)
                else:
                    owner[index] = value
            case list() if isinstance(index, int) and -len(owner) <= index < len(owner):
                if value is REST:
                    del owner[index]
                else:
                    owner[index] = value
            case list():
                owner.append(REST)  # of what is in it now, nothing is known
            case _:
                self.on_assign_item(owner, index, value, line)

    def _unpack(self, targets: Sequence[ast.expr], value: Any, scope: Scope) -> None:
        values = self.elements(value)
        starred = [index for index, each in enumerate(targets) if isinstance(each, ast.Starred)]
        if values is None and not starred:
            values = self.on_unpack(value, len(targets))
        if values is not None and len(starred) == 1 and len(values) >= len(targets) - 1 <= 1_000:
            first, after = starred[0], len(targets) - starred[0] - 1
            middle = values[first : len(values) - after]
            if isinstance(middle, list) and len(middle) <= folding.MAX_LENGTH:
                inner = targets[first]
                assert isinstance(inner, ast.Starred)
                self.assign(inner.value, middle, scope)
                values = [*values[:first], *values[len(values) - after :]]
                targets = [each for each in targets if each is not inner]
        known = values is not None and len(values) == len(targets)
        for index, each in enumerate(targets):
            self.assign(each, values[index] if known and values is not None else UNKNOWN, scope)

    def augment(self, node: ast.AugAssign, scope: Scope) -> None:
        """`target += value` and the like."""
        left = self.evaluate(as_load(node.target), scope)
        right = self.evaluate(node.value, scope)
        values = self.elements(right) if isinstance(left, list) and isinstance(node.op, ast.Add) else None
        if values is not None:
            # In Python, too, the list itself grows, for whoever else has it.
            added = right if isinstance(right, list | tuple) else list(values)
            self.call(BoundMethod(left, "extend"), [added], {}, node.lineno, False)
            return
        if isinstance(left, list) and isinstance(node.op, ast.Add):
            left.append(REST)
            return
        value = self.binary(node, node.op, left, right)
        self.on_augment(left, value)
        self.assign(node.target, value, scope)

    def delete(self, targets: Sequence[ast.expr], scope: Scope) -> None:
        """`del target`."""
        for target in targets:
            match target:
                case ast.Name(id=name):
                    scope.names.pop(name, None)
                case ast.Attribute(value=value, attr=attr):
                    owner = self.evaluate(value, scope)
                    if isinstance(owner, Instance):
                        owner.names.pop(attr, None)
                        self.changes += 1
                case ast.Subscript(value=value, slice=index):
                    self.assign_item(
                        self.evaluate(value, scope), self.evaluate(index, scope), REST, target.lineno
                    )

    def declare_nonlocal(self, names: Sequence[str], scope: Scope) -> None:
        """`nonlocal name`."""
        for name in names:
            try:
                owner = scope.parent.owner_of(name) if scope.parent else scope
            except KeyError:
                continue
            scope.elsewhere[name] = owner

    def import_names(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        """`import path` and `from path import name`: nothing is imported, the names stand for the paths."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import torch.nn` binds only `torch`; the attribute access adds the rest to the path.
                path = alias.name if alias.asname else alias.name.partition(".")[0]
                scope.names[alias.asname or path] = Name(path)
            return
        module = f"{node.module}." if node.module else ""
        for alias in node.names:
            if alias.name == "*":
                self.star_imports.append(node.module or "")
            else:
                scope.names[alias.asname or alias.name] = Name(f"{module}{alias.name}")
