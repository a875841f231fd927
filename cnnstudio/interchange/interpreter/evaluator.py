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
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnnstudio.core.parameters import shorten
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.effort import TOO_COMPLEX
from cnnstudio.interchange.interpreter import folding
from cnnstudio.interchange.interpreter.arguments import Namespace
from cnnstudio.interchange.interpreter.built_ins import BUILT_INS, TYPES
from cnnstudio.interchange.interpreter.comparisons import has_identity, is_same
from cnnstudio.interchange.interpreter.hooks import Hooks
from cnnstudio.interchange.interpreter.libraries import library_constant
from cnnstudio.interchange.interpreter.syntax import (
    decorator_names,
    field_names,
    is_named_tuple,
    tree_height,
    uses_loop_variable,
)
from cnnstudio.interchange.interpreter.values import (
    REST,
    UNKNOWN,
    YIELDED,
    Class,
    Copies,
    Exit,
    Function,
    Instance,
    Scope,
    expand_copies,
    is_known,
    is_undefined,
    truth,
)
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Name, Unknown

MAXIMUM_NESTING = 150
"""The deepest nesting of expressions."""
_MAXIMUM_SIZE = 20_000
"""The most elements of a list, including those of lists inside it: as many as a design has layers."""
_MAXIMUM_PATH = 1_000
"""The longest name with dots, in characters."""
BUILT_IN = "builtins."
"""What the full names of built-ins begin with."""
INTERPRETED = frozenset({"super", "isinstance", "hasattr", "getattr", "setattr", "callable", "type", "map"})
"""The built-ins that need more than the values of their arguments."""


class Evaluator(Hooks):
    """Evaluates expressions. What cannot be evaluated is reported to `notes`."""

    # Why three limits: steps bound the time, while calls and nesting bound Python's own stack, each from
    # another side. What gets through in combination ends in a RecursionError, which `read_code` reports like
    # a limit.

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.module = Scope({"__name__": "__main__"})
        self.effort = notes.effort
        self.effects = 0
        """Counts what matters for the network, such as created layers. A loop ends as soon as an iteration
        has no effect, and an unknown condition without an effect needs no note."""
        self.changes = 0
        """Counts changes of lists, dicts and objects of the program to known values."""
        self._nesting = 0

    def execute(self, statements: Sequence[ast.stmt], scope: Scope) -> Exit | None:
        """Interprets the statements; returns how they end, None if they run to the last one."""
        raise NotImplementedError

    def undecided(self, node: ast.IfExp, scope: Scope) -> Any:
        """The value of `a if test else b` whose test is not known."""
        raise NotImplementedError

    def on_not_taken(self, test: ast.expr, nodes: Sequence[ast.AST], scope: Scope) -> None:
        """Called with what is not interpreted because of a test."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Assigns to a name or an attribute, or unpacks a value into several of them."""
        raise NotImplementedError

    def index_value(self, node: ast.expr, scope: Scope) -> Any:
        """An index or slice as a value; what is not known of it is Unknown."""
        if not isinstance(node, ast.Slice):
            return self.evaluate(node, scope)
        bounds = [node.lower, node.upper, node.step]
        return slice(*(None if each is None else self.evaluate(each, scope) for each in bounds))

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
                    return self._undefined(name)
            case ast.Attribute():
                return self._attribute(node, scope)
            case ast.Call():
                return self.call_node(node, scope)
            case ast.Tuple(elts=elements):
                return tuple(self._elements(elements, scope))
            case ast.List(elts=elements):
                return self._elements(elements, scope)
            case ast.Dict():
                return self._dict(node, scope)
            case ast.BinOp(left=left, op=operator, right=right):
                return self.binary(node, operator, self.evaluate(left, scope), self.evaluate(right, scope))
            case ast.UnaryOp(op=unary_operator, operand=operand):
                value = self.evaluate(operand, scope)
                known = truth(value) if isinstance(unary_operator, ast.Not) else None
                if known is not None:
                    return not known
                try:
                    return folding.fold_unary(unary_operator, value)
                except folding.NotConstant:
                    return self.on_unary(unary_operator, value, node.lineno)
            case ast.Compare():
                return self._compare(node, scope)
            case ast.BoolOp():
                return self._bool(node, scope)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                known = truth(self.evaluate(test, scope))
                if known is None:
                    return self.undecided(node, scope)
                taken, other = (body, orelse) if known else (orelse, body)
                self.on_not_taken(test, [other], scope)
                return self.evaluate(taken, scope)
            case ast.Subscript():
                return self._subscript(node, scope)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return self._comprehension(node, scope)
            case ast.DictComp():
                return self._dict_comprehension(node, scope)
            case ast.Set(elts=elements):
                return self._elements(elements, scope)
            case ast.Lambda():
                return self.function(node, scope)
            case ast.Yield(value=value):
                produced = self.evaluate(value, scope) if value is not None else None
                # Outside a function it is an error in Python.
                with contextlib.suppress(KeyError):
                    scope.find(YIELDED).append(produced)
                self.effort.count_elements(1)
                return UNKNOWN
            case ast.JoinedStr():
                return self._text(node, scope)
            case ast.NamedExpr(target=target, value=inner):
                result = self.evaluate(inner, scope)
                self.assign(target, result, scope)
                return result
        raise folding.NotConstant

    def _undefined(self, name: str) -> Any:
        """The value of a name that the program does not define."""
        value = self.on_name(name)
        if not is_known(value) and (name in BUILT_INS or name in TYPES or name in INTERPRETED):
            return Name(f"{BUILT_IN}{name}")
        return value

    def function(self, node: ast.FunctionDef | ast.Lambda, scope: Scope) -> Function:
        """The function that a definition makes."""
        declared = node.args
        names = [each.arg for each in (*declared.posonlyargs, *declared.args)]
        given = dict(zip(names[len(names) - len(declared.defaults) :], declared.defaults, strict=True))
        pairs = zip(declared.kwonlyargs, declared.kw_defaults, strict=True)
        given |= {argument.arg: default for argument, default in pairs if default is not None}
        return Function(
            node, scope, defaults={name: self.evaluate(each, scope) for name, each in given.items()}
        )

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        owner = self.evaluate(node.value, scope)
        return self.attribute(owner, node.attr)

    def attribute(self, owner: Any, name: str) -> Any:
        """`owner.name`."""
        match owner:
            case Name(path=path):
                constant = library_constant(f"{path}.{name}")
                if constant is not None:
                    return constant
                return Name(f"{path}.{name}") if len(path) + len(name) < _MAXIMUM_PATH else UNKNOWN
            # In Python's order: the object, its class, its bases. `__getattr__` is not supported.
            case Instance() if name in owner.names:
                return owner.names[name]
            case Instance() if name == "__class__":
                return owner.kind
            case Instance():
                return self._class_attribute(owner, owner.kind, name)
            case Class() if name == "__name__":
                return owner.node.name
            case Class():
                return self._class_attribute(None, owner, name)
            case Namespace(names=names):
                return names.get(name, Unknown(name))
            case int() | float() | str() if name == "value":
                return owner  # of a member of an enumeration
            case Unknown(text=text):
                return Unknown(f"{text}.{name}" if text and len(text) + len(name) < _MAXIMUM_PATH else "")
        return self.on_attribute(owner, name)

    def _class_attribute(self, owner: Instance | None, kind: Class, name: str) -> Any:
        value, defining_class = kind.find(name)
        if defining_class is None:
            return Unknown(f"{kind.node.name}.{name}") if owner is None else self.on_attribute(owner, name)
        if not isinstance(value, Function):
            return value
        decorators = decorator_names(value.node)
        if "staticmethod" in decorators or (owner is None and "classmethod" not in decorators):
            return value
        bound = value.bound_to(kind if "classmethod" in decorators else owner or kind, defining_class)
        if "property" in decorators or "cached_property" in decorators:
            return self.call_function(bound, [], {}, value.node.lineno)
        return bound

    def _elements(self, nodes: Sequence[ast.expr], scope: Scope) -> list[Any]:
        """The values of a list's elements, with starred ones unpacked."""
        result: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                inner = self.evaluate(node.value, scope)
                elements = list(inner) if isinstance(inner, list | tuple) else self.elements(inner)
                # REST for any number of elements, so that the list is not taken for complete.
                added = [REST] if elements is None else elements
                self.effort.count_elements(len(added))
                if len(result) + len(added) > _MAXIMUM_SIZE:
                    raise CodeError(TOO_COMPLEX)
                result += added
            else:
                result.append(self.evaluate(node, scope))
        return result

    def _dict(self, node: ast.Dict, scope: Scope) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            value = self.evaluate(value_node, scope)
            if key_node is None:
                if not isinstance(value, dict):
                    raise folding.NotConstant
                found |= value
                continue
            key = self.evaluate(key_node, scope)
            if not isinstance(key, str | int | float | bool | None):
                raise folding.NotConstant
            found[key] = value
        return found

    def binary(self, node: ast.expr | ast.stmt, operator: ast.operator, left: Any, right: Any) -> Any:
        """`left operator right`."""
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
            if not self._comparison(operator, left, right):
                return False
            left = right
        return True

    def _comparison(self, operator: ast.cmpop, left: Any, right: Any) -> bool:
        if is_undefined(left) or is_undefined(right):
            raise folding.NotConstant
        equality = isinstance(operator, ast.Eq | ast.NotEq | ast.Is | ast.IsNot)
        if equality and (has_identity(left) or has_identity(right)):
            return is_same(left, right) == isinstance(operator, ast.Eq | ast.Is)
        if (
            isinstance(operator, ast.In | ast.NotIn)
            and has_identity(left)
            and isinstance(right, list | tuple)
        ):
            if not all(map(has_identity, right)) and not folding.is_constant(right):
                raise folding.NotConstant
            return any(is_same(left, each) for each in right) == isinstance(operator, ast.In)
        return folding.fold_comparison(operator, left, right)

    def _bool(self, node: ast.BoolOp, scope: Scope) -> Any:
        # What decides it decides it at any place: `unknown and False` is false.
        deciding = isinstance(node.op, ast.Or)
        unknown: Any = None
        result: Any = None
        for each in node.values:
            result = self.evaluate(each, scope)
            known = truth(result)
            if known is deciding and unknown is None:
                return result
            if known is deciding:
                # The value before it may be another one, but is as true or false.
                return deciding if isinstance(result, bool) else UNKNOWN
            if known is None and unknown is None:
                unknown = result
        return result if unknown is None else (unknown if isinstance(unknown, Unknown) else UNKNOWN)

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        owner = self.evaluate(node.value, scope)
        if not isinstance(owner, list | tuple | dict | str | range | Unknown):
            found = self.on_subscript(owner, node.slice, scope)
            if found is not UNKNOWN:
                return found
        if isinstance(node.slice, ast.Slice):
            bounds = [node.slice.lower, node.slice.upper, node.slice.step]
            parts = [None if each is None else self.evaluate(each, scope) for each in bounds]
            values = self.elements(owner)
            if values is None or not all(part is None or isinstance(part, int) for part in parts):
                raise folding.NotConstant
            return self.slice(owner, values, slice(*parts))
        index = self.evaluate(node.slice, scope)
        if isinstance(owner, dict):
            if isinstance(index, str | int | float | bool | None) and index in owner:
                return owner[index]
            raise folding.NotConstant
        values = self.elements(owner)
        if values is None or not isinstance(index, int) or not -len(values) <= index < len(values):
            raise folding.NotConstant
        return values[index]

    def slice(self, owner: Any, values: Sequence[Any], bounds: slice) -> Any:
        """`owner[bounds]`, for an owner with these elements. Raises NotConstant."""
        try:
            found = values[bounds]
        except ValueError:  # a step of zero
            raise folding.NotConstant from None
        if len(found) > _MAXIMUM_SIZE:
            raise folding.NotConstant
        if isinstance(owner, str | range):
            return found
        return tuple(found) if isinstance(owner, tuple) else list(found)

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

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp, scope: Scope) -> Any:
        first = node.generators[0]
        # `[Block() for _ in range(1000)]`: one evaluation, and the readers learn that the copies are equal
        # without comparing them.
        if len(node.generators) == 1 and not first.ifs:
            source = self.evaluate(first.iter, scope)
            if isinstance(source, range) and not uses_loop_variable(first.target, [node.elt]):
                inside = Scope(parent=scope)
                changes = self.changes
                value = self.evaluate(node.elt, inside) if len(source) else None
                if self.changes == changes or len(source) < 2:
                    return [Copies(value, len(source))] if len(source) else []
                # Evaluating it changes something, so that the copies may differ after all.
                rest = [self.evaluate(node.elt, inside) for _ in source[1:]]
                return [value, *rest]
        return [self.evaluate(node.elt, inside) for inside in self._generate(node.generators, scope, node)]

    def _dict_comprehension(self, node: ast.DictComp, scope: Scope) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for inside in self._generate(node.generators, scope, node):
            key = self.evaluate(node.key, inside)
            if not isinstance(key, str | int | float | bool | None):
                raise folding.NotConstant
            found[key] = self.evaluate(node.value, inside)
        return found

    def _generate(
        self, generators: Sequence[ast.comprehension], scope: Scope, node: ast.expr
    ) -> Iterator[Scope]:
        """A scope with the loop variables for each element of a comprehension. Raises NotConstant."""
        if not generators:
            yield scope
            return
        first, *rest = generators
        values = self.elements(self.evaluate(first.iter, scope))
        if values is None:
            raise folding.NotConstant
        for value in values:
            self.count_step()
            inside = Scope(parent=scope)
            self.assign(first.target, value, inside)
            passed = True
            for condition in first.ifs:
                known = truth(self.evaluate(condition, inside))
                if known is None:
                    raise folding.NotConstant
                passed = passed and known
            if passed:
                yield from self._generate(rest, inside, node)

    def elements(self, value: Any) -> Sequence[Any] | None:
        """What iterating over the value yields; None if that is not known."""
        if isinstance(value, range | str):
            return value
        if isinstance(value, Instance) and is_named_tuple(value.kind.node):
            value = tuple(value.names.get(name, UNKNOWN) for name in field_names(value.kind.node))
        if not isinstance(value, list | tuple | dict):
            return None
        self.effort.count_elements(len(value))
        if any(each is REST for each in value):
            return None
        if isinstance(value, dict):
            return list(value)
        expanded = list(expand_copies(value, self.clone))
        if isinstance(value, list) and len(expanded) > len(value):
            value[:] = expanded  # so that an element is the same object each time
        return expanded

    def call(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        """`function(*positional, **keywords)`."""
        raise NotImplementedError

    def call_function(
        self, function: Function, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        """Calls a function of the program."""
        raise NotImplementedError

    def call_node(self, node: ast.Call, scope: Scope) -> Any:
        """The value of an expression that is a call."""
        raise NotImplementedError
