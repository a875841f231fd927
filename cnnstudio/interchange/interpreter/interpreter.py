"""Interprets a program's statements as far as its layers depend on them, without running it.

Listings come from the web and from strangers, and importing or executing one would run whatever it contains.
So the syntax tree is interpreted, with values of this package: no module is imported, no function of the
program's or of a library's is called, and no attribute of a real object is accessed. `exec`, `open` or
`__import__` in the listing are just names without a meaning.

The interpreter also has to work for incomplete code. Data sets are missing, conditions depend on the command
line, and calls go to libraries that are not installed. What cannot be evaluated becomes `Unknown`, and
interpretation continues: an unknown condition or iterable is followed once, as if true, because layers are
usually created there.

Assuming true is a guess, and may pick the wrong one of two variants. So it is reported, with its line, where
layers depend on it, and the numbers and texts that such a statement assigns become `Unknown` after it: a
layer that uses them says so.

Subclasses, the readers for Keras and PyTorch, override the `on_…` methods to say what library calls mean.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cnnstudio.interchange.interpreter import folding
from cnnstudio.interchange.interpreter.assignments import Assignments
from cnnstudio.interchange.interpreter.calls import UNKNOWN_EXIT
from cnnstudio.interchange.interpreter.graph import SymbolicTensor
from cnnstudio.interchange.interpreter.methods import CHANGING
from cnnstudio.interchange.interpreter.syntax import (
    is_path,
    leaves,
    only_raises,
    operands,
    reads_mode,
    uses_loop_variable,
)
from cnnstudio.interchange.interpreter.values import (
    REST,
    UNKNOWN,
    Class,
    Exit,
    Function,
    Instance,
    Jump,
    ReturnValue,
    Scope,
    is_known,
    is_plain,
    truth,
)
from cnnstudio.layers.code import Unknown, is_same_value

_UNKNOWN_COUNT = "how often this loop runs is only known at run time; what is in it is imported once"
_UNKNOWN_CONDITION = "this condition is only known at run time; it is assumed to be true"
_ONLY_IN_USE = "what is only done in use, and not in training, is not imported"
_STEPS_WITHOUT_EFFECT = 10_000
"""The most steps of a loop without any effect on the network, such as training."""


class Interpreter(Assignments):
    """Interprets statements."""

    # Overridden by readers

    def on_with(self, value: Any, node: ast.With, scope: Scope) -> Any:
        """Interprets the body of `with value:`."""
        return self.execute(node.body, scope)

    def on_loop(self, node: ast.For, values: Sequence[Any], scope: Scope) -> Any:
        """Interprets a loop over known values."""
        return self.unroll(node, values, scope)

    # Statements

    def execute(self, statements: Sequence[ast.stmt], scope: Scope) -> Exit | None:
        for index, statement in enumerate(statements):
            ended = self._statement(statement, scope)
            if ended is not None:
                if isinstance(statement, ast.If):
                    self.on_not_taken(statement.test, statements[index + 1 :], scope)
                return ended
        return None

    def _statement(self, node: ast.stmt, scope: Scope) -> Exit | None:
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
                self.augment(node, scope)
            case ast.Import() | ast.ImportFrom():
                self.import_names(node, scope)
            case ast.FunctionDef():
                self._define(node, scope)
            case ast.ClassDef():
                scope.assign(node.name, self.on_class(node) or self._class(node, scope))
            case ast.Return(value=None):
                return ReturnValue(None)
            case ast.Return(value=ast.expr() as value):
                return ReturnValue(self.evaluate(value, scope))
            case ast.Break():
                return Jump("break", node.lineno)
            case ast.Continue():
                return Jump("continue", node.lineno)
            case ast.Raise():
                return Jump("raise", node.lineno)
            case ast.If():
                return self._if(node, scope)
            case ast.For():
                return self._for(node, scope)
            case ast.While():
                return self._while(node, scope)
            case ast.With():
                return self._with(node, scope)
            case ast.Try():
                return self._try(node, scope)
            case ast.Match():
                return self._match(node, scope)
            case ast.Global(names=names):
                scope.elsewhere |= dict.fromkeys(names, scope.module())
            case ast.Nonlocal(names=names):
                self.declare_nonlocal(names, scope)
            case ast.Delete(targets=targets):
                self.delete(targets, scope)
        # Whatever else there is (assert, pass) is skipped.
        return None

    def _define(self, node: ast.FunctionDef, scope: Scope) -> None:
        function = self.on_class(node) or self.function(node, scope)
        for decorator in node.decorator_list:
            given = decorator.args if isinstance(decorator, ast.Call) else []
            owners = [
                each
                for each in (self.evaluate(argument, scope) for argument in given)
                if isinstance(each, Class)
            ]
            if owners and isinstance(function, Function):
                # `@add_to_class(Net)`: a method that is written outside of its class.
                self.set_attribute(owners[0], node.name, function)
                return
        scope.assign(node.name, function)

    def _try(self, node: ast.Try, scope: Scope) -> Exit | None:
        ended = self.execute([*node.body, *node.orelse], scope)
        if isinstance(ended, Jump) and ended.kind == "raise" and node.handlers:
            ended = self.execute(node.handlers[0].body, scope)
        last = self.execute(node.finalbody, scope)
        return last or ended

    def _match(self, node: ast.Match, scope: Scope) -> Exit | None:
        """`match` over constants, as a chain of `if`; other patterns are not known to match or not."""
        subject = self.evaluate(node.subject, scope)
        for case in node.cases:
            matches = self._matches(case.pattern, subject, scope)
            if matches and case.guard is not None:
                matches = truth(self.evaluate(case.guard, scope))
            if matches is None:
                return self._undecided_branch(case.body, [], node.lineno, scope)
            if matches:
                return self.execute(case.body, scope)
        return None

    def _matches(self, pattern: ast.pattern, subject: Any, scope: Scope) -> bool | None:
        match pattern:
            case ast.MatchAs(pattern=None, name=name):
                if name is not None:
                    scope.assign(name, subject)
                return True
            case ast.MatchValue(value=value):
                expected = self.evaluate(value, scope)
                known = folding.is_constant(subject) and folding.is_constant(expected)
                return bool(subject == expected) if known else None
            case ast.MatchSingleton(value=expected):
                return subject is expected if is_known(subject) else None
            case ast.MatchOr(patterns=patterns):
                found = [self._matches(each, subject, scope) for each in patterns]
                return True if True in found else None if None in found else False
        return None

    # Conditions

    def _if(self, node: ast.If, scope: Scope) -> Exit | None:
        test = truth(self.evaluate(node.test, scope))
        if test is None:
            return self._undecided_branch(node.body, node.orelse, node.lineno, scope)
        taken, other = (node.body, node.orelse) if test else (node.orelse, node.body)
        self.on_not_taken(node.test, other, scope)
        return self.execute(taken, scope)

    def on_not_taken(self, test: ast.expr, nodes: Sequence[ast.AST], scope: Scope) -> None:
        if reads_mode(test) and self._may_create(nodes, scope):
            self.notes.add(test.lineno, _ONLY_IN_USE)

    def _undecided_branch(
        self, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], line: int, scope: Scope
    ) -> Exit | None:
        """Interprets the first of two branches, of which it is not known which one is taken."""
        # The other branch is not interpreted at all. To interpret both would create the layers of both.
        if only_raises(body):
            return self.execute(orelse, scope)  # a check of arguments, which a listing passes
        before = self.effects
        other = self._may_create(orelse, scope)
        self.undecided_depth += 1
        ended = self.execute(body, scope)
        self.undecided_depth -= 1
        if self.effects > before or other:
            self.notes.add(line, _UNKNOWN_CONDITION)
        elif leaves([*body, *orelse], (ast.Return, ast.Break, ast.Continue)):
            self.undecided_exits.append(line)
        self.forget([*body, *orelse], scope)
        return ended

    def undecided(self, node: ast.IfExp, scope: Scope) -> Any:
        before = self.effects
        other_creates = self._may_create([node.orelse], scope)
        value = self.evaluate(node.body, scope)
        if self.effects > before or other_creates:
            self.notes.add(node.lineno, _UNKNOWN_CONDITION)
            return value
        other = self.evaluate(node.orelse, scope)
        if value is other or (folding.is_constant(value) and is_same_value(value, other)):
            return value
        if is_plain(value) or is_plain(other) or not is_known(value) or not is_known(other):
            return UNKNOWN
        self.notes.add(node.lineno, _UNKNOWN_CONDITION)
        return value

    def _may_create(self, nodes: Iterable[ast.AST], scope: Scope) -> bool:
        """Whether these statements, which are not interpreted, would add to the network."""
        for node in nodes:
            for each in ast.walk(node):
                if isinstance(each, ast.Call) and isinstance(each.func, ast.Name | ast.Attribute):
                    self.count_step()
                    if self._callee_creates(each.func, scope):
                        return True
                elif any(is_path(one) and self._is_tensor(one, scope) for one in operands(each)):
                    return True
        return False

    def _is_tensor(self, node: ast.expr, scope: Scope) -> bool:
        self.count_step()
        return isinstance(self.evaluate(node, scope), SymbolicTensor)

    def _callee_creates(self, node: ast.expr, scope: Scope, depth: int = 0) -> bool:
        if not is_path(node):
            return False
        function = self.evaluate(node, scope)
        if isinstance(function, Function):
            body = function.node.body if isinstance(function.node, ast.FunctionDef) else [function.node.body]
            return depth < 2 and any(
                self._callee_creates(each.func, function.scope, depth + 1)
                for statement in body
                for each in ast.walk(statement)
                if isinstance(each, ast.Call)
            )
        return self.creates_layers(function)

    def forget(self, nodes: Sequence[ast.AST], scope: Scope) -> None:
        """Makes the plain values unknown that these statements assign, and the lists that they change."""
        for each in (each for node in nodes for each in ast.walk(node)):
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                if is_plain(scope.names.get(each.id, UNKNOWN)):
                    scope.assign(each.id, Unknown(each.id))
            elif isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store) and is_path(each):
                owner = self.evaluate(each.value, scope)
                if isinstance(owner, Instance) and is_plain(owner.names.get(each.attr, UNKNOWN)):
                    owner.names[each.attr] = Unknown(each.attr)
            elif (
                isinstance(each, ast.Call)
                and isinstance(each.func, ast.Attribute)
                and each.func.attr in CHANGING
            ):
                changed = self.evaluate(each.func.value, scope) if is_path(each.func.value) else None
                if (
                    isinstance(changed, list)
                    and is_plain(changed)
                    and not any(one is REST for one in changed)
                ):
                    changed.append(REST)

    # Loops

    def _for(self, node: ast.For, scope: Scope) -> Exit | None:
        iterated = self.evaluate(node.iter, scope)
        values = self.elements(iterated)
        if values is None:
            self.assign(node.target, self.on_element(iterated), scope)
            return self._once(node.body, node.lineno, scope)
        ended = self.on_loop(node, values, scope)
        if isinstance(ended, Jump) and ended.kind == "break":
            return None
        return ended if isinstance(ended, Exit) else self.execute(node.orelse, scope)

    def _once(self, body: Sequence[ast.stmt], line: int, scope: Scope) -> Exit | None:
        """Interprets the body of a loop once, whose number of iterations is not known."""
        before = self.effects
        ended = self.execute(body, scope)
        if self.effects > before:
            self.notes.add(line, _UNKNOWN_COUNT)
        self.forget(body, scope)
        if isinstance(ended, ReturnValue):
            self.undecided_exits.append(line)
        return None if isinstance(ended, Jump) and ended.kind != "raise" else ended

    def _while(self, node: ast.While, scope: Scope) -> Exit | None:
        steps, effects = self.effort.steps, self.effects
        while True:
            test = truth(self.evaluate(node.test, scope))
            if test is None:
                return self._once(node.body, node.lineno, scope)
            if not test:
                return self.execute(node.orelse, scope)
            before, changes, added = dict(scope.names), self.changes, self.effects
            exits = len(self.undecided_exits)
            ended = self.execute(node.body, scope)
            if isinstance(ended, Jump) and ended.kind == "break":
                return None
            if isinstance(ended, ReturnValue) or (isinstance(ended, Jump) and ended.kind == "raise"):
                return ended
            # Without a change it would go on for ever: what ends it is not known.
            endless = changes == self.changes and self._unchanged(before, [], scope)
            undecided = len(self.undecided_exits) > exits
            if endless or undecided or self._is_too_long(steps, effects):
                if self.effects > added:
                    self.notes.add(
                        node.lineno,
                        _UNKNOWN_COUNT,
                    )
                self.forget(node.body, scope)
                return None

    def unroll(self, node: ast.For, values: Iterable[Any], scope: Scope) -> Exit | None:
        """Interprets the body once for each value, until an iteration changes nothing.

        Further iterations could then change nothing either, unless they depend on the loop variable. A
        training loop of 10,000 steps is thus left after the first. Returns a `break` of the loop as well.
        """
        # Bounded by MAXIMUM_STEPS, too, but a training loop within a long listing must not use up the steps.
        depends = uses_loop_variable(node.target, node.body)
        variables = [name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)]
        steps, effects = self.effort.steps, self.effects
        for value in values:
            before, events = dict(scope.names), (self.effects, self.changes)
            exits = len(self.undecided_exits)
            self.assign(node.target, value, scope)
            ended = self.execute(node.body, scope)
            if isinstance(ended, ReturnValue) or (isinstance(ended, Jump) and ended.kind != "continue"):
                return ended
            if len(self.undecided_exits) > exits:
                self._report_undecided_exits(exits, events[0])
            same = events == (self.effects, self.changes) and self._unchanged(before, variables, scope)
            if same and not depends:
                break
            if self._is_too_long(steps, effects):
                self.forget([node.target, *node.body], scope)
                break
        return None

    def _report_undecided_exits(self, first: int, effects: int) -> None:
        """Reports conditions that may have left a loop, if there are layers in the loop."""
        if self.effects > effects:
            for line in self.undecided_exits[first:]:
                self.notes.add(line, UNKNOWN_EXIT)
            del self.undecided_exits[first:]

    def _is_too_long(self, steps: int, effects: int) -> bool:
        """Whether a loop has taken its share of the steps without any effect on the network."""
        return self.effects == effects and self.effort.steps - steps > _STEPS_WITHOUT_EFFECT

    def _unchanged(self, before: Mapping[str, Any], variables: Sequence[str], scope: Scope) -> bool:
        # By identity: comparing values could take long. A new Unknown counts as unchanged, because it is as
        # unknown as the one before; every call that is not understood makes one.
        now = {name: value for name, value in scope.names.items() if name not in variables}
        return len(now) == len(before.keys() - set(variables)) and all(
            name in before and (value is before[name] or isinstance(value, Unknown))
            for name, value in now.items()
        )

    def _with(self, node: ast.With, scope: Scope) -> Exit | None:
        value: Any = None
        for item in node.items:
            value = self.evaluate(item.context_expr, scope)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, UNKNOWN, scope)
        ended = self.on_with(value, node, scope)
        return ended if isinstance(ended, Exit) else None

    def _class(self, node: ast.ClassDef, scope: Scope) -> Class:
        inside = Scope(parent=scope, is_class=True)
        bases = tuple(self.evaluate(base, scope) for base in node.bases)
        self.execute(node.body, inside)
        return Class(node, scope, bases, inside.names)
