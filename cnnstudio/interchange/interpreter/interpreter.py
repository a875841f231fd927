"""Follows a program's statements as far as its layers depend on them. Nothing of the program is ever run.

The readers say what calls of libraries mean by overriding the `on_…` methods.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cnnstudio.interchange.interpreter.evaluator import Evaluator
from cnnstudio.interchange.interpreter.syntax import loaded
from cnnstudio.interchange.interpreter.values import (
    NOTHING,
    Class,
    Function,
    Instance,
    Returned,
    Scope,
    is_known,
    truth,
)
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Name, Unknown


class Interpreter(Evaluator):
    """Executes statements on values."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.stars: list[str] = []
        """Modules from which everything is imported."""
        self.events = 0
        """Counts what readers care for, so that what made no difference is passed over."""

    # What readers say

    def on_class(self, node: ast.ClassDef | ast.FunctionDef) -> Any:
        """What a definition of a known helper stands for; None for any other."""
        return None

    def on_assign(self, owner: Instance, name: str, value: Any) -> None:
        """An object got an attribute."""

    def on_with(self, value: Any, node: ast.With, scope: Scope) -> Any:
        """The body of `with value:`."""
        return self.execute(node.body, scope)

    def on_loop(self, node: ast.For, values: Sequence[Any], scope: Scope) -> Any:
        """A loop over values that are known."""
        return self.unroll(node, values, scope)

    # Statements

    def execute(self, statements: Iterable[ast.stmt], scope: Scope) -> Returned | None:
        for statement in statements:
            returned = self._statement(statement, scope)
            if returned is not None:
                return returned
        return None

    def _statement(self, node: ast.stmt, scope: Scope) -> Returned | None:
        self.count_step()
        match node:
            case ast.Expr(value=value):
                self.evaluate(value, scope)
            case ast.Assign(targets=targets, value=value):
                result = self.evaluate(value, scope)
                for target in targets:
                    self.assign(target, result, scope)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.assign(target, self.evaluate(value, scope), scope)
            case ast.AugAssign():
                self._augment(node, scope)
            case ast.Import() | ast.ImportFrom():
                self._import(node, scope)
            case ast.FunctionDef():
                scope.names[node.name] = self.on_class(node) or Function(node, scope)
            case ast.ClassDef():
                scope.names[node.name] = self.on_class(node) or self._class(node, scope)
            case ast.Return(value=None):
                return Returned(None)
            case ast.Return(value=ast.expr() as value):
                return Returned(self.evaluate(value, scope))
            case ast.If():
                return self._if(node, scope)
            case ast.For():
                return self._for(node, scope)
            case ast.While():
                return self.execute(node.body, scope)
            case ast.With():
                return self._with(node, scope)
            case ast.Try():
                return self.execute([*node.body, *node.orelse, *node.finalbody], scope)
        return None

    def _if(self, node: ast.If, scope: Scope) -> Returned | None:
        test = self.evaluate(node.test, scope)
        if is_known(test):
            return self.execute(node.body if truth(test) else node.orelse, scope)
        before = self.events
        returned = self.execute(node.body, scope)
        if self.events > before:
            self.notes.add(node.lineno, "whether this is done, only the running program knows: it is drawn")
        return returned

    def _for(self, node: ast.For, scope: Scope) -> Returned | None:
        values = self.elements(self.evaluate(node.iter, scope))
        if values is None:
            self.assign(node.target, NOTHING, scope)
            return self.execute(node.body, scope)
        returned = self.on_loop(node, values, scope)
        return returned if isinstance(returned, Returned) else None

    def unroll(self, node: ast.For, values: Iterable[Any], scope: Scope) -> Returned | None:
        """The body once for each value, up to a round that changed nothing."""
        for value in values:
            before, events = dict(scope.names), self.events
            self.assign(node.target, value, scope)
            returned = self.execute(node.body, scope)
            if returned is not None:
                return returned
            if events == self.events and self._unchanged(before, node.target, scope):
                break
        return None

    def _unchanged(self, before: Mapping[str, Any], target: ast.expr, scope: Scope) -> bool:
        loop = {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
        now = {name: value for name, value in scope.names.items() if name not in loop}
        return len(now) == len(before.keys() - loop) and all(
            name in before and (value is before[name] or isinstance(value, Unknown))
            for name, value in now.items()
        )

    def _with(self, node: ast.With, scope: Scope) -> Returned | None:
        value: Any = None
        for item in node.items:
            value = self.evaluate(item.context_expr, scope)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, NOTHING, scope)
        returned = self.on_with(value, node, scope)
        return returned if isinstance(returned, Returned) else None

    def _augment(self, node: ast.AugAssign, scope: Scope) -> None:
        load = ast.copy_location(ast.BinOp(loaded(node.target), node.op, node.value), node)
        self.assign(node.target, self.evaluate(load, scope), scope)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                path = alias.name if alias.asname else alias.name.partition(".")[0]
                scope.names[alias.asname or path] = Name(path)
            return
        module = f"{node.module}." if node.module else ""
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(node.module or "")
            else:
                scope.names[alias.asname or alias.name] = Name(f"{module}{alias.name}")

    def _class(self, node: ast.ClassDef, scope: Scope) -> Class:
        inside = Scope(parent=scope)
        bases = tuple(self.evaluate(base, scope) for base in node.bases)
        self.execute(node.body, inside)
        return Class(node, scope, bases, inside.names)

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        match target:
            case ast.Name(id=name):
                scope.names[name] = value
            case ast.Attribute(value=owner, attr=name):
                found = self.evaluate(owner, scope)
                if isinstance(found, Instance):
                    found.names[name] = value
                    self.on_assign(found, name, value)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                values = self.elements(value)
                known = values is not None and len(values) == len(targets)
                for index, each in enumerate(targets):
                    self.assign(each, values[index] if known and values is not None else NOTHING, scope)
            case ast.Starred(value=inner):
                self.assign(inner, NOTHING, scope)
