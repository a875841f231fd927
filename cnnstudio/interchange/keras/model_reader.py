"""Builds the models of Keras code: lists of layers that grow, and what is between two tensors."""

from __future__ import annotations

from typing import Any

from cnnstudio.interchange.assembly import require_layer_limit
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.input_shapes import DEFAULT_INPUT, input_from_keras_shape
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import (
    LayerCall,
    SubModel,
    SymbolicTensor,
    UnsupportedTopology,
    items_between,
)
from cnnstudio.interchange.interpreter.values import UNKNOWN, BoundMethod, Instance, expand_copies
from cnnstudio.interchange.keras.choice import main_network, named_networks
from cnnstudio.interchange.keras.data_reader import DataReader
from cnnstudio.interchange.keras.data_values import Data
from cnnstudio.interchange.keras.models import (
    Model,
    is_whole_shape,
    known_sizes,
    name_argument,
    shape_argument,
    single,
)
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Call


class ModelReader(DataReader):
    """Puts layers into models, and says what the input of a model is."""

    def main_model(self) -> Model | None:
        """The most important of the models; None if there is none."""
        for model in [model for model in self.models if not model.is_part]:
            start = SymbolicTensor()
            self.inputs[id(start)] = start, model.shape
            self.complete(model, start)
        return main_network(self.models)

    def networks(self) -> dict[str, Model]:
        """Name -> model, for all models that are not a part of another one."""
        return named_networks(self.models, self.module.names)

    def sequential(self, call: Call) -> Model:
        """`Sequential(layers)`."""
        model = Model([], call.line, name_argument(call))
        self.models.append(model)
        layers = call.positional[0] if call.positional else call.keywords.get("layers")
        if layers is not None:
            self.add_layers(model, layers, call.line)
        return model

    def add_layer(self, model: Model, layer: Any, line: int) -> None:
        """`model.add(layer)`."""
        self.effects += 1
        require_layer_limit(len(model.items))
        if isinstance(layer, SymbolicTensor) and id(layer) in self.inputs:
            model.shape = self.inputs[id(layer)][1]
        elif isinstance(layer, Model):
            layer.is_part = True
            self.effort.count_elements(len(layer.items))
            model.shape = layer.shape if not model.items and model.shape is None else model.shape
            model.items.append(SubModel(tuple(layer.items), line, layer.name))
        elif isinstance(layer, Call):
            if model.shape is None and not model.items:
                model.shape = shape_argument(layer.keywords)
            if layer.name == "Lambda":
                start = SymbolicTensor()
                model.items += self.items_of(start, self.apply_lambda(layer, start), "Lambda", layer.line)
            else:
                model.items.append(LayerCall(layer, name_argument(layer)))
        elif isinstance(layer, Instance):
            model.items += self.object_items(layer, line)
        else:
            self.notes.add(line, "the layer added here is only known at run time and is skipped")

    def add_layers(self, model: Model, layers: Any, line: int) -> None:
        """Adds the layers of a list; what is not known of it has a note."""
        known = self.elements(layers)
        if known is None:
            # Of a list that a loop of unknown length has filled, the first layers are known.
            known = list(expand_copies(layers, self.clone)) if isinstance(layers, list | tuple) else [UNKNOWN]
        for layer in known:
            self.add_layer(model, layer, line)

    def input_tensor(self, call: Call) -> SymbolicTensor:
        """`Input(shape)`."""
        self.effects += 1
        tensor = SymbolicTensor()
        keywords = call.keywords
        shape = call.positional[0] if call.positional else shape_argument(keywords)
        if shape is None and isinstance(keywords.get("tensor"), Data):
            shape = keywords["tensor"].image_shape
        self.inputs[id(tensor)] = tensor, known_sizes(shape)
        return tensor

    def functional(self, call: Call) -> Model | None:
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
            return None
        try:
            items = items_between(start, end)
        except UnsupportedTopology:
            raise CodeError(
                f"line {call.line}: groups cannot express how the layers of this model are connected"
            ) from None
        self.effort.count_elements(len(items))
        shape = self.inputs.get(id(start), (start, None))[1]
        model = Model(list(items), call.line, name_argument(call), shape, ends=(start, end))
        self.models.append(model)
        self.effects += 1
        return model

    def layers_of(self, model: Model) -> Any:
        """`model.layers`, if all of them are known one by one."""
        calls = [item.call for item in model.items if isinstance(item, LayerCall)]
        if len(calls) < len(model.items):
            return BoundMethod(model, "layers")
        # A model in the functional style begins with its input.
        return [*(model.ends[:1] if model.ends is not None else ()), *calls]

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
        if self.image_size is not None and not is_whole_shape(shape):
            shape = self.image_size
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
