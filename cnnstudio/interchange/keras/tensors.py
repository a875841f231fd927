"""What Keras code does to tensors in the functional style: joins, products, activations, and their shapes."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from cnnstudio.interchange.input_shapes import input_from_keras_shape
from cnnstudio.interchange.interpreter.graph import LayerCall, SymbolicTensor
from cnnstudio.interchange.interpreter.values import Scope
from cnnstudio.interchange.keras.assembly import PREPROCESSING_LAYERS, KerasAssembler
from cnnstudio.interchange.keras.models import WEIGHTED_LAYERS, is_whole_shape
from cnnstudio.interchange.keras.objects import ObjectReader
from cnnstudio.interchange.keras.products import calls_between, product
from cnnstudio.interchange.settings import is_number
from cnnstudio.interchange.slices import equal_parts, part_of, parts_between, steps_of
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
    "subtract": "subtract",
    "Subtract": "subtract",
    "average": "average",
    "Average": "average",
    "maximum": "maximum",
    "Maximum": "maximum",
    "minimum": "minimum",
    "Minimum": "minimum",
    "dot": "dot",
    "Dot": "dot",
    "merge": "",
}
"""Name of a layer or function -> how it joins tensors; `merge` of Keras 1 has that as an argument."""


_OPERATORS: Mapping[str, type[ast.operator]] = {
    "add": ast.Add,
    "subtract": ast.Sub,
    "multiply": ast.Mult,
    "divide": ast.Div,
    "true_divide": ast.Div,
}
"""Functions of two tensors, or of one and a number."""
_SPLITS = "splits the channels, which no layer does; each part is read as all of them"
_MOST_PARTS = 16


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
        operator = _OPERATORS.get(call.name)
        if operator is not None and len(call.positional) == 2 and tensors:
            return self.on_binary(operator(), call.positional[0], call.positional[1], call.line)
        if mode and len(tensors) == 2:
            return self.join(call.name, tensors, call)
        if call.name in ("stack", "split", "unstack"):
            return self._taken_apart(call)
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

    def _taken_apart(self, call: Call) -> Any:
        """What a function gives that splits the channels, or puts tensors along a new axis."""
        first = call.positional[0] if call.positional else next(iter(call.keywords.values()), None)
        if isinstance(first, list | tuple):
            tensors = [each for each in first if isinstance(each, SymbolicTensor)]
            self.effects += bool(tensors)
            what = f"{call.name} is not a layer"
            return self._only_first(tensors, what, call.line) if tensors else Unknown(call.name)
        if not isinstance(first, SymbolicTensor):
            return Unknown(call.name)
        self.effects += 1
        count = call.positional[1] if len(call.positional) > 1 else call.keywords.get("num_or_size_splits")
        axis = call.keywords.get("axis", [*call.positional, 0, 0, 0][2])
        if call.name == "split" and axis in ((1, -3) if self.channels_first else (-1, 3)):
            parts = _parts_of_channels(count, call)
            if parts:
                return tuple(first.then(LayerCall(part)) for part in parts)
        count = len(count) if isinstance(count, list | tuple) else count
        self.notes.add(call.line, f"{call.name} {_SPLITS}")
        return (first,) * count if type(count) is int and 0 < count <= _MOST_PARTS else first

    def _only_first(self, tensors: Sequence[SymbolicTensor], what: str, line: int) -> SymbolicTensor:
        """The first of several tensors, with a note on what is lost with the others."""
        calls = [call for tensor in tensors[1:] for call in calls_between(tensors[0], tensor)]
        lines = ", ".join(map(str, sorted({call.line for call in calls})))
        more = f" with the layers of line {lines}" if lines else ""
        self.notes.add(line, f"{what}; all but its first tensor is skipped{more}")
        return tensors[0]

    def _scaled(self, tensor: SymbolicTensor, factor: float, line: int) -> SymbolicTensor:
        return tensor.then(LayerCall(Call(f"{LAYERS}Rescaling", (factor,), {}, line)))

    def on_unary(self, operator: ast.unaryop, value: Any, line: int) -> Any:
        if not isinstance(value, SymbolicTensor) or not isinstance(operator, ast.USub):
            return super().on_unary(operator, value, line)
        self.effects += 1
        return self._scaled(value, -1.0, line)

    def on_subscript(self, owner: Any, index: ast.expr, scope: Scope) -> Any:
        if not isinstance(owner, SymbolicTensor):
            return super().on_subscript(owner, index, scope)
        self.effects += 1
        indices = index.elts if isinstance(index, ast.Tuple) else [index]
        values = [self.index_value(each, scope) for each in indices]
        part = part_of(values, index.lineno, channels_last=not self.channels_first)
        call = part or Call("tensor.indexing", (), {}, index.lineno)
        steps = steps_of(part) if part is not None else None
        if steps is not None:
            # The largest value of a window of one.
            call = Call(f"{LAYERS}MaxPooling2D", ((1, 1), steps), {}, index.lineno)
        return owner.then(LayerCall(call))

    def on_binary(self, operator: ast.operator, left: Any, right: Any, line: int) -> Any:
        both = isinstance(left, SymbolicTensor) and isinstance(right, SymbolicTensor)
        if both and isinstance(operator, ast.Sub):
            right, operator = self._scaled(right, -1.0, line), ast.Add()
        if both and isinstance(operator, ast.Add):
            return SymbolicTensor((left, right), (), "add", line)
        if isinstance(operator, ast.Mult) and is_tensors([left]) and is_tensors([right]):
            return self._product([left, right], line)
        factor = _factor(operator, left, right)
        if factor is not None:
            return self._scaled(left if isinstance(left, SymbolicTensor) else right, factor, line)
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
        if mode == "subtract" and len(tensors) == 2:
            return self.on_binary(ast.Sub(), tensors[0], tensors[1], call.line)
        if mode == "average":
            total = SymbolicTensor(tuple(tensors), (), "add", call.line)
            return self._scaled(total, 1 / len(tensors), call.line)
        if mode not in ("add", "concat"):
            return self._only_first(tensors, f"{name} is not supported", call.line)
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
        case "reduce_mean" | "mean" | "reduce_max" | "max" | "amax":
            axes = call.keywords.get("axis", second)
            keeps = call.keywords.get("keepdims", call.keywords.get("keep_dims", False))
            if isinstance(axes, list | tuple) and sorted(map(str, axes)) == ["1", "2"]:
                kind = "GlobalAveragePooling2D" if "mean" in call.name else "GlobalMaxPooling2D"
                return Call(f"{LAYERS}{kind}", (), {"keepdims": True} if keeps is True else {}, call.line)
        case "maximum" | "clip" | "clip_by_value":
            limits = (*call.positional[1:], *call.keywords.values())
            if call.name == "maximum" and limits == (0,):
                return Call(f"{LAYERS}Activation", ("relu",), {}, call.line)
            if call.name != "maximum" and limits == (0, 6):
                return Call(f"{LAYERS}Activation", ("relu6",), {}, call.line)
        case "pad":
            border = call.keywords.get("paddings", call.keywords.get("pad_width", second))
            is_plain = (
                len(call.positional) <= 2 and call.keywords.get("mode", "constant").lower() == "constant"
            )
            if is_plain and _is_border(border):
                sides = tuple(map(tuple, border[1:3]))
                return Call(f"{LAYERS}ZeroPadding2D", (sides,), {}, call.line)
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


def _is_border(value: Any) -> bool:
    """Whether only height and width get a border: `[[0, 0], [1, 1], [1, 1], [0, 0]]`."""
    is_whole = isinstance(value, list | tuple) and len(value) == 4
    pairs = [list(each) if isinstance(each, list | tuple) else [] for each in value] if is_whole else []
    return bool(pairs) and all(len(each) == 2 for each in pairs) and pairs[0] == pairs[3] == [0, 0]


def _parts_of_channels(parts: Any, call: Call) -> list[Call]:
    """The calls for the parts of a split along the channels; none if they are not known."""
    if type(parts) is int and 0 < parts <= _MOST_PARTS:
        return equal_parts(parts, call.line)
    numbers = list(parts) if isinstance(parts, list | tuple) else []
    if (
        not numbers
        or len(numbers) > _MOST_PARTS
        or not all(type(each) is int and each > 0 for each in numbers)
    ):
        return []
    if not call.path.startswith("tensorflow."):
        # Of Keras, where the parts end; of TensorFlow, how large they are.
        return parts_between([0, *numbers, None], call.line)
    return parts_between([0, *itertools.accumulate(numbers)], call.line)


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
