"""What Keras code does to tensors in the functional style: joins, products, activations, and their shapes."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from cnnstudio.interchange.input_shapes import input_from_keras_shape
from cnnstudio.interchange.interpreter.graph import LayerCall, SymbolicTensor
from cnnstudio.interchange.keras.assembly import PREPROCESSING_LAYERS, KerasAssembler
from cnnstudio.interchange.keras.models import WEIGHTED_LAYERS, is_whole_shape
from cnnstudio.interchange.keras.objects import ObjectReader
from cnnstudio.interchange.keras.products import calls_between, product
from cnnstudio.interchange.settings import is_number
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.activations import KERAS_ACTIVATION_CALLS, resolve_activation
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Call, Unknown, UnsupportedCall

LAYERS = "keras.layers."
PRETRAINED = "keras.applications."
JOINS = {
    "add": "add",
    "Add": "add",
    "concatenate": "concat",
    "Concatenate": "concat",
    "concat": "concat",
    "multiply": "multiply",
    "Multiply": "multiply",
    "merge": "",
}
"""Name of a layer or function -> how it joins tensors; `merge` of Keras 1 has that as an argument."""


class TensorReader(ObjectReader):
    """Records operations on tensors."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.channels_first = False
        """Whether the images in the code are channels × height × width."""
        self.inputs: dict[int, tuple[SymbolicTensor, Any]] = {}
        """id of an input -> the input and its shape in the code."""
        self._shapes: dict[int, tuple[SymbolicTensor, Shape | None]] = {}
        self._applied: dict[int, tuple[Call, int]] = {}
        """id of a layer that was applied to a tensor -> the layer and the number of times."""

    def tensor_function(self, call: Call) -> Any:
        """`keras.ops.relu(x)`, `tf.nn.relu(x)` and the like."""
        first = call.positional[0] if call.positional else None
        mode = JOINS.get(call.name, "")
        if mode and is_tensors(first):
            return self.join(call.name, first, call)
        tensors = [each for each in call.positional if isinstance(each, SymbolicTensor)]
        if mode and len(tensors) == 2:
            return self.join(call.name, tensors, call)
        if not tensors:
            return Unknown(call.name)
        if call.path.startswith(PRETRAINED):
            self.notes.add(call.line, f"{call.name} is skipped: {PREPROCESSING_LAYERS['Normalization']}")
            return tensors[0]
        layer = _layer_of_function(call)
        if layer is not None:
            return tensors[0].then(LayerCall(layer))
        try:
            name = resolve_activation(call.name, lambda text: self.notes.add(call.line, text))
        except UnsupportedCall:
            self.notes.add(call.line, f"{call.name} is not a layer and is skipped")
            return tensors[0]
        return tensors[0].then(LayerCall(Call(f"{LAYERS}Activation", (name,), {}, call.line)))

    def count_application(self, call: Call, line: int) -> None:
        """Notes a layer with weights that is applied twice: a design has no shared weights."""
        _, times = self._applied.get(id(call), (call, 0))
        self._applied[id(call)] = call, times + 1
        if times and call.name in WEIGHTED_LAYERS:
            self.notes.add(
                line,
                f"{call.name} of line {call.line} is used again with the same weights; "
                "in the design each copy has its own",
            )

    def is_activation(self, call: Call) -> bool:
        return call.name == "Activation" or call.name in KERAS_ACTIVATION_CALLS

    def on_binary(self, operator: ast.operator, left: Any, right: Any, line: int) -> Any:
        if (
            isinstance(operator, ast.Add)
            and isinstance(left, SymbolicTensor)
            and isinstance(right, SymbolicTensor)
        ):
            return SymbolicTensor((left, right), (), "add", line)
        if isinstance(operator, ast.Mult) and is_tensors([left]) and is_tensors([right]):
            return self._product([left, right], line)
        factor = _factor(operator, left, right)
        if factor is not None:
            tensor = left if isinstance(left, SymbolicTensor) else right
            return tensor.then(LayerCall(Call(f"{LAYERS}Rescaling", (factor,), {}, line)))
        for value in (left, right):
            if isinstance(value, SymbolicTensor):
                self.notes.add(line, "this operation is not a layer and is skipped")
                return value
        return Unknown()

    def join(self, name: str, values: Any, call: Call) -> Any:
        mode, axis = JOINS.get(name, ""), call.keywords.get("axis", -1)
        if name == "merge":
            modes = {"sum": "add", "concat": "concat", "mul": "multiply"}
            mode = modes.get(str(call.keywords.get("mode", "sum")), "")
        tensors = values if isinstance(values, list | tuple) else []
        if not mode or not tensors or not all(isinstance(each, SymbolicTensor) for each in tensors):
            self.notes.add(call.line, "what is joined here is only known at run time")
            return Unknown()
        if mode == "multiply":
            return self._product(tensors, call.line)
        if mode == "concat" and axis not in ((1, -3) if self.channels_first else (-1, 3)):
            self.notes.add(
                call.line, f"this concatenates along axis {axis}; the channel axis is used instead"
            )
        self.effects += 1
        return SymbolicTensor(tuple(tensors), (), mode, call.line)

    def _product(self, tensors: Sequence[SymbolicTensor], line: int) -> SymbolicTensor:
        """The product of tensors, where it is a layer; else one of them, with a note on what is lost."""
        self.effects += 1
        found = product(tensors, self.shape_of(tensors[0])) if len(tensors) == 2 else None
        if found is not None:
            return found
        kept, lost = tensors[0], tensors[1:]
        calls = [call for tensor in lost for call in calls_between(kept, tensor)]
        if not calls and len(tensors) == 2:
            # The other factor may be the one that leads on.
            calls = calls_between(tensors[1], kept)
            kept = tensors[1] if calls else kept
        lines = ", ".join(str(each) for each in sorted({call.line for call in calls}))
        more = f" with the layers of line {lines}" if lines else ""
        self.notes.add(line, f"this product of tensors is not supported; one factor is skipped{more}")
        return kept

    def apply_lambda(self, call: Call, tensor: SymbolicTensor) -> SymbolicTensor:
        """A Lambda layer, which applies a function of the code."""
        function = call.positional[0] if call.positional else call.keywords.get("function")
        arguments = call.keywords.get("arguments")
        keywords = arguments if isinstance(arguments, dict) else {}
        result = self.call(function, [tensor], keywords, call.line, False)
        if isinstance(result, SymbolicTensor):
            return result
        self.notes.add(call.line, "what Lambda applies is only known at run time and is skipped")
        return tensor

    def sizes_of(self, tensor: SymbolicTensor) -> Any:
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
            shape = self.inputs.get(id(tensor), (tensor, None))[1]
            return input_from_keras_shape(shape)[0] if is_whole_shape(shape) else None
        shapes = [self._shapes[id(each)][1] for each in tensor.inputs]
        first = shapes[0]
        if first is None or None in shapes:
            return None
        if tensor.mode == "concat":
            return Shape.of(sum(each.dims[0] for each in shapes if each), *first.dims[1:])
        assembler = KerasAssembler(Notes(self.effort), channels_first=self.channels_first)
        return assembler.sequence(tensor.items, first)[1]

    def on_unknown_call(self, positional: Sequence[Any], line: int) -> Any:
        tensor = next((each for each in positional if isinstance(each, SymbolicTensor)), None)
        if tensor is None:
            return Unknown()
        self.notes.add(line, "the layer applied here is only known at run time and is skipped")
        return tensor


def _layer_of_function(call: Call) -> Call | None:
    """The layer that a function is: `tf.reduce_mean(x, axis=[1, 2])`, `tf.reshape(x, (-1, 128))`."""
    second = call.positional[1] if len(call.positional) > 1 else None
    match call.name:
        case "reduce_mean" | "mean":
            axes = call.keywords.get("axis", second)
            keeps = call.keywords.get("keepdims", call.keywords.get("keep_dims", False))
            if isinstance(axes, list | tuple) and sorted(map(str, axes)) == ["1", "2"] and keeps is not True:
                return Call(f"{LAYERS}GlobalAveragePooling2D", (), {}, call.line)
        case "reshape":
            sizes = call.keywords.get("shape", call.keywords.get("newshape", second))
            # The first is the number of images, known or not.
            if isinstance(sizes, list | tuple) and len(sizes) == 2:
                return Call(f"{LAYERS}Flatten", (), {}, call.line)
            if isinstance(sizes, list | tuple) and len(sizes) == 4:
                return Call(f"{LAYERS}Reshape", (tuple(sizes[1:]),), {}, call.line)
        case "batch_flatten" | "flatten":
            return Call(f"{LAYERS}Flatten", (), {}, call.line)
        case "dropout":
            rate = call.keywords.get("rate", second)
            return Call(f"{LAYERS}Dropout", (rate,), {}, call.line) if rate is not None else None
    return None


def _factor(operator: ast.operator, left: Any, right: Any) -> float | None:
    """The number by which `2 * x`, `x * 2` or `x / 2` multiplies a tensor; None for anything else."""
    if isinstance(operator, ast.Mult):
        tensor, number = (left, right) if isinstance(left, SymbolicTensor) else (right, left)
        return float(number) if isinstance(tensor, SymbolicTensor) and is_number(number) else None
    if isinstance(operator, ast.Div) and isinstance(left, SymbolicTensor) and is_number(right) and right:
        return 1.0 / float(right)
    return None


def is_tensors(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(each, SymbolicTensor) for each in value)
