"""Reads Keras code as a design: Sequential models, the functional style and classes, without running it.

A `Sequential` is a list of items that grows with `add`. In the functional style, tensors pass from call to
call as `SymbolicTensor`s, and `keras.Model(inputs, outputs)` asks for the items between two of them. A class
with a method `call` is followed in the same way (see `objects`), and loops are recorded by `loops`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cnnstudio.design.network import UNTITLED, Network, clean_name
from cnnstudio.interchange.assembly import require_layer_limit, with_ids
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.data_sets import FOLDER, NamedData, data_name
from cnnstudio.interchange.endings import last_line, with_one_unit_read
from cnnstudio.interchange.input_shapes import DEFAULT_INPUT, input_from_keras_shape
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import (
    LayerCall,
    SubModel,
    SymbolicTensor,
    UnsupportedTopology,
    items_between,
)
from cnnstudio.interchange.interpreter.helpers import helper_name, is_helper
from cnnstudio.interchange.interpreter.names import title_from_docstring
from cnnstudio.interchange.interpreter.syntax import is_static
from cnnstudio.interchange.interpreter.values import BoundMethod, Class, Function, Instance, Scope
from cnnstudio.interchange.keras.assembly import PREPROCESSING_LAYERS, KerasAssembler, keras_types
from cnnstudio.interchange.keras.augmentation import is_augmentation_layer, read_layer
from cnnstudio.interchange.keras.data_values import (
    Data,
    data_attribute,
    data_function,
    data_method,
    flow_batch_size,
    images_of_folder,
    indexed,
    known_image_shape,
    load_data,
    resized,
)
from cnnstudio.interchange.keras.legacy import is_ambiguous_kernel, is_keras_1, modernize
from cnnstudio.interchange.keras.models import (
    Model,
    TrainingCall,
    canonical,
    is_whole_shape,
    known_sizes,
    name_argument,
    shape_argument,
    single,
)
from cnnstudio.interchange.keras.objects import ObjectReader
from cnnstudio.interchange.keras.training import read_compile, read_fit, read_optimizer
from cnnstudio.interchange.settings import is_number, with_shift_in_pixels
from cnnstudio.interchange.source import ImportedDesign, Note, Notes, parse
from cnnstudio.layers.activations import KERAS_ACTIVATION_CALLS, resolve_activation
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Call, Name, Unknown, UnsupportedCall

_LAYERS = "keras.layers."
_PRETRAINED = "keras.applications."
_JOINS = {
    "add": "add",
    "Add": "add",
    "concatenate": "concat",
    "Concatenate": "concat",
    "concat": "concat",
    "merge": "",
}
_MODELS = ("Sequential", "Model", "Functional")
_INPUTS = ("Input", "InputLayer")


def read_keras(text: str) -> ImportedDesign:
    """The design in Keras code, and the training settings. Raises CodeError."""
    tree = parse(text)
    reader = _Reader(Notes(), is_old=is_keras_1(tree))
    reader.follow(tree)
    model = reader.main_model()
    if model is None:
        raise CodeError(_no_model(reader.notes.all()))
    input_shape = reader.input_shape_of(model)
    title = title_from_docstring(ast.get_docstring(tree))
    assembler = KerasAssembler(
        reader.notes, generated=title is not None, channels_first=reader.channels_first
    )
    nodes, _ = assembler.sequence(tuple(model.items), input_shape)
    if not nodes:
        raise CodeError(_no_layers(reader.notes.all()))
    name = title or clean_name(model.name) or UNTITLED
    recipe = reader.recipe_of(model, input_shape)
    items = tuple(model.items)
    network = Network(input_shape, with_ids(nodes), name)
    network = with_one_unit_read(network, items, model.losses, reader.notes)
    notes = reader.notes.all()
    return ImportedDesign(network, recipe, notes, "keras", reader.data, last_line(items))


def _no_model(notes: Sequence[Note]) -> str:
    """Why there is no model: what was found instead of its layers, or what was looked for."""
    text = "there is no Keras model with layers: expected Sequential() or keras.Model(…)"
    return f"{text}; line {notes[0].line}: {notes[0].text}" if notes else text


def _no_layers(notes: Sequence[Note]) -> str:
    first = f": line {notes[0].line}: {notes[0].text}" if notes else ""
    return f"none of the layers can be imported{first}"


class _Reader(ObjectReader):
    """Finds the models, their layers and the training settings."""

    def __init__(self, notes: Notes, *, is_old: bool = False) -> None:
        """`is_old`: the code is written for Keras 1."""
        super().__init__(notes)
        self.data: NamedData | None = None
        """The first data set that the code loads."""
        self.channels_first = False
        """Whether the images in the code are channels × height × width."""
        self._is_old = is_old
        self._inputs: dict[int, tuple[SymbolicTensor, Any]] = {}
        self._shapes: dict[int, tuple[SymbolicTensor, Shape | None]] = {}
        self._general: dict[str, Any] = {}
        """Training settings outside of the calls of `compile` and `fit`."""
        self._optimizers: list[Call] = []
        self._image_size: tuple[Any, ...] | None = None
        """(height, width, channels) that images are resized to."""
        self._applied: dict[int, tuple[Call, int]] = {}
        """id of a layer that was applied to a tensor -> the layer and the number of times."""

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

    def main_model(self) -> Model | None:
        """The most important of the models, and among equals the largest; None if there is none."""
        for model in [model for model in self.models if not model.is_part]:
            start = SymbolicTensor()
            self._inputs[id(start)] = start, model.shape
            self.complete(model, start)
        models = [model for model in self.models if _layer_count(model)]
        # A model that is trained counts even if another one contains it, such as one with a softmax.
        models = [model for model in models if not model.is_part or model.importance] or models
        best = max(models, key=lambda model: (model.importance, _layer_count(model)), default=None)
        for model in models:
            if model is not best and best is not None and model.importance:
                self.notes.add(model.line, "this is a second model; only one is imported")
        return best

    def input_shape_of(self, model: Model) -> Shape:
        """The input shape of the model; a default, with a note, if the code does not specify it."""
        first = next(iter(graph.iter_calls(model.items)), None)
        shape = model.shape
        if first is not None:
            target = first.positional[0] if first.positional else first.keywords.get("target_shape")
            if first.name == "Reshape" and is_whole_shape(target) and len(list(target or ())) == 3:
                shape = target
            elif not is_whole_shape(shape):
                inside = shape_argument(first.keywords)
                shape = inside if inside is not None else shape
        if self._image_size is not None and not is_whole_shape(shape):
            shape = self._image_size
        self._find_channel_order(model, shape)
        if self.channels_first and isinstance(shape, list | tuple) and len(shape) == 3:
            shape = (*shape[1:], shape[0])
        found, note = input_from_keras_shape(shape)
        if note:
            self.notes.add(model.line, note)
        return found or DEFAULT_INPUT

    def _find_channel_order(self, model: Model, shape: Any) -> None:
        """Whether the model takes channels × height × width, by its layers or by the sizes."""
        formats = {call.keywords.get("data_format") for call in graph.iter_calls(model.items)}
        if "channels_first" in formats:
            self.channels_first = True
        if self.channels_first or not is_whole_shape(shape) or len(shape) != 3:
            return
        channels, height, width = shape
        if channels in (1, 3) and height == width and height > 4:
            self.channels_first = True
            self.notes.add(model.line, f"the input shape {tuple(shape)} is read as channels × height × width")

    def recipe_of(self, model: Model, shape: Shape) -> dict[str, Any]:
        """The training settings of a model that takes images of that shape."""
        recipe, line = dict(self._general), model.line
        if not any(each.name == "compile" for each in model.training) and self._optimizers:
            recipe |= read_optimizer(self._optimizers[-1], model.line, self.notes)
        for each in model.training:
            line = each.line
            if each.name == "compile":
                recipe |= read_compile(each.positional, each.keywords, line, self.notes)
            else:
                recipe |= read_fit(each.name, each.positional, each.keywords, line, self.notes)
        return with_shift_in_pixels(recipe, shape, line, self.notes)

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
        root = call.path.partition(".")[0]
        call = Call(canonical(call.path), call.positional, call.keywords, call.line)
        if self._is_old and call.path.startswith(_LAYERS):
            call = modernize(call)
        name = call.name
        data = self._data_call(call)
        if data is not None:
            return data
        if is_augmentation_layer(call):
            self._general |= read_layer(call, self.notes)
        elif call.path.startswith("keras.optimizers.") and call.path.count(".") == 2:
            self._optimizers.append(call)
        if not call.path.startswith("keras."):
            return self._function(call) if call.path.startswith("tensorflow.") else Unknown(name)
        if call.path.startswith(("keras.backend.", "keras.config.")):
            return self._backend(call)
        if name == "Sequential":
            return self._sequential(call)
        if name in _INPUTS:
            return self._input(call)
        if name in ("Model", "Functional") and call.path.count(".") < 3:
            return self._functional(call)
        if name == "merge" and call.positional:
            return self._join("merge", call.positional[0], call)
        if any(isinstance(each, SymbolicTensor) for each in call.positional):
            return self._function(call)
        if call.path.startswith(_LAYERS) or call.path.startswith(_PRETRAINED):
            self.effects += 1
            if name in _JOINS and call.positional and name.islower():
                return self._join(name, call.positional[0], call)
            if is_ambiguous_kernel(call):
                call = self._settle_kernel(call, root)
        elif call.positional and _is_tensors(call.positional[0]):
            return self._function(call)
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
        return self._function(call)

    def _data_call(self, call: Call) -> Any:
        """What the code loads or computes from data; None for any other call."""
        parts = call.path.split(".")
        if call.name == "load_data" and "datasets" in parts:
            self._name_data(data_name(parts[-2]), call.line)
            return load_data(data_name(parts[-2]))
        if parts[0] in ("tensorflow_datasets", "tfds") and call.name == "load":
            return self._tensorflow_data(call)
        if call.name == "image_dataset_from_directory":
            self._name_data(FOLDER, call.line)
            found = images_of_folder(call, "image_size")
            self._image_size = found.image_shape
            share = call.keywords.get("validation_split")
            if is_number(share) and share:
                self._general["validation_share"] = float(share)
            return (found, found) if call.keywords.get("subset") == "both" else found
        if call.name == "Resizing" or call.path == "tensorflow.image.resize":
            self._image_size = resized(call) or self._image_size
        if parts[0] in ("numpy", "np", "tensorflow") or call.path.startswith(("keras.utils", "keras.ops")):
            return data_function(call)
        return None

    def _name_data(self, name: str, line: int) -> None:
        self.data = self.data or NamedData(name, line)

    def _tensorflow_data(self, call: Call) -> Any:
        """`tfds.load("mnist", split=["train", "test"], with_info=True)`."""
        name = call.positional[0] if call.positional else call.keywords.get("name")
        if not isinstance(name, str):
            return Unknown()
        self._name_data(data_name(name.partition(":")[0].partition("/")[0]), call.line)
        found = Data((None, *known_image_shape(self.data)))
        split = call.keywords.get("split")
        data: Any = [found] * len(split) if isinstance(split, list | tuple) else found
        data = {"train": found, "test": found} if split is None else data
        return (data, Unknown("info")) if call.keywords.get("with_info") is True else data

    def _function(self, call: Call) -> Any:
        """`keras.ops.relu(x)`, `tf.nn.relu(x)` and the like."""
        first = call.positional[0] if call.positional else None
        mode = _JOINS.get(call.name, "")
        if mode and _is_tensors(first):
            return self._join(call.name, first, call)
        tensors = [each for each in call.positional if isinstance(each, SymbolicTensor)]
        if mode and len(tensors) == 2:
            return self._join(call.name, tensors, call)
        if not tensors:
            return Unknown(call.name)
        if call.path.startswith(_PRETRAINED):
            self.notes.add(call.line, f"{call.name} is skipped: {PREPROCESSING_LAYERS['Normalization']}")
            return tensors[0]
        try:
            name = resolve_activation(call.name, lambda text: self.notes.add(call.line, text))
        except UnsupportedCall:
            self.notes.add(call.line, f"{call.name} is not a layer and is skipped")
            return tensors[0]
        return tensors[0].then(LayerCall(Call(f"{_LAYERS}Activation", (name,), {}, call.line)))

    def on_apply(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        value = positional[0] if positional else next(iter(keywords.values()), Unknown())
        if isinstance(function, Call) and function.name in _JOINS:
            return self._join(function.name, value, function)
        if isinstance(value, Data):
            return self._apply_to_data(function, value)
        if not isinstance(value, SymbolicTensor):
            return Unknown()
        if isinstance(function, Instance):
            return self.apply_object(function, value, line)
        if isinstance(function, Model):
            function.is_part = True
            self.effort.count_elements(len(function.items))
            return value.then(SubModel(tuple(function.items), line, function.name))
        if isinstance(function, Call):
            self._count_application(function, line)
            if direct and value.mode and value.activation is None and self._is_activation(function):
                return SymbolicTensor(value.inputs, (), value.mode, value.line, function)
            return value.then(LayerCall(function, name_argument(function)))
        return Unknown()

    def _apply_to_data(self, function: Any, data: Data) -> Any:
        """A model that is applied to images shows the shape that it takes."""
        model = self.model_of(function)
        if model is not None and model.shape is None:
            model.shape = data.image_shape
        if model is not None and data.batch_size is not None:
            self._general["batch_size"] = data.batch_size
        return data if isinstance(function, Call) else Unknown()

    def _count_application(self, call: Call, line: int) -> None:
        """Notes a layer with weights that is applied twice: a design has no shared weights."""
        _, times = self._applied.get(id(call), (call, 0))
        self._applied[id(call)] = call, times + 1
        if times and call.name in _WEIGHTED:
            self.notes.add(
                line,
                f"{call.name} of line {call.line} is used again with the same weights; "
                "in the design each copy has its own",
            )

    def _is_activation(self, call: Call) -> bool:
        return call.name == "Activation" or call.name in KERAS_ACTIVATION_CALLS

    def on_binary(self, operator: ast.operator, left: Any, right: Any, line: int) -> Any:
        for value in (left, right):
            if isinstance(value, Data):
                return value
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

    def _join(self, name: str, values: Any, call: Call) -> Any:
        mode, axis = _JOINS.get(name, ""), call.keywords.get("axis", -1)
        if name == "merge":
            mode = {"sum": "add", "concat": "concat"}.get(str(call.keywords.get("mode", "sum")), "")
        tensors = values if isinstance(values, list | tuple) else []
        if not mode or not tensors or not all(isinstance(each, SymbolicTensor) for each in tensors):
            self.notes.add(call.line, "what is joined here is only known at run time")
            return Unknown()
        if mode == "concat" and axis not in ((1, -3) if self.channels_first else (-1, 3)):
            self.notes.add(
                call.line, f"this concatenates along axis {axis}; the channel axis is used instead"
            )
        self.effects += 1
        return SymbolicTensor(tuple(tensors), (), mode, call.line)

    def _sequential(self, call: Call) -> Model:
        model = Model([], call.line, name_argument(call))
        self.models.append(model)
        layers = call.positional[0] if call.positional else call.keywords.get("layers")
        for layer in self.elements(layers) or ():
            self.add_layer(model, layer, call.line)
        return model

    def add_layer(self, model: Model, layer: Any, line: int) -> None:
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
                model.shape = shape_argument(layer.keywords)
            model.items.append(LayerCall(layer, name_argument(layer)))
        elif isinstance(layer, Instance):
            model.items += self.object_items(layer, line)
        else:
            self.notes.add(line, "the layer added here is only known at run time and is skipped")

    def _input(self, call: Call) -> SymbolicTensor:
        self.effects += 1
        tensor = SymbolicTensor()
        keywords = call.keywords
        shape = call.positional[0] if call.positional else shape_argument(keywords)
        if shape is None and isinstance(keywords.get("tensor"), Data):
            shape = keywords["tensor"].image_shape
        self._inputs[id(tensor)] = tensor, known_sizes(shape)
        return tensor

    def _functional(self, call: Call) -> Any:
        values = [*call.positional, None, None]
        start = single(call.keywords.get("inputs", call.keywords.get("input", values[0])))
        end = single(call.keywords.get("outputs", call.keywords.get("output", values[1])))
        if isinstance(end, list | tuple) and end and isinstance(end[0], SymbolicTensor):
            self.notes.add(call.line, f"only the first of the {len(end)} outputs of this model is imported")
            end = end[0]
        if not isinstance(start, SymbolicTensor) or not isinstance(end, SymbolicTensor):
            several = isinstance(start, list | tuple | dict) or isinstance(end, list | tuple | dict)
            what = "only models with one input and one output can be imported"
            self.notes.add(
                call.line, what if several else "the layers of this model are only known at run time"
            )
            return Unknown()
        try:
            items = items_between(start, end)
        except UnsupportedTopology:
            raise CodeError(
                f"line {call.line}: groups cannot express how the layers of this model are connected"
            ) from None
        self.effort.count_elements(len(items))
        shape = self._inputs.get(id(start), (start, None))[1]
        model = Model(list(items), call.line, name_argument(call), shape, ends=(start, end))
        self.models.append(model)
        self.effects += 1
        return model

    def on_method(
        self, owner: Any, name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        if isinstance(owner, Data):
            return data_method(owner, name, positional, keywords) or Unknown(name)
        if isinstance(owner, Call) and owner.name == "ImageDataGenerator" and name.startswith("flow"):
            return self._flow(owner, Call(name, tuple(positional), keywords, line))
        model = self.model_of(owner)
        if model is None:
            return Unknown()
        if positional and isinstance(positional[0], Data):
            self._apply_to_data(model, positional[0])
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
                model.importance += 1 if name == "compile" else 2
                model.training.append(TrainingCall(name, tuple(positional), dict(keywords), line))
        return Unknown()

    def _flow(self, generator: Call, call: Call) -> Data:
        """`generator.flow(x, y, batch_size=64)` and `generator.flow_from_directory(…)`."""
        first = call.positional[0] if call.positional else call.keywords.get("x")
        if call.name == "flow":
            found = first if isinstance(first, Data) else Data()
            return replace(found, generator=generator, batch_size=flow_batch_size(call, 2))
        self._name_data(FOLDER, call.line)
        found = images_of_folder(call, "target_size")
        if self._image_size is None:
            self._image_size = found.image_shape
        return replace(found, generator=generator)

    def on_loop(self, node: ast.For, values: Sequence[Any], scope: Scope) -> Any:
        target = node.target
        if isinstance(target, ast.Name) and "epoch" in target.id.lower() and isinstance(values, range):
            self._general["epochs"] = len(values)
            values = values[:1]  # what it contains is training, which is the same in every epoch
            return self.unroll(node, values, scope)
        return super().on_loop(node, values, scope)

    def on_attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Data):
            found = data_attribute(owner, name)
            return BoundMethod(owner, name) if found is None else found
        if isinstance(owner, SymbolicTensor) and name == "shape":
            return self._sizes_of(owner)
        if isinstance(owner, Model):
            if name == "layers":
                return Unknown()
            if name in ("input", "output") and owner.ends is not None:
                return owner.ends[name == "output"]
        return BoundMethod(owner, name)

    def on_unknown_call(self, positional: Sequence[Any], line: int) -> Any:
        tensor = next((each for each in positional if isinstance(each, SymbolicTensor)), None)
        if tensor is None:
            return Unknown()
        self.notes.add(line, "the layer applied here is only known at run time and is skipped")
        return tensor

    def on_element(self, value: Any) -> Any:
        return (value, Unknown("labels")) if isinstance(value, Data) else Unknown()

    def on_subscript(self, owner: Any, index: ast.expr, scope: Scope) -> Any:
        if isinstance(owner, Data):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            return indexed(owner, [self._index(part, scope) for part in parts])
        return super().on_subscript(owner, index, scope)

    def _index(self, node: ast.expr, scope: Scope) -> Any:
        if isinstance(node, ast.Slice):
            return slice(None) if node.lower is node.upper is node.step is None else slice(0)
        if isinstance(node, ast.Constant) and node.value is Ellipsis:
            return Ellipsis
        value = self.evaluate(node, scope)
        return None if isinstance(value, Name) and value.last == "newaxis" else value

    # Shapes

    def _sizes_of(self, tensor: SymbolicTensor) -> Any:
        """`x.shape` as Keras has it: without the number of images, channels at the end."""
        shape = self.shape_of(tensor)
        if shape is None:
            return Unknown("shape")
        last = shape.dims if self.channels_first or shape.is_flat else (*shape.dims[1:], shape.dims[0])
        return (None, *last)

    def shape_of(self, tensor: SymbolicTensor) -> Shape | None:
        pending = [tensor]
        while pending:
            each = pending[-1]
            missing = [inner for inner in each.inputs if id(inner) not in self._shapes]
            if missing:
                pending += missing
                continue
            pending.pop()
            if id(each) not in self._shapes:
                self._shapes[id(each)] = each, self._infer(each)
        return self._shapes[id(tensor)][1]

    def _infer(self, tensor: SymbolicTensor) -> Shape | None:
        if not tensor.inputs:
            shape = self._inputs.get(id(tensor), (tensor, None))[1]
            return input_from_keras_shape(shape)[0] if is_whole_shape(shape) else None
        shapes = [self._shapes[id(each)][1] for each in tensor.inputs]
        first = shapes[0]
        if first is None or None in shapes:
            return None
        if tensor.mode == "concat":
            return Shape.of(sum(each.dims[0] for each in shapes if each), *first.dims[1:])
        assembler = KerasAssembler(Notes(self.effort), channels_first=self.channels_first)
        return assembler.sequence(tensor.items, first)[1]


def _layer_count(model: Model) -> int:
    """The number of layers; those that only prepare images do not make a network."""
    calls = graph.iter_calls(model.items)
    return sum(
        1 for call in calls if call.name not in PREPROCESSING_LAYERS and not is_augmentation_layer(call)
    )


def _is_tensors(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(each, SymbolicTensor) for each in value)


_WEIGHTED = frozenset(
    {"Conv2D", "Convolution2D", "Dense", "BatchNormalization", "DepthwiseConv2D", "SeparableConv2D"}
)
