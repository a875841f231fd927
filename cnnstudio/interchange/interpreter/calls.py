"""Evaluates calls: of the program's own functions and classes, of built-ins, and of what is imported."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, ClassVar

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.interpreter import folding
from cnnstudio.interchange.interpreter.arguments import ArgumentParser, Namespace
from cnnstudio.interchange.interpreter.built_ins import BUILT_INS, TYPES, call_built_in
from cnnstudio.interchange.interpreter.evaluator import BUILT_IN, Evaluator
from cnnstudio.interchange.interpreter.libraries import call_library, is_library_function
from cnnstudio.interchange.interpreter.methods import CHANGING, call_method
from cnnstudio.interchange.interpreter.syntax import field_names, is_generator
from cnnstudio.interchange.interpreter.values import (
    REST,
    UNKNOWN,
    YIELDED,
    BoundMethod,
    Class,
    Function,
    Instance,
    Jump,
    Partial,
    ReturnValue,
    Scope,
    SuperProxy,
    is_known,
    is_plain,
)
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Call, Name, Unknown

_OPERATORS: Mapping[str, type[ast.operator]] = {
    "operator.add": ast.Add,
    "operator.mul": ast.Mult,
    "operator.sub": ast.Sub,
}
MAXIMUM_CALLS = 40
"""The deepest nesting of calls of the program's functions."""
UNKNOWN_ARGUMENTS = "**"
"""In the keywords of a call: there are more, of which nothing is known."""

_ATTRIBUTE_METHODS = {"__getattr__": "getattr", "__getattribute__": "getattr", "__setattr__": "setattr"}
UNKNOWN_EXIT = "this condition is only known at run time, and what follows depends on it"


class Calls(Evaluator):
    """Evaluates expressions with calls in them."""

    library: ClassVar[str] = ""
    """What books call the library whose code is read: "pytorch" or "tensorflow"."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.undecided_exits: list[int] = []
        """Lines of unknown conditions that may have ended the function that is being interpreted earlier."""
        self.undecided_depth = 0
        """How many branches are around it of which it is not known whether they are taken."""
        self._calls = 0

    def call_node(self, node: ast.Call, scope: Scope) -> Any:
        function = self.evaluate(node.func, scope)
        positional = self._elements(node.args, scope)
        keywords: dict[str, Any] = {}
        for word in node.keywords:
            value = self.evaluate(word.value, scope)
            if word.arg is not None:
                keywords[word.arg] = value
            elif isinstance(value, dict):
                keywords |= {str(key): each for key, each in value.items()}
            else:
                keywords[UNKNOWN_ARGUMENTS] = value if isinstance(value, Unknown) else UNKNOWN
        if function == Name(f"{BUILT_IN}super"):
            return _super(positional, scope)
        # Readers use it to tell an activation around a sum from an activation of a named result.
        direct = bool(node.args) and isinstance(node.args[0], ast.Call | ast.BinOp)
        return self.call(function, positional, keywords, node.lineno, direct)

    def call(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        """`function(*positional, **keywords)`."""
        self.effort.count_elements(len(positional))
        match function:
            case Name(path=path) if path.startswith(BUILT_IN):
                return self._call_built_in(path.removeprefix(BUILT_IN), positional, keywords, line)
            case Name(path=path):
                return self._call_library(path, positional, keywords, line, direct)
            case Partial():
                merged = {**function.keywords, **keywords}
                return self.call(function.function, [*function.positional, *positional], merged, line, direct)
            case Function():
                return self.call_function(function, positional, keywords, line)
            case Class():
                return self._instantiate(function, positional, keywords, line)
            case BoundMethod(owner=SuperProxy() as owner, name=name):
                return self._call_super(owner, name, positional, keywords, line)
            case BoundMethod(owner=list() | dict() | str() as owner, name=name):
                self._count_change(name, positional)
                return call_method(owner, name, positional, keywords)
            case BoundMethod(owner=ArgumentParser() as owner, name=name):
                return owner.call(name, positional, keywords)
            case BoundMethod(owner=Instance() as owner, name=name) if name in _ATTRIBUTE_METHODS:
                name = _ATTRIBUTE_METHODS[name]
                return self._call_built_in(name, [owner, *positional], keywords, line)
            case BoundMethod(owner=owner, name=name):
                return self.on_method(owner, name, positional, keywords, line)
            case Unknown(text="tab.selected") if positional:
                # The textbook d2l.ai has a listing for each library in one; `tab` says which one is read.
                names = (each if isinstance(each, list | tuple) else [each] for each in positional)
                return any(self.library in inside for inside in names)
            case Unknown():
                return self.on_unknown_call(positional, line)
        return self.on_apply(function, positional, keywords, line, direct)

    def _count_change(self, name: str, positional: Sequence[Any]) -> None:
        # What is not known is not counted: a training loop that collects losses may end after one iteration.
        if name in CHANGING and all(map(is_known, positional)):
            self.changes += 1

    def _call_library(
        self, path: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        if is_library_function(path) and not keywords:
            if len(positional) == 1 and isinstance(positional[0], Unknown):
                return self.on_rounding(path.rpartition(".")[2], positional[0])
            return call_library(path, positional)
        operator = _OPERATORS.get(path)
        if operator is not None and len(positional) == 2:
            try:
                return folding.fold_binary(operator(), positional[0], positional[1])
            except folding.NotConstant:
                return self.on_binary(operator(), positional[0], positional[1], line)
        match path.rpartition(".")[2]:
            case "reduce" if path == "functools.reduce" and len(positional) > 1:
                return self._reduce(positional, line)
            case "partial" if positional:
                return Partial(positional[0], tuple(positional[1:]), keywords)
            case "field" if path == "dataclasses.field":
                return Call(path, tuple(positional), keywords, line)
            case "namedtuple" if len(positional) > 1:
                return self._named_tuple(positional[0], positional[1], line)
            case "chain" | "product" as name if path == f"itertools.{name}" and not keywords:
                return self._combined(name, positional)
            case "ArgumentParser":
                return ArgumentParser()
            case "Namespace" | "SimpleNamespace" if not positional:
                return Namespace(dict(keywords))
        return self.on_call(Call(path, tuple(positional), keywords, line), direct)

    def _named_tuple(self, name: Any, fields: Any, line: int) -> Any:
        """`collections.namedtuple("Size", "height width")`, as a class with these fields."""
        names = fields.replace(",", " ").split() if isinstance(fields, str) else self.elements(fields)
        if not names or not all(isinstance(each, str) and each.isidentifier() for each in (name, *names)):
            return UNKNOWN
        body = [ast.AnnAssign(ast.Name(each, ast.Store()), ast.Name("object"), None, 1) for each in names]
        node = ast.ClassDef(name, [ast.Name("NamedTuple")], [], [*body], [], lineno=line)
        return Class(node, self.module, (), {})

    def _combined(self, name: str, values: Sequence[Any]) -> Any:
        """`itertools.chain(…)` and `itertools.product(…)`."""
        lists = [self.elements(each) for each in values]
        known = [each for each in lists if each is not None]
        size = sum(map(len, known)) if name == "chain" else math.prod(map(len, known))
        if len(known) < len(lists) or size > folding.MAX_LENGTH:
            return UNKNOWN
        self.effort.count_elements(size)
        return list(itertools.chain(*known) if name == "chain" else itertools.product(*known))

    def _reduce(self, positional: Sequence[Any], line: int) -> Any:
        """`functools.reduce(function, values)`."""
        function, values, *start = positional
        elements = self.elements(values)
        if not elements:
            return start[0] if start and elements is not None else UNKNOWN
        return reduce(
            lambda one, other: self.call(function, [one, other], {}, line, False), [*start, *elements]
        )

    def call_function(
        self, function: Function, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        # Recursion of the program ends at MAXIMUM_CALLS; its base case often depends on something unknown.
        # The nesting starts anew, because it is about the depth of one expression.
        self._calls += 1
        nesting, self._nesting = self._nesting, 0
        exits, self.undecided_exits = self.undecided_exits, []
        effects = self.effects
        try:
            if self._calls > MAXIMUM_CALLS:
                raise CodeError("the function calls are nested too deeply")
            arguments = self._arguments(function, positional, keywords)
            missing = [name for name, value in arguments.items() if value == Unknown(name)]
            if missing:
                arguments |= self.on_missing_arguments(function, missing, line)
            inside = Scope(arguments, function.scope)
            if isinstance(function.node, ast.Lambda):
                return self.evaluate(function.node.body, inside)
            if is_generator(function.node):
                inside.names[YIELDED] = []
            returned = self.execute(function.node.body, inside)
            if isinstance(returned, Jump) and returned.kind == "raise":
                self.notes.add(returned.line, "the code stops here with an error, so what follows is skipped")
                return UNKNOWN
            if is_generator(function.node):
                return inside.names[YIELDED]
            value = returned.value if isinstance(returned, ReturnValue) else None
            return self._after_undecided_exits(value, effects)
        finally:
            self.undecided_exits = exits
            self._calls -= 1
            self._nesting = nesting

    def _after_undecided_exits(self, value: Any, effects: int) -> Any:
        """The result of a function that, depending on unknown conditions, may have ended elsewhere."""
        if not self.undecided_exits:
            return value
        if value is not None and is_plain(value):
            return UNKNOWN
        if self.effects > effects or _may_have_layers(value):
            for line in self.undecided_exits:
                self.notes.add(line, UNKNOWN_EXIT)
        return value

    def _arguments(
        self, function: Function, positional: Sequence[Any], keywords: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The local variables with which a function's body starts: parameter name -> value."""
        declared = function.node.args
        names = [each.arg for each in (*declared.posonlyargs, *declared.args)]
        if function.owner is not None:
            positional = [function.owner, *positional]
        # Names that parameters do not have, for `super()`, which finds them through the scopes.
        found: dict[str, Any] = {"__class__": function.defining_class, "__self__": function.owner}
        more = keywords.get(UNKNOWN_ARGUMENTS)
        for name in [*names, *(each.arg for each in declared.kwonlyargs)]:
            # A parameter that gets no value is Unknown, by its own name, instead of an error.
            found[name] = function.defaults.get(name, Unknown(name)) if more is None else Unknown(name)
        # Too many or unknown arguments are ignored: the listing is not checked, only read.
        if any(each is REST for each in positional):
            first = next(index for index, each in enumerate(positional) if each is REST)
            positional = [*positional[:first], *(Unknown(name) for name in names[first:])]
        found |= dict(zip(names, positional, strict=False))
        accepted = {*names, *(each.arg for each in declared.kwonlyargs)}
        found |= {name: value for name, value in keywords.items() if name in accepted}
        if declared.vararg is not None:
            found[declared.vararg.arg] = tuple(positional[len(names) :])
        if declared.kwarg is not None:
            found[declared.kwarg.arg] = {
                name: each for name, each in keywords.items() if name not in accepted
            }
        return found

    def _instantiate(
        self, kind: Class, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Instance:
        instance = Instance(kind, line)
        method = self.attribute(instance, "__init__")
        fields = field_names(kind.node)
        if isinstance(method, Function):
            self.call_function(method, positional, keywords, line)
        elif fields:
            defaults = {name: self._default(kind.names[name], line) for name in fields if name in kind.names}
            given = {name: each for name, each in keywords.items() if name != UNKNOWN_ARGUMENTS}
            instance.names |= {**defaults, **dict(zip(fields, positional, strict=False)), **given}
        else:
            self.on_library_init(instance, positional, keywords, line)
        self.on_instance(instance)
        return instance

    def _default(self, value: Any, line: int) -> Any:
        """The default of a field: a value, or `field(default=…)`, or `field(default_factory=…)`."""
        if not isinstance(value, Call) or value.name != "field":
            return value
        if "default_factory" in value.keywords:
            return self.call(value.keywords["default_factory"], [], {}, line, False)
        return value.keywords.get("default", UNKNOWN)

    def _call_super(
        self, proxy: SuperProxy, name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        for base in proxy.defining_class.bases:
            if isinstance(base, Class):
                value, defining_class = base.find(name)
                if isinstance(value, Function):
                    bound = value.bound_to(proxy.owner, defining_class)
                    return self.call_function(bound, positional, keywords, line)
        if name == "__init__":
            self.on_library_init(proxy.owner, positional, keywords, line)
            return None
        return self.on_method(proxy.owner, name, positional, keywords, line)

    # Built-ins

    def _call_built_in(
        self, name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        match name, list(positional):
            case "int" | "round", [Unknown() as number]:
                return self.on_rounding(name, number)
            case "isinstance", [value, kind]:
                known = self._is_instance(value, kind)
                return UNKNOWN if known is None else known
            case "hasattr", [value, str() as attribute]:
                found = self._has_attribute(value, attribute)
                return UNKNOWN if found is None else found
            case "getattr", [value, str() as attribute, *default]:
                if default and self._has_attribute(value, attribute) is False:
                    return default[0]
                return self.attribute(value, attribute)
            case "setattr", [Instance() | Class() as value, str() as attribute, assigned]:
                self.set_attribute(value, attribute, assigned)
                return None
            case "setattr", [value, str() as attribute, assigned]:
                self.on_assign_attribute(value, attribute, assigned, line)
                return None
            case "callable", [value] if is_known(value):
                return isinstance(value, Function | Class | Name | Partial | BoundMethod | Call | Instance)
            case "type", [value]:
                return self._type(value)
            case "sum", [values, *start] if not keywords:
                return self._sum(values, start, line)
            case "map", [function, values]:
                elements = self.elements(values)
                if elements is None:
                    return UNKNOWN
                return [self.call(function, [each], {}, line, False) for each in elements]
        return call_built_in(name, self.elements, positional, keywords) if name in BUILT_INS else UNKNOWN

    def _sum(self, values: Any, start: Sequence[Any], line: int) -> Any:
        """`sum(values)`, which may be tensors."""
        found = call_built_in("sum", self.elements, [values, *start], {})
        elements = self.elements(values) or ()
        if is_known(found) or not elements:
            return found
        return reduce(lambda one, other: self.on_binary(ast.Add(), one, other, line), [*start, *elements])

    def set_attribute(self, owner: Instance | Class, name: str, value: Any) -> None:
        """`owner.name = value`."""
        if is_known(value) and owner.names.get(name) is not value:
            self.changes += 1
        owner.names[name] = value
        if isinstance(owner, Instance):
            self.on_assign(owner, name, value)

    def _is_instance(self, value: Any, kind: Any) -> bool | None:
        if not is_known(value):
            return None
        if isinstance(kind, tuple | list):
            found = [self._is_instance(value, each) for each in kind]
            return True if True in found else None if None in found else False
        if isinstance(kind, Class):
            return isinstance(value, Instance) and any(each is kind for each in value.kind.lineage())
        if not isinstance(kind, Name):
            return None
        if kind.path.startswith(BUILT_IN):
            types = TYPES.get(kind.last)
            return isinstance(value, types) if types and not isinstance(value, BoundMethod) else None
        if is_plain(value):
            abstract = kind.last in ("Iterable", "Sequence", "Collection", "Sized", "Mapping", "Container")
            return isinstance(value, list | tuple | dict | str | range) if abstract else False
        return self.on_isinstance(value, kind.path)

    def _has_attribute(self, value: Any, name: str) -> bool | None:
        match value:
            case Instance():
                return (
                    True
                    if name in value.names or value.kind.find(name)[1] is not None
                    else (None if self._inherits(value, name) else False)
                )
            case Class():
                return value.find(name)[1] is not None
            case Namespace(names=names):
                return name in names
        return None

    def _inherits(self, instance: Instance, name: str) -> bool:
        """Whether an object may have an attribute from a library's class."""
        return bool(instance.kind.library_base()) and name in _LIBRARY_ATTRIBUTES

    def _type(self, value: Any) -> Any:
        match value:
            case Instance():
                return value.kind
            case Call():
                return Name(value.path)
        kind = next((name for name, types in TYPES.items() if type(value) in types), None)
        return UNKNOWN if kind is None else Name(f"{BUILT_IN}{kind}")


_LIBRARY_ATTRIBUTES = frozenset(
    {"weight", "bias", "training", "parameters", "modules", "children", "forward", "train", "eval", "call"}
    | {"state_dict", "kernel_size", "stride", "padding", "in_channels", "out_channels", "layers", "built"}
)
"""Attributes that objects of the libraries' classes may have."""


def _may_have_layers(value: Any) -> bool:
    """Whether a value is something else than plain values and values that are not known."""
    if isinstance(value, list | tuple | dict):
        inside = value.values() if isinstance(value, dict) else value
        return any(not is_plain(each) and is_known(each) for each in inside)
    return not is_plain(value) and is_known(value)


def _super(positional: Sequence[Any], scope: Scope) -> Any:
    """`super()` and `super(Class, self)`."""
    try:
        owner, defining_class = scope.find("__self__"), scope.find("__class__")
    except KeyError:
        owner, defining_class = None, None
    if len(positional) == 2:
        # Given where the function is not inside the class, for example added to it later.
        defining_class = positional[0] if isinstance(positional[0], Class) else defining_class
        owner = positional[1] if isinstance(positional[1], Instance) else owner
    if isinstance(owner, Instance) and isinstance(defining_class, Class):
        return SuperProxy(owner, defining_class)
    return UNKNOWN
