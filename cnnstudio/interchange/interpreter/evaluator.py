"""Evaluates a program's expressions and function calls, without running it.

A value is one of: a plain Python constant, list, tuple or dict; something imported (`Name`); a call of
something imported (`Call`); a function, class or object of the program itself (`Function`, `Class`,
`Instance`); or `Unknown` for everything else. Calls of the program's own functions are interpreted, because
listings create layers in helper functions; calls of libraries are only recorded, and the readers say what
they mean.

Listings may be malicious or just large. The limits below bound the depth of recursion, `folding` the size of
single values, and `Effort` the time and the number of elements of all values, so that any text is read or
refused within seconds and a few hundred megabytes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cnnstudio.core.parameters import shorten
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.effort import TOO_COMPLEX
from cnnstudio.interchange.interpreter import folding
from cnnstudio.interchange.interpreter.built_ins import BUILT_INS, call_list_method
from cnnstudio.interchange.interpreter.syntax import is_static, tree_height, uses_loop_variable
from cnnstudio.interchange.interpreter.values import (
    UNKNOWN,
    BoundMethod,
    Class,
    Copies,
    Function,
    Instance,
    ReturnValue,
    Scope,
    SuperProxy,
    expand_copies,
    is_known,
    is_truthy,
)
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Call, Name, Unknown

MAXIMUM_CALLS = 40
"""The deepest nesting of calls of the program's functions."""
MAXIMUM_NESTING = 150
"""The deepest nesting of expressions."""
_MAXIMUM_SIZE = 20_000
"""The most elements of a list, including those of lists inside it: as many as a design has layers."""
_MAXIMUM_PATH = 1_000
"""The longest name with dots, in characters."""


class Evaluator:
    """Evaluates expressions. What cannot be evaluated is reported to `notes`."""

    # Why three limits: steps bound the time, while calls and nesting bound Python's own stack, each from
    # another side. What gets through in combination ends in a RecursionError, which `read_code` reports like
    # a limit.

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.module = Scope({"__name__": "__main__"})
        self.effort = notes.effort
        self._is_generator: dict[ast.AST, bool] = {}
        self._calls = 0
        self._nesting = 0

    def execute(self, statements: Iterable[ast.stmt], scope: Scope) -> ReturnValue | None:
        """Interprets the statements; returns the value of a `return` among them, else None."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Assigns to a name or an attribute, or unpacks a value into several of them."""
        raise NotImplementedError

    # Overridden by readers

    def on_name(self, name: str) -> Any:
        """The value of a name that the program does not define."""
        return Unknown(name)

    def on_call(self, call: Call, direct: bool) -> Any:
        """The value of a call of something imported.

        `direct`: the first argument is itself a call or operation, as in `relu(a + b)`.
        """
        return call

    def on_apply(self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int,
                 direct: bool) -> Any:  # fmt: skip  # two lines are easier to read than nine
        """The value of calling anything else, such as a layer object."""
        return UNKNOWN

    def on_method(self, owner: Any, name: str, positional: Sequence[Any], keywords: Mapping[str, Any],
                  line: int) -> Any:  # fmt: skip  # as above
        """The value of calling a method of such a value."""
        return UNKNOWN

    def on_binary(self, operator: ast.operator, left: Any, right: Any, line: int) -> Any:
        """The value of an operation on values that are not constants."""
        return UNKNOWN

    def on_attribute(self, owner: Any, name: str) -> Any:
        """The value of an attribute of something that is not an object of the program."""
        return BoundMethod(owner, name)

    def on_unknown_call(self, positional: Sequence[Any], line: int) -> Any:
        """The value of calling something that is not known, with these arguments."""
        return UNKNOWN

    def on_element(self, value: Any) -> Any:
        """One of the values that iterating over something yields whose length is not known."""
        return UNKNOWN

    def on_subscript(self, owner: Any, index: ast.expr, scope: Scope) -> Any:
        """`owner[index]` for something that is not a list or dict of the program."""
        return UNKNOWN

    def on_instance(self, instance: Instance) -> None:
        """Called after an object of one of the program's classes was created."""

    def on_library_init(self, instance: Instance, positional: Sequence[Any], line: int) -> None:
        """Called for `__init__` of a library's base class, with its arguments."""

    # Expressions

    def count_step(self) -> None:
        """Counts one statement or expression. Raises CodeError if there are too many."""
        self.effort.count_step()

    def evaluate(self, node: ast.expr, scope: Scope) -> Any:
        """The value of an expression; Unknown if it cannot be evaluated.

        Raises CodeError at a limit; code that is merely not understood gives Unknown.
        """
        self.count_step()
        if self._nesting > MAXIMUM_NESTING:
            raise CodeError("the expressions are nested too deeply")
        self._nesting += 1
        # NotConstant is caught at each level, so that only the smallest part that is not understood becomes
        # Unknown: in `[conv, augment()]` the list is still known.
        try:
            value = self._expression(node, scope)
            if isinstance(value, list | tuple | dict) and not isinstance(node, ast.Name | ast.Attribute):
                self._require_limited_size(value)
            return value
        except folding.NotConstant:
            return self._unknown(node)
        finally:
            self._nesting -= 1

    def _require_limited_size(self, value: Any) -> None:
        size = folding.nested_size(value, _MAXIMUM_SIZE)
        self.effort.count_elements(size)
        if size > _MAXIMUM_SIZE:
            raise CodeError(TOO_COMPLEX)

    def _unknown(self, node: ast.expr) -> Unknown:
        # ast.unparse recurses as deep as the tree, and long expressions do not help in a message.
        small = isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.BinOp)
        if not small or tree_height(node) >= 20:
            return UNKNOWN
        text = ast.unparse(node)
        self.effort.count_elements(len(text))
        return Unknown(shorten(text))

    def _expression(self, node: ast.expr, scope: Scope) -> Any:
        match node:
            case ast.Constant(value=value):
                if not folding.is_readable(value):
                    raise folding.NotConstant
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
            case ast.BinOp(left=left, op=operator, right=right):
                return self._binary(node, operator, self.evaluate(left, scope), self.evaluate(right, scope))
            case ast.UnaryOp(op=unary_operator, operand=operand):
                return folding.fold_unary(unary_operator, self.evaluate(operand, scope))
            case ast.Compare():
                return self._compare(node, scope)
            case ast.BoolOp():
                return self._bool(node, scope)
            # Like an `if` statement: an unknown test counts as true.
            case ast.IfExp(test=test, body=body, orelse=orelse):
                known = self.evaluate(test, scope)
                return self.evaluate(orelse if is_known(known) and not is_truthy(known) else body, scope)
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
                return Name(f"{path}.{name}") if len(path) + len(name) < _MAXIMUM_PATH else UNKNOWN
            # In Python's order: the object, its class, its bases. `__getattr__` and properties are not
            # supported; a property is found as a function that nobody calls.
            case Instance() if name in owner.names:
                return owner.names[name]
            case Instance():
                value, defining_class = owner.kind.find(name)
                if isinstance(value, Function):
                    return Function(value.node, value.scope, owner, defining_class)
                return BoundMethod(owner, name) if value is None else value
            case Class():
                return owner.find(name)[0]
            case Unknown(text=text):
                return Unknown(f"{text}.{name}" if text and len(text) + len(name) < _MAXIMUM_PATH else "")
        return self.on_attribute(owner, name)

    def _elements(self, nodes: Sequence[ast.expr], scope: Scope) -> list[Any]:
        """The values of a list's elements, with starred ones unpacked."""
        result: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                inner = self.evaluate(node.value, scope)
                # One Unknown for any number of elements, so that the list is not taken for complete.
                added = inner if isinstance(inner, list | tuple) else [Unknown("*")]
                self.effort.count_elements(len(added))
                if len(result) + len(added) > _MAXIMUM_SIZE:
                    raise CodeError(TOO_COMPLEX)
                result += added
            else:
                result.append(self.evaluate(node, scope))
        return result

    def _dict(self, node: ast.Dict, scope: Scope) -> dict[Any, Any]:
        keys = [self.evaluate(key, scope) for key in node.keys if key is not None]
        if len(keys) < len(node.keys) or not all(isinstance(key, str | int) for key in keys):
            raise folding.NotConstant
        return dict(zip(keys, [self.evaluate(value, scope) for value in node.values], strict=True))

    def _binary(self, node: ast.expr, operator: ast.operator, left: Any, right: Any) -> Any:
        # First as constants, then as the reader understands it: `a + b` may be a join of two tensors.
        try:
            return folding.fold_binary(operator, left, right)
        except folding.NotConstant:
            return self.on_binary(operator, left, right, node.lineno)

    def _compare(self, node: ast.Compare, scope: Scope) -> bool:
        left = self.evaluate(node.left, scope)
        for operator, comparator in zip(node.ops, node.comparators, strict=True):
            # `a < b < c`, in which b is evaluated once, as in Python.
            right = self.evaluate(comparator, scope)
            if not is_known(left) or not is_known(right):
                raise folding.NotConstant
            if not folding.fold_comparison(operator, left, right):
                return False
            left = right
        return True

    def _bool(self, node: ast.BoolOp, scope: Scope) -> Any:
        result: Any = None
        for each in node.values:
            # Unknown ends it: whether the rest would be evaluated depends on it.
            result = self.evaluate(each, scope)
            if not is_known(result):
                return result
            if is_truthy(result) == isinstance(node.op, ast.Or):
                break
        return result

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        owner = self.evaluate(node.value, scope)
        if not isinstance(owner, list | tuple | dict | str | range | Unknown):
            found = self.on_subscript(owner, node.slice, scope)
            if found is not UNKNOWN:
                return found
        if isinstance(node.slice, ast.Slice):
            values = self.elements(owner)
            bounds = [node.slice.lower, node.slice.upper, node.slice.step]
            parts = [None if each is None else self.evaluate(each, scope) for each in bounds]
            if values is None or not all(part is None or isinstance(part, int) for part in parts):
                raise folding.NotConstant
            return self._slice(values, slice(*parts))
        index = self.evaluate(node.slice, scope)
        if isinstance(owner, dict) and isinstance(index, str | int) and index in owner:
            return owner[index]
        values = self.elements(owner)
        if values is None or not isinstance(index, int) or not -len(values) <= index < len(values):
            raise folding.NotConstant
        return values[index]

    def _slice(self, values: Sequence[Any], bounds: slice) -> list[Any]:
        try:
            found = values[bounds]
        except ValueError:  # a step of zero
            raise folding.NotConstant from None
        if len(found) > _MAXIMUM_SIZE:
            raise folding.NotConstant
        return list(found)

    def _text(self, node: ast.JoinedStr, scope: Scope) -> str:
        parts: list[str] = []
        length = 0
        for each in node.values:
            plain = not isinstance(each, ast.FormattedValue) or each.format_spec is None
            value = self.evaluate(each.value if isinstance(each, ast.FormattedValue) else each, scope)
            if not plain or not isinstance(value, str | int | float):
                raise folding.NotConstant
            parts.append(str(value))
            length += len(parts[-1])
            if length > folding.MAX_LENGTH:
                raise folding.NotConstant
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
        # `[Block() for _ in range(1000)]`: one evaluation, and the readers learn that the copies are equal
        # without comparing them.
        if isinstance(source, range) and not uses_loop_variable(generator.target, [node.elt]):
            return [Copies(self.evaluate(node.elt, inside), len(source))] if len(source) else []
        result = []
        for value in values:
            self.assign(generator.target, value, inside)
            result.append(self.evaluate(node.elt, inside))
        return result

    def elements(self, value: Any) -> Sequence[Any] | None:
        """What iterating over the value yields; None if that is not known."""
        if isinstance(value, range | str):
            return value
        if not isinstance(value, list | tuple | dict):
            return None
        self.effort.count_elements(len(value))
        return list(value) if isinstance(value, dict) else list(expand_copies(value))

    # Calls

    def _call(self, node: ast.Call, scope: Scope) -> Any:
        # Built-ins come last, as in Python: a program may have a function of its own called `round`.
        function = self.evaluate(node.func, scope)
        if isinstance(function, Unknown) and isinstance(node.func, ast.Name):
            built_in = self._built_in(node, scope)
            if built_in is not None:
                return built_in
        positional = self._elements(node.args, scope)
        keywords = {word.arg: self.evaluate(word.value, scope) for word in node.keywords if word.arg}
        # Readers use it to tell an activation around a sum from an activation of a named result.
        direct = bool(node.args) and isinstance(node.args[0], ast.Call | ast.BinOp)
        return self.call(function, positional, keywords, node.lineno, direct)

    def call(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        """`function(*positional, **keywords)`."""
        self.effort.count_elements(len(positional))
        match function:
            case Name(path=path):
                return self.on_call(Call(path, tuple(positional), keywords, line), direct)
            case Function():
                return self._call_function(function, positional, keywords)
            case Class():
                return self._instantiate(function, positional, keywords, line)
            case BoundMethod(owner=SuperProxy() as owner, name=name):
                return self._call_super(owner, name, positional, keywords, line)
            case BoundMethod(owner=list() as owner, name=name):
                return call_list_method(owner, name, positional)
            case BoundMethod(owner=dict() as owner, name="items"):
                return list(owner.items())
            case BoundMethod(owner=dict() as owner, name="values"):
                return list(owner.values())
            case BoundMethod(owner=owner, name=name):
                return self.on_method(owner, name, positional, keywords, line)
            case Unknown():
                return self.on_unknown_call(positional, line)
        return self.on_apply(function, positional, keywords, line, direct)

    def _call_function(
        self, function: Function, positional: Sequence[Any], keywords: Mapping[str, Any]
    ) -> Any:
        # Recursion of the program ends at MAXIMUM_CALLS; its base case often depends on something unknown.
        # The nesting starts anew, because it is about the depth of one expression.
        self._calls += 1
        nesting, self._nesting = self._nesting, 0
        try:
            if self._calls > MAXIMUM_CALLS:
                raise CodeError("the function calls are nested too deeply")
            inside = Scope(self._arguments(function, positional, keywords), function.scope)
            if isinstance(function.node, ast.Lambda):
                return self.evaluate(function.node.body, inside)
            # A generator's body must not run when it is called, and its values are rarely layers.
            if self._is_a_generator(function.node):
                return UNKNOWN
            returned = self.execute(function.node.body, inside)
            return returned.value if returned else None
        finally:
            self._calls -= 1
            self._nesting = nesting

    def _is_a_generator(self, node: ast.FunctionDef) -> bool:
        if node not in self._is_generator:
            self._is_generator[node] = any(isinstance(each, ast.Yield) for each in ast.walk(node))
        return self._is_generator[node]

    def _arguments(
        self, function: Function, positional: Sequence[Any], keywords: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The local variables with which a function's body starts: parameter name -> value."""
        declared = function.node.args
        names = [each.arg for each in (*declared.posonlyargs, *declared.args)]
        if function.owner is not None:
            static = is_static(function.node)
            positional = positional if static else [function.owner, *positional]
        # Names that parameters do not have, for `super()`, which finds them through the scopes.
        found: dict[str, Any] = {"__class__": function.defining_class, "__self__": function.owner}
        defaults = dict(zip(names[len(names) - len(declared.defaults) :], declared.defaults, strict=True))
        defaults |= {
            argument.arg: default
            for argument, default in zip(declared.kwonlyargs, declared.kw_defaults, strict=True)
            if default is not None
        }
        for name in [*names, *(each.arg for each in declared.kwonlyargs)]:
            default = defaults.get(name)
            # Evaluated at the call and not at the definition: defaults are constants in practice. A parameter
            # that gets no value is Unknown, by its own name, instead of an error.
            found[name] = self.evaluate(default, function.scope) if default is not None else Unknown(name)
        # Too many or unknown arguments are ignored: the listing is not checked, only read.
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
        self, owner: SuperProxy, name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        for base in owner.defining_class.bases:
            if isinstance(base, Class):
                value, defining_class = base.find(name)
                if isinstance(value, Function):
                    return self._call_function(
                        Function(value.node, value.scope, owner.owner, defining_class), positional, keywords
                    )
        if name == "__init__":
            self.on_library_init(owner.owner, positional, line)
            return None
        return self.on_method(owner.owner, name, positional, keywords, line)

    def _built_in(self, node: ast.Call, scope: Scope) -> Any:
        """The value of calling a Python built-in; None for any other call, or if it cannot be evaluated."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "super":
            try:
                return SuperProxy(scope.find("__self__"), scope.find("__class__"))
            except KeyError:
                return None
        if name not in BUILT_INS or node.keywords:
            return None
        # If this gives None, `_call` evaluates the arguments once more. Nested built-ins with unknown values
        # thus take exponential time, up to MAXIMUM_STEPS.
        arguments = self._elements(node.args, scope)
        if not all(map(is_known, arguments)):
            return None
        try:
            return BUILT_INS[name](self.elements, *arguments)
        except (TypeError, ValueError, ArithmeticError):
            return None
