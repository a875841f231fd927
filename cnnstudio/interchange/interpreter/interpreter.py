"""Interprets a program's statements as far as its layers depend on them, without running it.

Listings come from the web and from strangers, and importing or executing one would run whatever it contains.
So the syntax tree is interpreted, with values of this package: no module is imported, no function of the
program's or of a library's is called, and no attribute of a real object is accessed. `exec`, `open` or
`__import__` in the listing are just names without a meaning.

The interpreter also has to work for incomplete code. Data sets are missing, conditions depend on the command
line, and calls go to libraries that are not installed. What cannot be evaluated becomes `Unknown`, and
interpretation continues: an unknown condition or iterable is followed once, as if true, because layers are
usually created there.

Assuming true is a guess, and may pick the wrong one of two variants. It is reported where layers depend on
it, and the user sees the design before using it.

Subclasses, the readers for Keras and PyTorch, override the `on_…` methods to say what library calls mean.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cnnstudio.interchange.interpreter.evaluator import Evaluator
from cnnstudio.interchange.interpreter.syntax import as_load
from cnnstudio.interchange.interpreter.values import (
    UNKNOWN,
    Class,
    Function,
    Instance,
    ReturnValue,
    Scope,
    is_known,
    is_truthy,
)
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Name, Unknown


class Interpreter(Evaluator):
    """Interprets statements."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.star_imports: list[str] = []
        """Modules from which all names are imported (`from … import *`)."""
        self.effects = 0
        """Counts what matters for the network, such as created layers. A loop ends as soon as an iteration
        has no effect, and an unknown condition without an effect needs no note."""

    # Overridden by readers

    def on_class(self, node: ast.ClassDef | ast.FunctionDef) -> Any:
        """The value of a definition of a known helper; None for any other definition."""
        return None

    def on_assign(self, owner: Instance, name: str, value: Any) -> None:
        """Called after an attribute of an object was set."""

    def on_with(self, value: Any, node: ast.With, scope: Scope) -> Any:
        """Interprets the body of `with value:`."""
        return self.execute(node.body, scope)

    def on_loop(self, node: ast.For, values: Sequence[Any], scope: Scope) -> Any:
        """Interprets a loop over known values."""
        return self.unroll(node, values, scope)

    # Statements

    def execute(self, statements: Iterable[ast.stmt], scope: Scope) -> ReturnValue | None:
        for statement in statements:
            returned = self._statement(statement, scope)
            if returned is not None:
                return returned
        return None

    def _statement(self, node: ast.stmt, scope: Scope) -> ReturnValue | None:
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
                return ReturnValue(None)
            case ast.Return(value=ast.expr() as value):
                return ReturnValue(self.evaluate(value, scope))
            case ast.If():
                return self._if(node, scope)
            case ast.For():
                return self._for(node, scope)
            # Once, without looking at the condition: it mostly depends on what is not known here, such as a
            # loss.
            case ast.While():
                return self.execute(node.body, scope)
            case ast.With():
                return self._with(node, scope)
            case ast.Try():
                # The handlers are for errors, which do not occur here.
                return self.execute([*node.body, *node.orelse, *node.finalbody], scope)
        # Whatever else there is (del, assert, raise, global, pass) is skipped. So are `break` and `continue`:
        # a loop over known values always runs to its end.
        return None

    def _if(self, node: ast.If, scope: Scope) -> ReturnValue | None:
        test = self.evaluate(node.test, scope)
        if is_known(test):
            return self.execute(node.body if is_truthy(test) else node.orelse, scope)
        # The other branch is not interpreted at all. To interpret both would create the layers of both.
        before = self.effects
        returned = self.execute(node.body, scope)
        if self.effects > before:
            self.notes.add(node.lineno, "this condition is only known at run time; it is assumed to be true")
        return returned

    def _for(self, node: ast.For, scope: Scope) -> ReturnValue | None:
        iterated = self.evaluate(node.iter, scope)
        values = self.elements(iterated)
        # Once, like an unknown condition: a loop over the batches of a data set, for example.
        if values is None:
            self.assign(node.target, self.on_element(iterated), scope)
            return self.execute(node.body, scope)
        returned = self.on_loop(node, values, scope)
        return returned if isinstance(returned, ReturnValue) else None

    def unroll(self, node: ast.For, values: Iterable[Any], scope: Scope) -> ReturnValue | None:
        """Interprets the body once for each value, until an iteration changes nothing.

        Further iterations could then change nothing either, unless they depend on the loop variable. A
        training loop of 10,000 steps is thus left after the first.
        """
        # Bounded by MAXIMUM_STEPS, too, but a training loop within a long listing must not use up the steps.
        for value in values:
            before, events = dict(scope.names), self.effects
            self.assign(node.target, value, scope)
            returned = self.execute(node.body, scope)
            if returned is not None:
                return returned
            if events == self.effects and self._unchanged(before, node.target, scope):
                break
        return None

    def _unchanged(self, before: Mapping[str, Any], target: ast.expr, scope: Scope) -> bool:
        # By identity: comparing values could take long. A new Unknown counts as unchanged, because it is as
        # unknown as the one before; every call that is not understood makes one. What this misses are changes
        # inside a list, so that a loop that only appends numbers to a list is left after its first iteration.
        loop_variables = {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
        now = {name: value for name, value in scope.names.items() if name not in loop_variables}
        return len(now) == len(before.keys() - loop_variables) and all(
            name in before and (value is before[name] or isinstance(value, Unknown))
            for name, value in now.items()
        )

    def _with(self, node: ast.With, scope: Scope) -> ReturnValue | None:
        value: Any = None
        for item in node.items:
            value = self.evaluate(item.context_expr, scope)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, UNKNOWN, scope)
        returned = self.on_with(value, node, scope)
        return returned if isinstance(returned, ReturnValue) else None

    def _augment(self, node: ast.AugAssign, scope: Scope) -> None:
        # `x += y` is read as `x = x + y`. That makes a new list where Python changes the old one, which
        # matters only to listings that keep a second name for it.
        load = ast.copy_location(ast.BinOp(as_load(node.target), node.op, node.value), node)
        self.assign(node.target, self.evaluate(load, scope), scope)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
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
                # A starred target takes any number, so that the lengths differ: then all are unknown.
                known = values is not None and len(values) == len(targets)
                for index, each in enumerate(targets):
                    self.assign(each, values[index] if known and values is not None else UNKNOWN, scope)
            case ast.Starred(value=inner):
                self.assign(inner, UNKNOWN, scope)
