"""Follows the expressions of a program, and its calls. Nothing of the program is ever run.

Names stand for values of this package's own making: plain constants, what is imported (`Name`), calls of
that (`Call`), the program's own functions and classes, and `Unknown` for everything else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cnnstudio.core.parameters import shorten
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.interpreter import folding
from cnnstudio.interchange.interpreter.built_ins import BUILT_INS, call_list
from cnnstudio.interchange.interpreter.syntax import height, is_static, uses
from cnnstudio.interchange.interpreter.values import (
    NOTHING,
    TOO_MUCH,
    Bound,
    Class,
    Copies,
    Function,
    Instance,
    Returned,
    Scope,
    Super,
    expanded,
    is_known,
    truth,
)
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Call, Name, Unknown

MAXIMUM_STEPS = 300_000
"""Statements and expressions that are followed before reading gives up; a listing takes some thousands."""
MAXIMUM_CALLS = 40
"""Functions of the program inside one another."""
MAXIMUM_NESTING = 150
"""Expressions inside one another."""


class Evaluator:
    """Gives the values of expressions. `notes` takes what cannot be followed."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.module = Scope({"__name__": "__main__"})
        self._steps = 0
        self._calls = 0
        self._nesting = 0

    def execute(self, statements: Iterable[ast.stmt], scope: Scope) -> Returned | None:
        """Follows the statements; what a `return` among them gives."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Binds a name, an attribute of an object, or several of them to the elements of a value."""
        raise NotImplementedError

    # What readers say

    def on_name(self, name: str) -> Any:
        """A name that the program does not define."""
        return Unknown(name)

    def on_call(self, call: Call, direct: bool) -> Any:
        """A call of something imported. `direct`: its first argument was made in the same expression."""
        return call

    def on_apply(self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int,
                 direct: bool) -> Any:  # fmt: skip  # one line more than it reads well in
        """A call of a value that is neither imported nor a function of the program."""
        return NOTHING

    def on_method(self, owner: Any, name: str, positional: Sequence[Any], keywords: Mapping[str, Any],
                  line: int) -> Any:  # fmt: skip  # the same
        """A call of a method of such a value."""
        return NOTHING

    def on_binary(self, sign: ast.operator, left: Any, right: Any, line: int) -> Any:
        """An operation on values that are no constants."""
        return NOTHING

    def on_attribute(self, owner: Any, name: str) -> Any:
        """An attribute of a value that is no object of the program."""
        return Bound(owner, name)

    def on_instance(self, instance: Instance) -> None:
        """An object of a class of the program was made."""

    def on_library_init(self, instance: Instance, positional: Sequence[Any], line: int) -> None:
        """The library's `__init__` of an object, called with these arguments."""

    # Expressions

    def count_step(self) -> None:
        """One more statement or expression. Raises CodeError after very many."""
        self._steps += 1
        if self._steps > MAXIMUM_STEPS:
            raise CodeError(TOO_MUCH)

    def evaluate(self, node: ast.expr, scope: Scope) -> Any:
        """The value of an expression; Unknown where it cannot be known."""
        self.count_step()
        if self._nesting > MAXIMUM_NESTING:
            raise CodeError("expressions stand too deep in each other, so this cannot be read")
        self._nesting += 1
        try:
            return self._expression(node, scope)
        except folding.NotConstant:
            return self._unknown(node)
        finally:
            self._nesting -= 1

    def _unknown(self, node: ast.expr) -> Unknown:
        # Writing a deep tree out is as deep as the tree itself.
        small = isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.BinOp)
        return Unknown(shorten(ast.unparse(node)) if small and height(node) < 20 else "")

    def _expression(self, node: ast.expr, scope: Scope) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                try:
                    return scope.find(name)
                except KeyError:
                    return self.on_name(name)
            case ast.Attribute():
                return self._attribute(node, scope)
            case ast.Call():
                return self._call(node, scope)
            case ast.Tuple(elts=elements):
                return tuple(self._elements(elements, scope))
            case ast.List(elts=elements):
                return self._elements(elements, scope)
            case ast.Dict():
                return self._dict(node, scope)
            case ast.BinOp(left=left, op=sign, right=right):
                return self._binary(node, sign, self.evaluate(left, scope), self.evaluate(right, scope))
            case ast.UnaryOp(op=unary_sign, operand=operand):
                return folding.unary(unary_sign, self.evaluate(operand, scope))
            case ast.Compare():
                return self._compare(node, scope)
            case ast.BoolOp():
                return self._bool(node, scope)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                known = self.evaluate(test, scope)
                return self.evaluate(orelse if is_known(known) and not truth(known) else body, scope)
            case ast.Subscript():
                return self._subscript(node, scope)
            case ast.ListComp() | ast.GeneratorExp():
                return self._comprehension(node, scope)
            case ast.Lambda():
                return Function(node, scope)
            case ast.JoinedStr():
                return self._text(node, scope)
            case ast.NamedExpr(target=target, value=inner):
                result = self.evaluate(inner, scope)
                self.assign(target, result, scope)
                return result
        raise folding.NotConstant

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        owner = self.evaluate(node.value, scope)
        return self.attribute(owner, node.attr)

    def attribute(self, owner: Any, name: str) -> Any:
        """`owner.name`."""
        match owner:
            case Name(path=path):
                return Name(f"{path}.{name}")
            case Instance() if name in owner.names:
                return owner.names[name]
            case Instance():
                value, home = owner.kind.find(name)
                if isinstance(value, Function):
                    return Function(value.node, value.scope, owner, home)
                return Bound(owner, name) if value is None else value
            case Class():
                return owner.find(name)[0]
            case Unknown(text=text):
                return Unknown(f"{text}.{name}" if text else "")
        return self.on_attribute(owner, name)

    def _elements(self, nodes: Sequence[ast.expr], scope: Scope) -> list[Any]:
        """The values of a list's elements, those behind a star put in."""
        result: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                inner = self.evaluate(node.value, scope)
                result += inner if isinstance(inner, list | tuple) else [Unknown("*")]
            else:
                result.append(self.evaluate(node, scope))
        return result

    def _dict(self, node: ast.Dict, scope: Scope) -> dict[Any, Any]:
        keys = [self.evaluate(key, scope) for key in node.keys if key is not None]
        if len(keys) < len(node.keys) or not all(isinstance(key, str | int) for key in keys):
            raise folding.NotConstant
        return dict(zip(keys, [self.evaluate(value, scope) for value in node.values], strict=True))

    def _binary(self, node: ast.expr, sign: ast.operator, left: Any, right: Any) -> Any:
        try:
            return folding.binary(sign, left, right)
        except folding.NotConstant:
            return self.on_binary(sign, left, right, node.lineno)

    def _compare(self, node: ast.Compare, scope: Scope) -> bool:
        left = self.evaluate(node.left, scope)
        for sign, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(comparator, scope)
            if not is_known(left) or not is_known(right):
                raise folding.NotConstant
            if not folding.compare(sign, left, right):
                return False
            left = right
        return True

    def _bool(self, node: ast.BoolOp, scope: Scope) -> Any:
        result: Any = None
        for each in node.values:
            result = self.evaluate(each, scope)
            if not is_known(result):
                return result
            if truth(result) == isinstance(node.op, ast.Or):
                break
        return result

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        owner = self.evaluate(node.value, scope)
        if isinstance(node.slice, ast.Slice):
            values = self.elements(owner)
            bounds = [node.slice.lower, node.slice.upper, node.slice.step]
            parts = [None if each is None else self.evaluate(each, scope) for each in bounds]
            if values is None or not all(part is None or isinstance(part, int) for part in parts):
                raise folding.NotConstant
            return list(values[slice(*parts)])
        index = self.evaluate(node.slice, scope)
        if isinstance(owner, dict) and isinstance(index, str | int) and index in owner:
            return owner[index]
        values = self.elements(owner)
        if values is None or not isinstance(index, int) or not -len(values) <= index < len(values):
            raise folding.NotConstant
        return values[index]

    def _text(self, node: ast.JoinedStr, scope: Scope) -> str:
        parts: list[str] = []
        for each in node.values:
            plain = not isinstance(each, ast.FormattedValue) or each.format_spec is None
            value = self.evaluate(each.value if isinstance(each, ast.FormattedValue) else each, scope)
            if not plain or not isinstance(value, str | int | float):
                raise folding.NotConstant
            parts.append(str(value))
        return "".join(parts)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp, scope: Scope) -> Any:
        if len(node.generators) != 1 or node.generators[0].ifs:
            raise folding.NotConstant
        generator = node.generators[0]
        source = self.evaluate(generator.iter, scope)
        values = self.elements(source)
        if values is None:
            raise folding.NotConstant
        inside = Scope(parent=scope)
        if isinstance(source, range) and not uses(generator.target, [node.elt]):
            return [Copies(self.evaluate(node.elt, inside), len(source))] if len(source) else []
        result = []
        for value in values:
            self.assign(generator.target, value, inside)
            result.append(self.evaluate(node.elt, inside))
        return result

    def elements(self, value: Any) -> Sequence[Any] | None:
        """What a loop over the value goes through; None where that is not known."""
        if isinstance(value, list | tuple):
            return list(expanded(value))
        if isinstance(value, range | str):
            return value
        return list(value) if isinstance(value, dict) else None

    # Calls

    def _call(self, node: ast.Call, scope: Scope) -> Any:
        function = self.evaluate(node.func, scope)
        if isinstance(function, Unknown) and isinstance(node.func, ast.Name):
            built_in = self._built_in(node, scope)
            if built_in is not None:
                return built_in
        positional = self._elements(node.args, scope)
        keywords = {word.arg: self.evaluate(word.value, scope) for word in node.keywords if word.arg}
        direct = bool(node.args) and isinstance(node.args[0], ast.Call | ast.BinOp)
        return self.call(function, positional, keywords, node.lineno, direct)

    def call(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        """`function(*positional, **keywords)`."""
        match function:
            case Name(path=path):
                return self.on_call(Call(path, tuple(positional), keywords, line), direct)
            case Function():
                return self._call_function(function, positional, keywords)
            case Class():
                return self._instantiate(function, positional, keywords, line)
            case Bound(owner=Super() as owner, name=name):
                return self._call_super(owner, name, positional, keywords, line)
            case Bound(owner=list() as owner, name=name):
                return call_list(owner, name, positional)
            case Bound(owner=dict() as owner, name="items"):
                return list(owner.items())
            case Bound(owner=dict() as owner, name="values"):
                return list(owner.values())
            case Bound(owner=owner, name=name):
                return self.on_method(owner, name, positional, keywords, line)
            case Unknown():
                return NOTHING
        return self.on_apply(function, positional, keywords, line, direct)

    def _call_function(
        self, function: Function, positional: Sequence[Any], keywords: Mapping[str, Any]
    ) -> Any:
        self._calls += 1
        nesting, self._nesting = self._nesting, 0
        try:
            if self._calls > MAXIMUM_CALLS:
                raise CodeError("functions call each other too deep, so this cannot be read")
            inside = Scope(self._arguments(function, positional, keywords), function.scope)
            if isinstance(function.node, ast.Lambda):
                return self.evaluate(function.node.body, inside)
            if any(isinstance(each, ast.Yield) for each in ast.walk(function.node)):
                return NOTHING
            returned = self.execute(function.node.body, inside)
            return returned.value if returned else None
        finally:
            self._calls -= 1
            self._nesting = nesting

    def _arguments(
        self, function: Function, positional: Sequence[Any], keywords: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The names that a function's body finds its arguments under."""
        declared = function.node.args
        names = [each.arg for each in (*declared.posonlyargs, *declared.args)]
        if function.owner is not None:
            static = is_static(function.node)
            positional = positional if static else [function.owner, *positional]
        found: dict[str, Any] = {"__class__": function.home, "__self__": function.owner}
        defaults = dict(zip(names[len(names) - len(declared.defaults) :], declared.defaults, strict=True))
        defaults |= {
            argument.arg: default
            for argument, default in zip(declared.kwonlyargs, declared.kw_defaults, strict=True)
            if default is not None
        }
        for name in [*names, *(each.arg for each in declared.kwonlyargs)]:
            default = defaults.get(name)
            found[name] = self.evaluate(default, function.scope) if default is not None else Unknown(name)
        found |= dict(zip(names, positional, strict=False))
        found |= {name: value for name, value in keywords.items() if name in found}
        if declared.vararg is not None:
            found[declared.vararg.arg] = tuple(positional[len(names) :])
        if declared.kwarg is not None:
            found[declared.kwarg.arg] = {name: value for name, value in keywords.items() if name not in found}
        return found

    def _instantiate(
        self, kind: Class, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Instance:
        instance = Instance(kind, line)
        method = self.attribute(instance, "__init__")
        if isinstance(method, Function):
            self._call_function(method, positional, keywords)
        else:
            self.on_library_init(instance, positional, line)
        self.on_instance(instance)
        return instance

    def _call_super(
        self, owner: Super, name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        for base in owner.home.bases:
            if isinstance(base, Class):
                value, home = base.find(name)
                if isinstance(value, Function):
                    return self._call_function(
                        Function(value.node, value.scope, owner.owner, home), positional, keywords
                    )
        if name == "__init__":
            self.on_library_init(owner.owner, positional, line)
            return None
        return self.on_method(owner.owner, name, positional, keywords, line)

    def _built_in(self, node: ast.Call, scope: Scope) -> Any:
        """A call of one of Python's own functions; None for any other, or where it cannot be known."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "super":
            try:
                return Super(scope.find("__self__"), scope.find("__class__"))
            except KeyError:
                return None
        if name not in BUILT_INS or node.keywords:
            return None
        arguments = self._elements(node.args, scope)
        if not all(map(is_known, arguments)):
            return None
        try:
            return BUILT_INS[name](self.elements, *arguments)
        except (TypeError, ValueError, ArithmeticError):
            return None
