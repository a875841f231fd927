"""Reads Keras code as a design: Sequential models and the functional style, without running the code.

A `Sequential` is a list of items that grows with `add`. In the functional style, tensors pass from call to
call as `SymbolicTensor`s, and `keras.Model(inputs, outputs)` asks for the items between two of them.

Loops need care. A listing that adds five equal blocks in a loop should become a Repeat of five, not five
blocks, so each iteration is interpreted separately and its effect recorded: either one model grew, or one
tensor was carried on to a new one. If the loop only counts and an iteration leaves no other state behind, the
remaining iterations would do the same and are not interpreted at all; a loop of a billion iterations costs
one.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnnstudio.design.network import UNTITLED, Network, clean_name
from cnnstudio.interchange.assembly import require_layer_limit, with_ids
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.input_shapes import DEFAULT_INPUT, input_from_keras_shape
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import (
    Item,
    Items,
    Join,
    LayerCall,
    LoopBody,
    SubModel,
    SymbolicTensor,
    UnsupportedTopology,
    items_between,
)
from cnnstudio.interchange.interpreter.helpers import helper_name, is_helper
from cnnstudio.interchange.interpreter.interpreter import Interpreter
from cnnstudio.interchange.interpreter.names import title_from_docstring
from cnnstudio.interchange.interpreter.syntax import (
    assigned_names,
    bare_string,
    read_before_assignment,
    uses_loop_variable,
)
from cnnstudio.interchange.interpreter.values import BoundMethod, ReturnValue, Scope
from cnnstudio.interchange.keras.assembly import PREPROCESSING_LAYERS, KerasAssembler, keras_types
from cnnstudio.interchange.keras.training import read_compile, read_fit
from cnnstudio.interchange.source import ImportedDesign, Note, Notes, parse
from cnnstudio.layers.activations import KERAS_ACTIVATION_CALLS, resolve_activation
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Call, Name, Unknown, UnsupportedCall, is_same_value

_ROOTS = ("tensorflow.keras", "tensorflow.python.keras", "tensorflow.compat.v1.keras", "tf_keras", "keras")
_LAYERS = "keras.layers."
_JOINS = {"add": "add", "Add": "add", "concatenate": "concat", "Concatenate": "concat"}
_SHAPES = ("batch_input_shape", "batch_shape", "input_shape", "shape", "input_dim")
_MODELS = ("Sequential", "Model", "Functional")
_INPUTS = ("Input", "InputLayer")


def read_keras(text: str) -> ImportedDesign:
    """The design in Keras code, and the training settings. Raises CodeError."""
    reader = _Reader(Notes())
    tree = parse(text)
    reader.follow(tree)
    model = reader.main_model()
    if model is None:
        raise CodeError("there is no Keras model with layers: expected Sequential() or keras.Model(…)")
    input_shape = reader.input_shape_of(model)
    title = title_from_docstring(ast.get_docstring(tree))
    nodes, _ = KerasAssembler(reader.notes, generated=title is not None).sequence(
        tuple(model.items), input_shape
    )
    if not nodes:
        raise CodeError(_no_layers(reader.notes.all()))
    name = title or clean_name(model.name) or UNTITLED
    return ImportedDesign(
        Network(input_shape, with_ids(nodes), name), reader.recipe, reader.notes.all(), "keras"
    )


def _no_layers(notes: Sequence[Note]) -> str:
    first = f": line {notes[0].line}: {notes[0].text}" if notes else ""
    return f"none of the layers can be imported{first}"


def canonical(path: str) -> str:
    """The current name under `keras.` of something that has another in TensorFlow or older versions."""
    for root in _ROOTS:
        if path == root or path.startswith(f"{root}."):
            path = f"keras{path[len(root) :]}"
            break
    parts = path.split(".")
    if parts[0] == "keras" and len(parts) > 2 and parts[1] in ("layers", "models"):
        # Older versions have a module for each family of layers: keras.layers.convolutional.Conv2D.
        return f"keras.{parts[1]}.{parts[-1]}"
    return path


@dataclass(eq=False)
class Model:
    """A model that the program builds, as far as it has got."""

    items: list[Item] = field(default_factory=list)
    line: int = 0
    name: str = ""
    shape: Any = None
    importance: int = 0
    """Raised by compile and fit: of several models, the trained one is imported."""
    is_part: bool = False
    """Whether it became part of another model."""


class _Reader(Interpreter):
    """Finds the models, their layers and the training settings."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.recipe: dict[str, Any] = {}
        self.models: list[Model] = []
        self._inputs: dict[int, tuple[SymbolicTensor, Any]] = {}

    def follow(self, tree: ast.Module) -> None:
        """Interprets the program; if that creates no model, calls each of its functions once."""
        self.execute(tree.body, self.module)
        if self.main_model() is None:
            functions = [each for each in tree.body if isinstance(each, ast.FunctionDef)]
            for function in functions:
                self.call(self.module.names.get(function.name), [], {}, function.lineno, False)

    def main_model(self) -> Model | None:
        """The most important of the models, and among equals the largest; None if there is none."""
        models = [model for model in self.models if model.items and not model.is_part]
        best = max(models, key=lambda model: (model.importance, len(model.items)), default=None)
        for model in models:
            if model is not best and best is not None and model.importance:
                self.notes.add(model.line, "this is a second model; only one is imported")
        return best

    def input_shape_of(self, model: Model) -> Shape:
        """The input shape of the model; a default, with a note, if the code does not specify it."""
        first = next(iter(graph.iter_calls(model.items)), None)
        shape = model.shape
        if shape is None and first is not None:
            shape = _shape_argument(first.keywords)
        found, note = input_from_keras_shape(shape)
        if note:
            self.notes.add(model.line, note)
        return found or DEFAULT_INPUT

    # The meaning of names and calls

    def on_name(self, name: str) -> Any:
        """Resolves names from `import *`, and those of listings without their imports."""
        if (
            name in keras_types()
            or name in _JOINS
            or name in PREPROCESSING_LAYERS
            or name in KERAS_ACTIVATION_CALLS
        ):
            return Name(f"{_LAYERS}{name}")
        if name in _MODELS:
            return Name(f"keras.{name}")
        if name in _INPUTS:
            return Name(f"{_LAYERS}{name}")
        if name in ("keras", "layers", "models", "optimizers"):
            return Name("keras" if name == "keras" else f"keras.{name}")
        if is_helper(name) or (name[:1].isupper() and any("layers" in each for each in self.star_imports)):
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
            self.effects += 1
            if name in _JOINS and call.positional and name.islower():
                return self._join(_JOINS[name], call.positional[0], call)
            return call
        if any(isinstance(each, SymbolicTensor) for each in call.positional):
            return self._function(call)
        return call

    def _function(self, call: Call) -> Any:
        """`keras.ops.relu(x)`, `tf.nn.relu(x)` and the like."""
        tensors = [each for each in call.positional if isinstance(each, SymbolicTensor)]
        if not tensors:
            return Unknown(call.name)
        if call.name in ("add", "concatenate", "concat") and len(tensors) in (0, 2):
            return self._join("add" if call.name == "add" else "concat", tensors, call)
        try:
            name = resolve_activation(call.name, lambda text: self.notes.add(call.line, text))
        except UnsupportedCall:
            self.notes.add(call.line, f"{call.name} is not a layer and is skipped")
            return tensors[0]
        return tensors[0].then(LayerCall(Call(f"{_LAYERS}Activation", (name,), {}, call.line)))

    def on_apply(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        value = positional[0] if positional else Unknown()
        if isinstance(function, Call) and function.name in _JOINS:
            return self._join(_JOINS[function.name], value, function)
        if not isinstance(value, SymbolicTensor):
            return Unknown()
        if isinstance(function, Model):
            function.is_part = True
            self.effort.count_elements(len(function.items))
            return value.then(SubModel(tuple(function.items), line, function.name))
        if isinstance(function, Call):
            if direct and value.mode and value.activation is None and self._is_activation(function):
                return SymbolicTensor(value.inputs, (), value.mode, value.line, function)
            return value.then(LayerCall(function, _name_argument(function)))
        return Unknown()

    def _is_activation(self, call: Call) -> bool:
        return call.name == "Activation" or call.name in KERAS_ACTIVATION_CALLS

    def on_binary(self, operator: ast.operator, left: Any, right: Any, line: int) -> Any:
        if (
            isinstance(operator, ast.Add)
            and isinstance(left, SymbolicTensor)
            and isinstance(right, SymbolicTensor)
        ):
            return SymbolicTensor((left, right), (), "add", line)
        for value in (left, right):
            if isinstance(value, SymbolicTensor):
                self.notes.add(line, "this operation is not a layer and is skipped")
                return value
        return Unknown()

    def _join(self, mode: str, values: Any, call: Call) -> Any:
        tensors = values if isinstance(values, list | tuple) else []
        if not tensors or not all(isinstance(each, SymbolicTensor) for each in tensors):
            return Unknown()
        axis = call.keywords.get("axis", -1)
        if mode == "concat" and axis not in (-1, 3):
            self.notes.add(
                call.line, f"this concatenates along axis {axis}; the channel axis is used instead"
            )
        self.effects += 1
        return SymbolicTensor(tuple(tensors), (), mode, call.line)

    def _sequential(self, call: Call) -> Model:
        model = Model([], call.line, _name_argument(call))
        self.models.append(model)
        layers = call.positional[0] if call.positional else call.keywords.get("layers")
        for layer in self.elements(layers) or ():
            self._add(model, layer, call.line)
        return model

    def _add(self, model: Model, layer: Any, line: int) -> None:
        self.effects += 1
        require_layer_limit(len(model.items))
        if isinstance(layer, SymbolicTensor) and id(layer) in self._inputs:
            model.shape = self._inputs[id(layer)][1]
        elif isinstance(layer, Model):
            layer.is_part = True
            self.effort.count_elements(len(layer.items))
            model.shape = layer.shape if not model.items and model.shape is None else model.shape
            model.items.append(SubModel(tuple(layer.items), line, layer.name))
        elif isinstance(layer, Call):
            if model.shape is None and not model.items:
                model.shape = _shape_argument(layer.keywords)
            model.items.append(LayerCall(layer, _name_argument(layer)))
        else:
            self.notes.add(line, "the layer added here is only known at run time and is skipped")

    def _input(self, call: Call) -> SymbolicTensor:
        self.effects += 1
        tensor = SymbolicTensor()
        keywords = call.keywords
        shape = call.positional[0] if call.positional else _shape_argument(keywords)
        self._inputs[id(tensor)] = tensor, shape
        return tensor

    def _functional(self, call: Call) -> Any:
        values = [*call.positional, None, None]
        start = _single(call.keywords.get("inputs", call.keywords.get("input", values[0])))
        end = _single(call.keywords.get("outputs", call.keywords.get("output", values[1])))
        if not isinstance(start, SymbolicTensor) or not isinstance(end, SymbolicTensor):
            self.notes.add(call.line, "only models with one input and one output can be imported")
            return Unknown()
        try:
            items = items_between(start, end)
        except UnsupportedTopology:
            raise CodeError(
                f"line {call.line}: groups cannot express how the layers of this model are connected"
            ) from None
        self.effort.count_elements(len(items))
        shape = self._inputs.get(id(start), (start, None))[1]
        model = Model(list(items), call.line, _name_argument(call), shape)
        self.models.append(model)
        self.effects += 1
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
                    owner.importance += 1
                    self.recipe |= read_compile(positional, keywords, line, self.notes)
                case "fit" | "fit_generator":
                    owner.importance += 2
                    self.recipe |= read_fit(positional, keywords, line, self.notes)
        return Unknown()

    def on_attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Model) and name == "layers":
            return Unknown()
        return BoundMethod(owner, name)

    # Loops and blocks

    def on_with(self, value: Any, node: ast.With, scope: Scope) -> Any:
        if not isinstance(value, Call) or not value.name.endswith("name_scope"):
            return self.execute(node.body, scope)
        # A name with characters that a scope cannot have is written as a string inside the block (see the
        # writer).
        texts = [bare_string(node.body[0]), *value.positional]
        name = next((each for each in texts if isinstance(each, str)), "")
        before = self._tensors(scope)
        returned = self.execute(node.body, scope)
        found = self._carried(before, scope, node.body)
        if found is not None:
            carried, items = found
            self._replace(carried, before, _named(items, name, node.lineno), scope)
        return returned

    def on_loop(self, node: ast.For, values: Sequence[Any], scope: Scope) -> Any:
        """Records a loop in which one model or one tensor grows as a LoopBody; unrolls any other loop."""
        counted = isinstance(values, range) and not uses_loop_variable(node.target, node.body)
        start = self._tensors(scope), {id(model): len(model.items) for model in self.models}
        iterations: list[tuple[Items, int]] = []
        grown: Any = None
        for index, value in enumerate(values):
            before = dict(scope.names)
            result = self._iteration(node, value, scope)
            if isinstance(result, ReturnValue):
                return result
            if result is None or (iterations and result[0] != grown):
                return self.unroll(node, values[index + 1 :], scope)
            grown = result[0]
            # Then all further iterations do the same, so that the first one stands for all.
            is_repeated = counted and not _state_changed(before, scope.names)
            iterations.append((result[1], len(values) if is_repeated else 1))
            if is_repeated:
                break
        if iterations:
            self._replace(grown, start[0], LoopBody(tuple(iterations), node.lineno, counted), scope, start[1])
        return None

    def _iteration(self, node: ast.For, value: Any, scope: Scope) -> ReturnValue | tuple[Any, Items] | None:
        """Interprets one iteration: (the model or the name of the tensor that grew, the added items).

        None if not exactly one of them grew; the value of a `return`, if there was one.
        """
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

    def _tensors(self, scope: Scope) -> dict[str, SymbolicTensor]:
        return {name: value for name, value in scope.names.items() if isinstance(value, SymbolicTensor)}

    def _carried(
        self, before: Mapping[str, SymbolicTensor], scope: Scope, body: list[ast.stmt]
    ) -> tuple[str, Items] | None:
        """(name, items) of the only tensor that the statements read and reassign; None if there is no such.

        This is the `x` in `x = layer(x)`. A name that is assigned before it is read is only a temporary.
        """
        first = read_before_assignment(body)
        names = [
            name
            for name, tensor in before.items()
            if first.get(name)
            and isinstance(scope.names[name], SymbolicTensor)
            and name in assigned_names(body)
        ]
        if len(names) != 1:
            return None
        try:
            return names[0], items_between(before[names[0]], scope.names[names[0]])
        except UnsupportedTopology:
            return None

    def _replace(
        self,
        grown: Any,
        tensors: Mapping[str, SymbolicTensor],
        item: SubModel | LoopBody | Join,
        scope: Scope,
        lengths: Mapping[int, int] | None = None,
    ) -> None:
        """Replaces what the statements added by one item.

        Tensors inside that item no longer exist by themselves, so that all other names for them become
        unknown.
        """
        if isinstance(grown, Model):
            grown.items[(lengths or {})[id(grown)] :] = [item]
            return
        for name, tensor in scope.names.items():
            if isinstance(tensor, SymbolicTensor) and tensor is not tensors.get(name):
                scope.names[name] = Unknown(name)
        scope.names[grown] = tensors[grown].then(item)


def _named(items: Items, name: str, line: int) -> SubModel | Join:
    """The items as a named block.

    If they end with a join of a single branch that is empty, the block is a group with that one branch.
    """
    last = items[-1] if items else None
    if isinstance(last, Join) and last.branches == ((),):
        return Join(last.mode, (items[:-1],), line)
    return SubModel(items, line, name)


def _name_argument(call: Call) -> str:
    name = call.keywords.get("name")
    return name if isinstance(name, str) else ""


def _shape_argument(keywords: Mapping[str, Any]) -> Any:
    """The input shape in a layer's arguments, without the batch axis."""
    for name in _SHAPES:
        value = keywords.get(name)
        if value is not None:
            has_batch_axis = name.startswith("batch") and isinstance(value, list | tuple)
            return tuple(value)[1:] if has_batch_axis else value
    return None


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value


def _state_changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether an iteration changed a plain value, such as a number, on which later ones may depend."""
    return any(
        name in before
        and not isinstance(value, SymbolicTensor | Unknown | Model | Call)
        and not (value is before[name] or is_same_value(value, before[name]))
        for name, value in now.items()
    )
