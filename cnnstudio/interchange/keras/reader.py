"""Reads Keras code as a design: Sequential models, the functional style and classes, without running it.

A `Sequential` is a list of items that grows with `add`. In the functional style, tensors pass from call to
call as `SymbolicTensor`s, and `keras.Model(inputs, outputs)` asks for the items between two of them. A class
with a method `call` is followed in the same way (see `objects`), and loops are recorded by `loops`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnnstudio.design.network import UNTITLED, Network, clean_name
from cnnstudio.interchange.assembly import with_ids
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.endings import last_line, with_one_unit_read
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import LayerCall, SubModel, SymbolicTensor
from cnnstudio.interchange.interpreter.helpers import helper_name, is_helper
from cnnstudio.interchange.interpreter.names import title_from_docstring
from cnnstudio.interchange.interpreter.syntax import is_static
from cnnstudio.interchange.interpreter.values import BoundMethod, Class, Function, Instance, Scope
from cnnstudio.interchange.keras.assembly import PREPROCESSING_LAYERS, KerasAssembler, keras_types
from cnnstudio.interchange.keras.augmentation import is_augmentation_layer
from cnnstudio.interchange.keras.data_values import Data, data_attribute, data_method
from cnnstudio.interchange.keras.legacy import is_ambiguous_kernel, is_keras_1, modernize
from cnnstudio.interchange.keras.model_reader import ModelReader
from cnnstudio.interchange.keras.models import Model, TrainingCall, canonical, name_argument
from cnnstudio.interchange.keras.tensors import JOINS, LAYERS, PRETRAINED, is_tensors
from cnnstudio.interchange.source import ImportedDesign, Note, Notes, parse, unknown_network
from cnnstudio.layers.activations import KERAS_ACTIVATION_CALLS
from cnnstudio.layers.code import Call, Name, Unknown

_MODELS = ("Sequential", "Model", "Functional")
_INPUTS = ("Input", "InputLayer")
_CREATING = (LAYERS, "keras.Sequential", "keras.Model", "keras.models.")
_TENSOR_FUNCTIONS = ("tensorflow.nn.", "keras.activations.", "keras.ops.", "keras.backend.")


def read_keras(text: str, network: str = "") -> ImportedDesign:
    """The design in Keras code, and the training settings. Raises CodeError.

    `network` is the name of the model to read, if the code has several.
    """
    tree = parse(text)
    reader = _Reader(Notes(), is_old=is_keras_1(tree, text))
    reader.follow(tree)
    model = reader.main_model()
    if network:
        model = reader.networks().get(network) or reader.made_by(network)
        if model is None:
            raise unknown_network(network, reader.networks())
    if model is None:
        raise CodeError(_no_model(reader.notes.all()))
    others = {name: each for name, each in reader.networks().items() if each is not model}
    for name, each in others.items():
        called = "" if name == f"line {each.line}" else f", “{name}”,"
        reader.notes.add(each.line, f"another network{called} is not imported")
    input_shape = reader.input_shape_of(model)
    title = title_from_docstring(ast.get_docstring(tree))
    assembler = KerasAssembler(
        reader.notes, generated=title is not None, channels_first=reader.channels_first
    )
    assembler.locked_calls = reader.locked_calls(tuple(model.items))
    nodes, _ = assembler.sequence(tuple(model.items), input_shape)
    if not nodes:
        raise CodeError(_no_layers(reader.notes.all()))
    name = title or clean_name(model.name) or UNTITLED
    reader.note_frozen(tuple(model.items))
    recipe = reader.recipe_of(model, input_shape)
    items = tuple(model.items)
    if reader.keeps_statistics(items):
        recipe["batch_norm_statistics"] = "kept"
    design = Network(input_shape, with_ids(nodes), name)
    design = with_one_unit_read(design, items, model.losses, reader.notes)
    chosen = network or next((each for each, value in reader.networks().items() if value is model), name)
    return ImportedDesign(
        design,
        recipe,
        reader.notes.all(),
        "keras",
        data=reader.data,
        last_line=last_line(items),
        networks=(chosen, *others) if others else (),
    )


def _no_model(notes: Sequence[Note]) -> str:
    """Why there is no model: what was found instead of its layers, or what was looked for."""
    text = "there is no Keras model with layers: expected Sequential() or keras.Model(…)"
    return f"{text}; line {notes[0].line}: {notes[0].text}" if notes else text


def _no_layers(notes: Sequence[Note]) -> str:
    first = f": line {notes[0].line}: {notes[0].text}" if notes else ""
    return f"none of the layers can be imported{first}"


class _Reader(ModelReader):
    """Finds the models, their layers and the training settings."""

    library = "tensorflow"

    def __init__(self, notes: Notes, *, is_old: bool = False) -> None:
        """`is_old`: the code is written for Keras 1."""
        super().__init__(notes)
        self._is_old = is_old

    def follow(self, tree: ast.Module) -> None:
        """Interprets the program; if that creates no model, calls each of its functions once."""
        self.execute(tree.body, self.module)
        if self.main_model() is None:
            for function, line in self._uncalled(tree):
                self.call(function, [], {}, line, False)

    def _uncalled(self, tree: ast.Module) -> Iterator[tuple[Any, int]]:
        """The functions, static methods and classes of the program, which nothing may have called yet."""
        for each in tree.body:
            found = self.module.names.get(getattr(each, "name", ""))
            if isinstance(each, ast.FunctionDef):
                yield found, each.lineno
            elif isinstance(found, Class):
                yield from (
                    (method, method.node.lineno)
                    for method in found.names.values()
                    if isinstance(method, Function) and is_static(method.node)
                )
                if canonical(found.library_base()).rpartition(".")[2] in _MODELS:
                    yield found, each.lineno

    def made_by(self, name: str) -> Model | None:
        """The model that the function of that name makes; None if it makes none."""
        function = self.module.names.get(name)
        if not isinstance(function, Function):
            return None
        made = self.model_of(self.call(function, [], {}, function.node.lineno, False))
        self.main_model()
        return made

    # The meaning of names and calls

    def on_name(self, name: str) -> Any:
        """Resolves names from `import *`, and those of listings without their imports."""
        if (
            name in keras_types()
            or name in JOINS
            or name in PREPROCESSING_LAYERS
            or name in KERAS_ACTIVATION_CALLS
        ):
            return Name(f"{LAYERS}{name}")
        if name in _MODELS:
            return Name(f"keras.{name}")
        if name in _INPUTS:
            return Name(f"{LAYERS}{name}")
        if name in ("keras", "layers", "models", "optimizers"):
            return Name("keras" if name == "keras" else f"keras.{name}")
        if is_helper(name) or (name[:1].isupper() and any("layers" in each for each in self.star_imports)):
            return Name(f"{LAYERS}{name}")
        if name in ("tf", "tensorflow"):
            return Name("tensorflow")
        return Unknown(name)

    def on_class(self, node: ast.ClassDef | ast.FunctionDef) -> Any:
        return Name(f"{LAYERS}{node.name}") if helper_name(node) else None

    def on_call(self, call: Call, direct: bool) -> Any:
        root = call.path.partition(".")[0]
        call = Call(canonical(call.path), call.positional, call.keywords, call.line)
        if self._is_old and call.path.startswith(LAYERS):
            call = modernize(call)
        name = call.name
        data = self.data_call(call)
        if data is not None:
            return data
        if is_augmentation_layer(call):
            self.augmentation.append(call)
        elif call.path.startswith("keras.optimizers.") and call.path.count(".") == 2:
            self.optimizers.append(call)
        if not call.path.startswith("keras."):
            return self.tensor_function(call) if call.path.startswith("tensorflow.") else Unknown(name)
        if call.path.startswith(("keras.backend.", "keras.config.")):
            return self._backend(call)
        if name == "Sequential":
            return self.sequential(call)
        if name in _INPUTS:
            return self.input_tensor(call)
        if name in ("Model", "Functional") and call.path.count(".") < 3:
            return self.functional(call) or Unknown()
        if name == "merge" and call.positional:
            return self.join("merge", call.positional[0], call)
        if any(isinstance(each, SymbolicTensor) for each in call.positional):
            return self.tensor_function(call)
        if call.path.startswith(LAYERS) or call.path.startswith(PRETRAINED):
            self.effects += 1
            if name in JOINS and call.positional and name.islower():
                return self.join(name, call.positional[0], call)
            if is_ambiguous_kernel(call):
                call = self._settle_kernel(call, root)
            self.created[id(call)] = call, len(self.created)
        elif call.positional and is_tensors(call.positional[0]):
            return self.tensor_function(call)
        return call

    def _settle_kernel(self, call: Call, root: str) -> Call:
        """`Conv2D(32, 3, 3)`, which means something else in old versions, where nothing else tells which."""
        if root == "tensorflow" or any(each.startswith("tensorflow") for each in self.star_imports):
            return call
        if call.name == "Convolution2D":
            self.notes.add(
                call.line, "read as in Keras 1, where the second and third number are the kernel size"
            )
            return modernize(call)
        self.notes.add(
            call.line,
            f"{call.positional[2]} is read as the strides; before Keras 2.3 it was part of the kernel size",
        )
        return call

    def _backend(self, call: Call) -> Any:
        """`K.image_data_format()` and its brothers. Unless the code changes it, images are channels last."""
        match call.name:
            case "image_data_format" | "common.image_data_format":
                return "channels_first" if self.channels_first else "channels_last"
            case "image_dim_ordering":
                return "th" if self.channels_first else "tf"
            case "set_image_data_format" | "set_image_dim_ordering":
                value = call.positional[0] if call.positional else None
                self.channels_first = value in ("channels_first", "th")
                return None
            case "int_shape" | "shape" if call.positional:
                return self.attribute(call.positional[0], "shape")
        return self.tensor_function(call)

    def on_apply(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        value = positional[0] if positional else next(iter(keywords.values()), Unknown())
        if isinstance(function, Call) and function.name in JOINS:
            return self.join(function.name, value, function)
        if isinstance(value, Data):
            return self.apply_to_data(function, value)
        if not isinstance(value, SymbolicTensor):
            return Unknown()
        trains = self.fixed_mode(function, positional, keywords)
        if isinstance(function, Instance):
            return self.apply_object(function, value, line, trains)
        if isinstance(function, Model):
            if trains is not None:
                self.note_mode(graph.iter_calls(function.items), trains, line)
            function.is_part = True
            self.effort.count_elements(len(function.items))
            return value.then(SubModel(tuple(function.items), line, function.name))
        if isinstance(function, Call):
            if function.name == "Lambda":
                return self.apply_lambda(function, value)
            self.count_application(function, line)
            if trains is False and self.is_off(function):
                return value
            if trains is not None:
                self.note_mode([function], trains, line)
            if direct and value.mode and value.activation is None and self.is_activation(function):
                return SymbolicTensor(value.inputs, (), value.mode, value.line, function)
            return value.then(LayerCall(function, name_argument(function)))
        return Unknown()

    def on_method(
        self, owner: Any, name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        if isinstance(owner, Data):
            return data_method(owner, name, positional, keywords) or Unknown(name)
        if isinstance(owner, Call) and owner.name == "ImageDataGenerator" and name.startswith("flow"):
            return self.flow(owner, Call(name, tuple(positional), keywords, line))
        model = self.model_of(owner)
        if model is None:
            return Unknown()
        if positional and isinstance(positional[0], Data):
            self.apply_to_data(model, positional[0])
        match name:
            case "add":
                self.add_layer(model, positional[0] if positional else Unknown(), line)
            case "pop":
                del model.items[-1:]
            case "build":
                shape = positional[0] if positional else keywords.get("input_shape")
                if model.shape is None and isinstance(shape, list | tuple):
                    model.shape = tuple(shape)[1:]
            case "compile" | "fit" | "fit_generator":
                model.importance = max(model.importance, 1 if name == "compile" else 2)
                model.training.append(TrainingCall(name, tuple(positional), dict(keywords), line))
        return Unknown()

    def on_loop(self, node: ast.For, values: Sequence[Any], scope: Scope) -> Any:
        target = node.target
        if isinstance(target, ast.Name) and "epoch" in target.id.lower() and isinstance(values, range):
            self.general["epochs"] = len(values)
            values = values[:1]  # what it contains is training, which is the same in every epoch
            return self.unroll(node, values, scope)
        return super().on_loop(node, values, scope)

    def creates_layers(self, function: Any) -> bool:
        match function:
            case Name(path=path):
                kinds = _TENSOR_FUNCTIONS if self.is_in_call else ()
                return canonical(path).startswith((*_CREATING, *kinds))
            case Call(path=path):
                return canonical(path).startswith(LAYERS)
            case BoundMethod(owner=owner, name="add"):
                return self.model_of(owner) is not None
            case Class():
                return canonical(function.library_base()).startswith("keras.")
            case Instance() | Model():
                # Outside of a `call`, to call a network is to use it.
                return self.is_in_call
        return False

    def on_attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Data):
            found = data_attribute(owner, name)
            return BoundMethod(owner, name) if found is None else found
        if isinstance(owner, SymbolicTensor) and name == "shape":
            return self.sizes_of(owner)
        if isinstance(owner, Model):
            if name == "layers":
                return self.layers_of(owner)
            if name in ("input", "output") and owner.ends is not None:
                return owner.ends[name == "output"]
        return BoundMethod(owner, name)
