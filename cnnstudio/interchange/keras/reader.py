"""Keras code as a design: Sequential by `add` or as a list, and the functional style. Nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnnstudio.design.network import UNTITLED, Network, clean_name
from cnnstudio.interchange.assembly import require_few, with_ids
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.input_shapes import DEFAULT_INPUT, keras_input
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import (
    Item,
    Items,
    Join,
    Nest,
    Piece,
    Rounds,
    Tangled,
    Tensor,
    between,
)
from cnnstudio.interchange.interpreter.helpers import helper_name, is_helper
from cnnstudio.interchange.interpreter.interpreter import Interpreter
from cnnstudio.interchange.interpreter.names import written_title
from cnnstudio.interchange.interpreter.syntax import first_uses, stored, text_at, uses
from cnnstudio.interchange.interpreter.values import Bound, Returned, Scope
from cnnstudio.interchange.keras.assembly import PASSED_OVER, KerasAssembler, keras_types
from cnnstudio.interchange.keras.training import compiled, fitted
from cnnstudio.interchange.source import Imported, Note, Notes, parse
from cnnstudio.layers.activations import KERAS_ACTIVATION_CALLS, activation_named
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Call, Name, NotDrawable, Unknown, same

_ROOTS = ("tensorflow.keras", "tensorflow.python.keras", "tensorflow.compat.v1.keras", "tf_keras", "keras")
_LAYERS = "keras.layers."
_JOINS = {"add": "add", "Add": "add", "concatenate": "concat", "Concatenate": "concat"}
_SHAPES = ("batch_input_shape", "batch_shape", "input_shape", "shape", "input_dim")
_MODELS = ("Sequential", "Model", "Functional")
_INPUTS = ("Input", "InputLayer")


def read_keras(text: str) -> Imported:
    """The design in Keras code, with what it says of the training. Raises CodeError."""
    reader = _Reader(Notes())
    tree = parse(text)
    reader.follow(tree)
    model = reader.chosen()
    if model is None:
        raise CodeError("there is no Keras model with layers in it: Sequential() or keras.Model(…) is needed")
    input_shape = reader.input_of(model)
    title = written_title(ast.get_docstring(tree))
    nodes, _ = KerasAssembler(reader.notes, own=title is not None).row(tuple(model.items), input_shape)
    if not nodes:
        raise CodeError(_nothing(reader.notes.all()))
    name = title or clean_name(model.name) or UNTITLED
    return Imported(Network(input_shape, with_ids(nodes), name), reader.recipe, reader.notes.all(), "keras")


def _nothing(notes: Sequence[Note]) -> str:
    first = f": line {notes[0].line}: {notes[0].text}" if notes else ""
    return f"none of its layers can be drawn{first}"


def canonical(path: str) -> str:
    """The name under `keras.` of what TensorFlow and older versions have in other places."""
    for root in _ROOTS:
        if path == root or path.startswith(f"{root}."):
            path = f"keras{path[len(root) :]}"
            break
    parts = path.split(".")
    if parts[0] == "keras" and len(parts) > 2 and parts[1] in ("layers", "models"):
        # Older versions have a module for each kind of layer: keras.layers.convolutional.Conv2D.
        return f"keras.{parts[1]}.{parts[-1]}"
    return path


@dataclass(eq=False)
class Model:
    """A model of the program, as far as it is made."""

    items: list[Item] = field(default_factory=list)
    line: int = 0
    name: str = ""
    shape: Any = None
    weight: int = 0
    """How much the program does with it: the one that is trained is the one that is meant."""
    part: bool = False
    """Whether it went into another one."""


class _Reader(Interpreter):
    """Finds models, their layers and their training."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.recipe: dict[str, Any] = {}
        self.models: list[Model] = []
        self._inputs: dict[int, tuple[Tensor, Any]] = {}

    def follow(self, tree: ast.Module) -> None:
        """Executes the program; where that makes no model, each of its functions once."""
        self.execute(tree.body, self.module)
        if self.chosen() is None:
            functions = [each for each in tree.body if isinstance(each, ast.FunctionDef)]
            for function in functions:
                self.call(self.module.names.get(function.name), [], {}, function.lineno, False)

    def chosen(self) -> Model | None:
        """The model that the program is about."""
        models = [model for model in self.models if model.items and not model.part]
        best = max(models, key=lambda model: (model.weight, len(model.items)), default=None)
        for model in models:
            if model is not best and best is not None and model.weight:
                self.notes.add(model.line, "this is another model; one is drawn")
        return best

    def input_of(self, model: Model) -> Shape:
        """What goes into the model; a guess, with a note, where the code does not say it."""
        first = next(iter(graph.calls(model.items)), None)
        shape = model.shape
        if shape is None and first is not None:
            shape = _said_shape(first.keywords)
        found, words = keras_input(shape)
        if words:
            self.notes.add(model.line, words)
        return found or DEFAULT_INPUT

    # What the program's names and calls mean

    def on_name(self, name: str) -> Any:
        """Names come from `import *`, or the listing leaves its imports out."""
        if name in keras_types() or name in _JOINS or name in PASSED_OVER or name in KERAS_ACTIVATION_CALLS:
            return Name(f"{_LAYERS}{name}")
        if name in _MODELS:
            return Name(f"keras.{name}")
        if name in _INPUTS:
            return Name(f"{_LAYERS}{name}")
        if name in ("keras", "layers", "models", "optimizers"):
            return Name("keras" if name == "keras" else f"keras.{name}")
        if is_helper(name) or (name[:1].isupper() and any("layers" in each for each in self.stars)):
            return Name(f"{_LAYERS}{name}")
        if name in ("tf", "tensorflow"):
            return Name("tensorflow")
        return Unknown(name)

    def on_class(self, node: ast.ClassDef | ast.FunctionDef) -> Any:
        return Name(f"{_LAYERS}{node.name}") if helper_name(node) else None

    def on_call(self, call: Call, direct: bool) -> Any:
        call = Call(canonical(call.path), call.positional, call.keywords, call.line)
        name = call.name
        if not call.path.startswith("keras."):
            return self._function(call) if call.path.startswith("tensorflow.") else Unknown(name)
        if name == "Sequential":
            return self._sequential(call)
        if name in _INPUTS:
            return self._input(call)
        if name in ("Model", "Functional") and call.path.count(".") < 3:
            return self._functional(call)
        if call.path.startswith(_LAYERS) or call.path.startswith("keras.applications"):
            self.events += 1
            if name in _JOINS and call.positional and name.islower():
                return self._join(_JOINS[name], call.positional[0], call)
            return call
        if any(isinstance(each, Tensor) for each in call.positional):
            return self._function(call)
        return call

    def _function(self, call: Call) -> Any:
        """`keras.ops.relu(x)`, `tf.nn.relu(x)` and the like."""
        tensors = [each for each in call.positional if isinstance(each, Tensor)]
        if not tensors:
            return Unknown(call.name)
        if call.name in ("add", "concatenate", "concat") and len(tensors) in (0, 2):
            return self._join("add" if call.name == "add" else "concat", tensors, call)
        try:
            name = activation_named(call.name, lambda text: self.notes.add(call.line, text))
        except NotDrawable:
            self.notes.add(call.line, f"{call.name} is no layer, so it is not drawn")
            return tensors[0]
        return tensors[0].then(Piece(Call(f"{_LAYERS}Activation", (name,), {}, call.line)))

    def on_apply(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        value = positional[0] if positional else Unknown()
        if isinstance(function, Call) and function.name in _JOINS:
            return self._join(_JOINS[function.name], value, function)
        if not isinstance(value, Tensor):
            return Unknown()
        if isinstance(function, Model):
            function.part = True
            return value.then(Nest(tuple(function.items), line, function.name))
        if isinstance(function, Call):
            if direct and value.mode and value.activation is None and self._is_activation(function):
                return Tensor(value.inputs, (), value.mode, value.line, function)
            return value.then(Piece(function, _said_name(function)))
        return Unknown()

    def _is_activation(self, call: Call) -> bool:
        return call.name == "Activation" or call.name in KERAS_ACTIVATION_CALLS

    def on_binary(self, sign: ast.operator, left: Any, right: Any, line: int) -> Any:
        if isinstance(sign, ast.Add) and isinstance(left, Tensor) and isinstance(right, Tensor):
            return Tensor((left, right), (), "add", line)
        for value in (left, right):
            if isinstance(value, Tensor):
                self.notes.add(line, "this is no layer, so it is not drawn")
                return value
        return Unknown()

    def _join(self, mode: str, values: Any, call: Call) -> Any:
        tensors = values if isinstance(values, list | tuple) else []
        if not tensors or not all(isinstance(each, Tensor) for each in tensors):
            return Unknown()
        axis = call.keywords.get("axis", -1)
        if mode == "concat" and axis not in (-1, 3):
            self.notes.add(call.line, f"this joins along axis {axis}; it is drawn along the channels")
        self.events += 1
        return Tensor(tuple(tensors), (), mode, call.line)

    def _sequential(self, call: Call) -> Model:
        model = Model([], call.line, _said_name(call))
        self.models.append(model)
        layers = call.positional[0] if call.positional else call.keywords.get("layers")
        for layer in self.elements(layers) or ():
            self._add(model, layer, call.line)
        return model

    def _add(self, model: Model, layer: Any, line: int) -> None:
        self.events += 1
        require_few(len(model.items))
        if isinstance(layer, Tensor) and id(layer) in self._inputs:
            model.shape = self._inputs[id(layer)][1]
        elif isinstance(layer, Model):
            layer.part = True
            model.shape = layer.shape if not model.items and model.shape is None else model.shape
            model.items.append(Nest(tuple(layer.items), line, layer.name))
        elif isinstance(layer, Call):
            if model.shape is None and not model.items:
                model.shape = _said_shape(layer.keywords)
            model.items.append(Piece(layer, _said_name(layer)))
        else:
            self.notes.add(line, "what is added here, only the running program knows: it is not drawn")

    def _input(self, call: Call) -> Tensor:
        self.events += 1
        tensor = Tensor()
        keywords = call.keywords
        shape = call.positional[0] if call.positional else _said_shape(keywords)
        self._inputs[id(tensor)] = tensor, shape
        return tensor

    def _functional(self, call: Call) -> Any:
        values = [*call.positional, None, None]
        start = _single(call.keywords.get("inputs", call.keywords.get("input", values[0])))
        end = _single(call.keywords.get("outputs", call.keywords.get("output", values[1])))
        if not isinstance(start, Tensor) or not isinstance(end, Tensor):
            self.notes.add(call.line, "a model of one input and one output can be drawn, but this is none")
            return Unknown()
        try:
            items = between(start, end)
        except Tangled:
            raise CodeError(
                f"line {call.line}: the layers of this model are joined in a way that groups cannot draw"
            ) from None
        shape = self._inputs.get(id(start), (start, None))[1]
        model = Model(list(items), call.line, _said_name(call), shape)
        self.models.append(model)
        self.events += 1
        return model

    def on_method(
        self, owner: Any, name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        if isinstance(owner, Model):
            match name:
                case "add":
                    self._add(owner, positional[0] if positional else Unknown(), line)
                case "pop":
                    del owner.items[-1:]
                case "compile":
                    owner.weight += 1
                    self.recipe |= compiled(positional, keywords, line, self.notes)
                case "fit" | "fit_generator":
                    owner.weight += 2
                    self.recipe |= fitted(positional, keywords, line, self.notes)
        return Unknown()

    def on_attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Model) and name == "layers":
            return Unknown()
        return Bound(owner, name)

    # Loops and blocks

    def on_with(self, value: Any, node: ast.With, scope: Scope) -> Any:
        if not isinstance(value, Call) or not value.name.endswith("name_scope"):
            return self.execute(node.body, scope)
        # Where the name has signs that no scope takes, it stands as a text of its own within.
        texts = [text_at(node.body[0]), *value.positional]
        name = next((each for each in texts if isinstance(each, str)), "")
        before = self._tensors(scope)
        returned = self.execute(node.body, scope)
        found = self._carried(before, scope, node.body)
        if found is not None:
            carried, items = found
            self._replace(carried, before, _named(items, name, node.lineno), scope)
        return returned

    def on_loop(self, node: ast.For, values: Sequence[Any], scope: Scope) -> Any:
        """The rounds of a loop in which one model or one tensor grows, as rounds; any other, one by one."""
        counting = isinstance(values, range) and not uses(node.target, node.body)
        start = self._tensors(scope), {id(model): len(model.items) for model in self.models}
        rounds: list[tuple[Items, int]] = []
        grown: Any = None
        for index, value in enumerate(values):
            before = dict(scope.names)
            made = self._round(node, value, scope)
            if isinstance(made, Returned):
                return made
            if made is None or (rounds and made[0] != grown):
                return self.unroll(node, values[index + 1 :], scope)
            grown = made[0]
            alike = counting and not _constants_changed(before, scope.names)
            rounds.append((made[1], len(values) if alike else 1))
            if alike:
                break
        if rounds:
            self._replace(grown, start[0], Rounds(tuple(rounds), node.lineno, counting), scope, start[1])
        return None

    def _round(self, node: ast.For, value: Any, scope: Scope) -> Returned | tuple[Any, Items] | None:
        """What grew in one round of a loop, and by what; None where it is not one thing."""
        before = self._tensors(scope)
        lengths = {id(model): len(model.items) for model in self.models}
        self.assign(node.target, value, scope)
        returned = self.execute(node.body, scope)
        if returned is not None:
            return returned
        known = [model for model in self.models if id(model) in lengths]
        grown = [model for model in known if len(model.items) > lengths[id(model)]]
        if len(grown) == 1:
            return grown[0], tuple(grown[0].items[lengths[id(grown[0])] :])
        return self._carried(before, scope, node.body) if not grown else None

    def _tensors(self, scope: Scope) -> dict[str, Tensor]:
        return {name: value for name, value in scope.names.items() if isinstance(value, Tensor)}

    def _carried(
        self, before: Mapping[str, Tensor], scope: Scope, body: list[ast.stmt]
    ) -> tuple[str, Items] | None:
        """The name whose tensor the statements took on, and by what; None where it is not just one."""
        first = first_uses(body)
        names = [
            name
            for name, tensor in before.items()
            if first.get(name) and isinstance(scope.names[name], Tensor) and name in stored(body)
        ]
        if len(names) != 1:
            return None
        try:
            return names[0], between(before[names[0]], scope.names[names[0]])
        except Tangled:
            return None

    def _replace(
        self,
        grown: Any,
        tensors: Mapping[str, Tensor],
        item: Nest | Rounds | Join,
        scope: Scope,
        lengths: Mapping[int, int] | None = None,
    ) -> None:
        """Puts one item in place of what the statements added; what else they made is not to be reached."""
        if isinstance(grown, Model):
            grown.items[(lengths or {})[id(grown)] :] = [item]
            return
        for name, tensor in scope.names.items():
            if isinstance(tensor, Tensor) and tensor is not tensors.get(name):
                scope.names[name] = Unknown(name)
        scope.names[grown] = tensors[grown].then(item)


def _named(items: Items, name: str, line: int) -> Nest | Join:
    """A row under a name; one that ends in joining nothing but itself is a single branch."""
    last = items[-1] if items else None
    if isinstance(last, Join) and last.branches == ((),):
        return Join(last.mode, (items[:-1],), line)
    return Nest(items, line, name)


def _said_name(call: Call) -> str:
    name = call.keywords.get("name")
    return name if isinstance(name, str) else ""


def _said_shape(keywords: Mapping[str, Any]) -> Any:
    """The input that a layer's arguments name, without the batch."""
    for name in _SHAPES:
        value = keywords.get(name)
        if value is not None:
            whole = name.startswith("batch") and isinstance(value, list | tuple)
            return tuple(value)[1:] if whole else value
    return None


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value


def _constants_changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a round left a number or a list other than it found it."""
    return any(
        name in before
        and not isinstance(value, Tensor | Unknown | Model | Call)
        and not (value is before[name] or same(value, before[name]))
        for name, value in now.items()
    )
