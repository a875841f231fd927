"""What a listing does with tensors in `forward`, recorded as the modules that have the same effect.

Operations without such a module are recorded as calls under their own name: the assembler reports what it
does not know, with its line, as it does for modules.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.interchange.interpreter.graph import Items, LayerCall, SymbolicTensor
from cnnstudio.interchange.interpreter.interpreter import Interpreter
from cnnstudio.interchange.interpreter.methods import CHANGING
from cnnstudio.interchange.interpreter.values import BoundMethod, Class, Scope
from cnnstudio.interchange.pytorch.assembly import PYTORCH_SIGNATURES, PyTorchAssembler, bound_arguments
from cnnstudio.interchange.pytorch.modules import NN, is_module, lost_with
from cnnstudio.interchange.pytorch.parts import (
    dual_path,
    is_split,
    part_of_channels,
    parts_of_split,
    split_of,
)
from cnnstudio.interchange.pytorch.views import (
    clamping,
    flattened,
    is_whole_image,
    padding_module,
    pooled_along,
    squeezed,
)
from cnnstudio.interchange.settings import is_number
from cnnstudio.interchange.sizes import computed, image_sizes, rounded
from cnnstudio.interchange.slices import PART, part_of, steps_of
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Call, Name, Unknown

_MODULES = {name.lower(): name for name in PYTORCH_SIGNATURES} | {
    "interpolate": "Upsample",
    "pad": "ZeroPad2d",
}
"""A function of torch.nn.functional, in lower case without underscores -> the module with the same effect."""
_WITH_WEIGHTS = ("conv", "linear", "batchnorm", "layernorm", "groupnorm", "prelu")
"""What the names of functions begin with that are given weights, which their modules have themselves."""
SAME = frozenset(
    {"to", "cuda", "cpu", "eval", "train", "double", "float", "half", "bfloat16", "contiguous", "clone"}
    | {"detach", "requires_grad_", "type", "type_as", "share_memory", "apply"}
)
"""Methods of modules and tensors whose result is treated as the object itself."""
_FLATTENING = frozenset({"view", "reshape", "flatten"})
_CONCATENATIONS = frozenset({"cat", "concat", "concatenate"})
_OPERATORS: Mapping[str, type[ast.operator]] = {
    "add": ast.Add,
    "mul": ast.Mult,
    "multiply": ast.Mult,
    "sub": ast.Sub,
    "div": ast.Div,
}
_FUNCTION_ARGUMENTS = frozenset({"training"})
"""Arguments that functions have, but modules do not."""
_NO_MODULES = (f"{NN}init", f"{NN}functional", f"{NN}utils", f"{NN}parallel")
_ALL = slice(None)
_ALWAYS_ON = (
    "in the code this dropout is also on in use, as it is not told training=self.training; here it is not"
)
_SIZED_AS = frozenset({"expand_as", "view_as", "reshape_as"})
"""Methods of which another tensor gives only the sizes."""
_ABOUT_TENSORS = frozenset({"device", "dtype", "is_cuda", "requires_grad", "ndim", "indices"})
_NO_LAYER = "this operation is not a layer and is skipped"


@dataclass(frozen=True)
class Sample(Unknown):
    """A tensor of numbers of the program, such as `torch.randn(1, 3, 32, 32)`."""

    sizes: tuple[int, ...] = ()
    """Those of one image."""


class TensorReader(Interpreter):
    """Records what is done with tensors."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.following = 0
        """How many calls of `forward` are being interpreted, each inside the one before."""
        self._changed: dict[int, tuple[SymbolicTensor, SymbolicTensor]] = {}
        """id of a tensor that was changed in place -> the tensor as it was, and as it is now."""
        self._changed_inside: dict[int, tuple[SymbolicTensor, int]] = {}
        """id of a tensor that a module with layers of its own changes in place -> the tensor, the line."""
        # Ids of tensors, which live as long as the concatenation refers to them.
        self._concatenated: dict[tuple[int, ...], SymbolicTensor] = {}
        self._parts_of: dict[int, tuple[SymbolicTensor, ...]] = {}
        self._is_told_mode = False
        """Whether the call that is being interpreted says `training=self.training`, or the like."""

    def items_of(self, module: Any, line: int) -> Items:
        """The items of a module that is applied to a tensor."""
        raise NotImplementedError

    def changes_input(self, module: Any) -> bool:
        """Whether a module with layers of its own changes the tensor that it is applied to."""
        raise NotImplementedError

    # Operations in place

    def current(self, tensor: SymbolicTensor) -> SymbolicTensor:
        """The tensor after what has been done to it in place, by whatever name."""
        while id(tensor) in self._changed:
            tensor = self._changed[id(tensor)][1]
        if id(tensor) in self._changed_inside:
            _, line = self._changed_inside.pop(id(tensor))
            self.notes.add(
                line,
                "this changes its input in place, which is used again; the design uses it unchanged",
            )
        return tensor

    def _current_value(self, value: Any) -> Any:
        return self.current(value) if isinstance(value, SymbolicTensor) else value

    def change(self, old: SymbolicTensor, new: SymbolicTensor) -> SymbolicTensor:
        """Remembers that a tensor was changed in place, and returns what it is now."""
        if new is not old:
            self._changed[id(old)] = old, new
        return new

    def is_changed(self, tensor: SymbolicTensor) -> bool:
        """Whether a tensor was changed in place."""
        return id(tensor) in self._changed

    def on_augment(self, old: Any, new: Any) -> None:
        if isinstance(old, SymbolicTensor) and isinstance(new, SymbolicTensor):
            self.change(self.current(old), new)

    # Modules and functions applied to tensors

    def call_node(self, node: ast.Call, scope: Scope) -> Any:
        outer = self._is_told_mode
        given = [word.value for word in node.keywords if word.arg == "training"] or node.args[2:3]
        self._is_told_mode = bool(given) and not isinstance(given[0], ast.Constant)
        try:
            return super().call_node(node, scope)
        finally:
            self._is_told_mode = outer

    def apply_module(self, tensor: SymbolicTensor, module: Any, direct: bool, line: int) -> Any:
        """The tensor after a module; also the indices that it gives, if it is told to."""
        if isinstance(module, Call) and bound_arguments(module).get("return_indices") is True:
            keywords = {name: value for name, value in module.keywords.items() if name != "return_indices"}
            module = Call(module.path, module.positional, keywords, module.line)
            return self._after_module(tensor, module, direct, line), Unknown("indices")
        return self._after_module(tensor, module, direct, line)

    def _after_module(self, tensor: SymbolicTensor, module: Any, direct: bool, line: int) -> SymbolicTensor:
        self.effects += 1
        tensor = self.current(tensor)
        is_activation = isinstance(module, Call) and PyTorchAssembler.is_nonlinear(module)
        if direct and is_activation and tensor.mode in ("add", "concat") and tensor.activation is None:
            found = SymbolicTensor(tensor.inputs, (), tensor.mode, tensor.line, module)
        else:
            found = tensor.then(*self.items_of(module, line))
        if isinstance(module, Call):
            return self.change(tensor, found) if is_in_place(module) else found
        if self.changes_input(module):
            self._changed_inside[id(tensor)] = tensor, line
        return found

    def function_of_tensors(self, call: Call, direct: bool) -> Any:
        """`F.relu(x)`, `torch.flatten(x, 1)`, `torch.cat([x, y], 1)`."""
        self.effects += 1
        if call.name in _CONCATENATIONS:
            return self._concatenate(call)
        positional = list(call.positional)
        keywords = dict(call.keywords)
        if "input" in keywords:
            positional.insert(0, keywords.pop("input"))
        if call.name == "checkpoint":
            return self.call(positional[0], positional[1:], {}, call.line, False)
        first = positional[0]
        if not isinstance(first, SymbolicTensor):
            operation = self._operation(call.name, positional, keywords, call.line)
            return operation or self.lose(positional, call.name, call.line)
        return self._apply_function(first, call.name, positional[1:], keywords, call.line, direct)

    def method_of_tensor(
        self,
        tensor: SymbolicTensor,
        name: str,
        positional: Sequence[Any],
        keywords: Mapping[str, Any],
        line: int,
    ) -> Any:
        """`x.view(…)`, `x.relu()`."""
        if name == "clone":
            return self.current(tensor).then()
        if name in SAME:
            return tensor
        if name == "size":
            sizes = image_sizes()
            return sizes[positional[0]] if positional and positional[0] in (0, 1, 2, 3, -1, -2) else sizes
        if name in ("dim", "ndimension", "numel", "backward", "item", "get_device", "is_contiguous"):
            return Unknown()
        self.effects += 1
        return self._apply_function(tensor, name, positional, keywords, line, False)

    def _apply_function(
        self,
        tensor: SymbolicTensor,
        name: str,
        positional: Sequence[Any],
        keywords: Mapping[str, Any],
        line: int,
        direct: bool,
    ) -> Any:
        """Applies a function or method to a tensor; one such as `relu_` also changes the tensor itself."""
        tensor = self.current(tensor)
        found = self._function(tensor, name, positional, keywords, line, direct)
        is_changing = name.endswith("_") and isinstance(found, SymbolicTensor)
        return self.change(tensor, found) if is_changing else found

    def _function(
        self,
        tensor: SymbolicTensor,
        name: str,
        positional: Sequence[Any],
        keywords: Mapping[str, Any],
        line: int,
        direct: bool,
    ) -> Any:
        """What a function or method gives, recorded as the module with the same effect."""
        plain = name.replace("_", "").lower()
        operation = self._operation(name, [tensor, *positional], keywords, line)
        if operation is not None:
            return operation
        if name in _FLATTENING:
            return flattened(tensor, name, positional, keywords, line)
        if name in ("squeeze", "squeeze_"):
            return squeezed(tensor, line)
        if name in ("mean", "amax"):
            return pooled_along(tensor, name, positional, keywords, line)
        if name == "max" and type([*positional, *keywords.values(), None][0]) is int:
            # The largest values, and where they are.
            return pooled_along(tensor, name, positional, keywords, line), Unknown("indices")
        if name in ("chunk", "split"):
            return split_of(tensor, name, positional, keywords, line)
        if name == "narrow" and len(positional) == 3 and positional[0] == 1:
            return part_of_channels(tensor, positional[1], positional[2], line)
        if name == "zeros_like":
            return self._scaled(tensor, 0.0, line)
        if name in ("clamp", "clip", "clamp_", "hardtanh", "clamp_min"):
            activation = clamping(positional, keywords)
            if activation is not None:
                return self.apply_module(tensor, Call(activation, (), {}, line), direct, line)
        module = _MODULES.get(plain)
        if module is None or plain.startswith(_WITH_WEIGHTS):
            more = [each for each in (*positional, *keywords.values()) if isinstance(each, SymbolicTensor)]
            if more and name not in _SIZED_AS:
                return self.lose([tensor, *positional, *keywords.values()], name, line)
            return tensor.then(LayerCall(Call(f"tensor.{name}", tuple(positional), keywords, line)))
        if "dropout" in plain and not self._is_told_mode:
            if keywords.get("training", [*positional, True, True][1]) is False:
                return tensor
            self.notes.add(line, _ALWAYS_ON)
        if plain in ("avgpool2d", "maxpool2d") and is_whole_image([*positional, *keywords.values()]):
            kind = "AdaptiveAvgPool2d" if plain == "avgpool2d" else "AdaptiveMaxPool2d"
            return tensor.then(LayerCall(Call(f"{NN}{kind}", (1,), {}, line)))
        kept = {key: value for key, value in keywords.items() if key not in _FUNCTION_ARGUMENTS}
        # Functions such as dropout take (tensor, p, training); the module has no `training`.
        values = tuple(positional[:1] if "dropout" in name else positional)
        if plain == "pad":
            call = padding_module(Call("tensor.pad", values, kept, line))
            return tensor.then(LayerCall(call))
        return self.apply_module(tensor, Call(f"{NN}{module}", values, kept, line), direct, line)

    def _operation(self, name: str, values: Sequence[Any], keywords: Mapping[str, Any], line: int) -> Any:
        """`torch.add(x, y, alpha=2)` and the like; None for anything else."""
        operator = _OPERATORS.get(name.rstrip("_"))
        operands = [*values, keywords["other"]] if "other" in keywords else list(values)
        if operator is None or len(operands) != 2 or not keywords.keys() <= {"other", "alpha"}:
            return None
        left, right = operands
        alpha = keywords.get("alpha", 1)
        if alpha != 1:
            is_plain = is_number(right) and is_number(alpha)
            right = right * alpha if is_plain else self.on_binary(ast.Mult(), right, alpha, line)
        return self.on_binary(operator(), left, right, line)

    def _concatenate(self, call: Call) -> Any:
        given = call.positional[0] if call.positional else call.keywords.get("tensors")
        tensors = self.elements(given)
        if not tensors or not all(isinstance(each, SymbolicTensor) for each in tensors):
            return self.lose(tensors or [given], call.name, call.line)
        axis = call.keywords.get("dim", call.keywords.get("axis", [*call.positional, 0, 0][1]))
        if axis not in (1, -3):
            self.notes.add(
                call.line, f"this concatenates along axis {axis}; the channel axis is used instead"
            )
        return self._joined(list(tensors), call.line)

    def _joined(self, tensors: list[SymbolicTensor], line: int) -> SymbolicTensor:
        """The tensors one after the other.

        If the first of them were concatenated before, that result is used: `cat([a, b, c])` is
        `cat([cat([a, b]), c])`. In a block that concatenates all that it has computed so far, each layer then
        has one input, and the block can be expressed by groups.
        """
        tensors = [self.current(each) for each in tensors]
        dual = dual_path(tensors, line)
        if dual is not None:
            return dual
        parts = [self._parts_of.get(id(each), (each,)) for each in tensors]
        for count in range(len(tensors), 1, -1):
            known = self._concatenated.get(tuple(id(one) for part in parts[:count] for one in part))
            if known is not None:
                tensors = [known, *tensors[count:]]
                break
        if len(tensors) == 1:
            return tensors[0]
        found = SymbolicTensor(tuple(tensors), (), "concat", line)
        self._parts_of[id(found)] = tuple(one for part in parts for one in part)
        self._concatenated[tuple(map(id, self._parts_of[id(found)]))] = found
        self.effort.count_elements(len(self._parts_of[id(found)]))
        return found

    def lose(self, values: Sequence[Any], name: str, line: int) -> Any:
        """The first tensor among values of which others are not known; a note names what is lost."""
        lists = [each if isinstance(each, list | tuple) else [each] for each in values]
        tensors = [each for inside in lists for each in inside if isinstance(each, SymbolicTensor)]
        if not tensors:
            return Unknown(name)
        lost = "".join(lost_with(each, tensors[0]) for each in tensors[1:])
        self.notes.add(
            line, f"{name} is not a layer, or gets what is only known at run time; it is skipped{lost}"
        )
        return tensors[0]

    # Operators, indices and attributes

    def on_binary(self, operator: ast.operator, left: Any, right: Any, line: int) -> Any:
        if not isinstance(left, SymbolicTensor) and not isinstance(right, SymbolicTensor):
            return computed(operator, left, right)
        self.effects += 1
        left, right = self._current_value(left), self._current_value(right)
        both = isinstance(left, SymbolicTensor) and isinstance(right, SymbolicTensor)
        if both and isinstance(operator, ast.Sub):
            right, operator = self._scaled(right, -1.0, line), ast.Add()
        if both and isinstance(operator, ast.Add):
            return SymbolicTensor((left, right), (), "add", line)
        if both and isinstance(operator, ast.Mult):
            return SymbolicTensor((left, right), (), "multiply", line)
        tensor, other = (left, right) if isinstance(left, SymbolicTensor) else (right, left)
        product, quotient = isinstance(operator, ast.Mult), isinstance(operator, ast.Div) and tensor is left
        if is_number(other) and (product or (quotient and other)):
            return self._scaled(tensor, float(other) if product else 1 / other, line)
        if is_number(other) and not other and (isinstance(operator, ast.Add) or _is_minus(operator, left)):
            return tensor
        lost = lost_with(other, tensor) if isinstance(other, SymbolicTensor) else ""
        self.notes.add(line, f"{_NO_LAYER}{lost}")
        return tensor

    def on_rounding(self, function: str, number: Unknown) -> Any:
        return rounded(function, number)

    def on_unary(self, operator: ast.unaryop, value: Any, line: int) -> Any:
        if not isinstance(value, SymbolicTensor) or not isinstance(operator, ast.USub):
            return super().on_unary(operator, value, line)
        self.effects += 1
        return self._scaled(self.current(value), -1.0, line)

    def _scaled(self, tensor: SymbolicTensor, factor: float, line: int) -> SymbolicTensor:
        return tensor.then(LayerCall(Call(f"{NN}Scale", (factor,), {}, line)))

    def on_subscript(self, owner: Any, index: ast.expr, scope: Scope) -> Any:
        if not isinstance(owner, SymbolicTensor):
            return super().on_subscript(owner, index, scope)
        self.effects += 1
        tensor, line = self.current(owner), index.lineno
        indices = index.elts if isinstance(index, ast.Tuple) else [index]
        values = [self.index_value(each, scope) for each in indices]
        if values == [_ALL, _ALL, 0, 0]:
            return tensor.then(LayerCall(Call("tensor.indexing", (0, 0), {}, line)))
        name = "unsqueeze" if None in values else "indexing"
        call = part_of(values, line) or Call(f"tensor.{name}", (), {}, line)
        steps = steps_of(call) if call.path == PART else None
        if steps is not None:
            # The largest value of a window of one.
            call = Call(f"{NN}MaxPool2d", (1, steps), {}, line)
        return tensor.then(LayerCall(call))

    def on_unpack(self, value: Any, count: int) -> Sequence[Any] | None:
        # Of the size of the parts alone, it is not known how many there are.
        return parts_of_split(value, count) if isinstance(value, SymbolicTensor) and is_split(value) else None

    def on_assign_item(self, owner: Any, index: Any, value: Any, line: int) -> None:
        if isinstance(owner, SymbolicTensor):
            self.effects += 1
            lost = lost_with(value, owner) if isinstance(value, SymbolicTensor) else ""
            self.notes.add(line, f"this sets a part of a tensor, which no layer does; it is skipped{lost}")

    def tensor_attribute(self, tensor: SymbolicTensor, name: str) -> Any:
        """`x.shape` and the like; None for a method."""
        if name == "shape":
            return image_sizes()
        if name in ("data", "values"):
            return tensor
        return Unknown() if name in _ABOUT_TENSORS else None

    def on_unknown_call(self, positional: Sequence[Any], line: int) -> Any:
        tensor = next((each for each in positional if isinstance(each, SymbolicTensor)), None)
        if tensor is None:
            return Unknown()
        self.effects += 1
        self.notes.add(line, "what is applied here is only known at run time, so it is skipped")
        return tensor

    def creates_layers(self, function: Any) -> bool:
        match function:
            case Name(path=path):
                if self.following and _is_tensor_function(path):
                    return True
                return path.startswith((NN, "helpers.")) and not path.startswith(_NO_MODULES)
            case Class():
                return function.library_base().startswith("torch.nn.") or "forward" in function.names
            case BoundMethod(owner=SymbolicTensor()):
                return True
            case BoundMethod(owner=list() as owner, name=name):
                return name in CHANGING and any(map(is_module, owner))
            case BoundMethod(owner=owner, name=name):
                return is_module(owner) and (name in CHANGING or name in ("add_module", "register_module"))
        # Outside of a forward, to call a network is to use it.
        return self.following > 0 and is_module(function)


def _is_tensor_function(path: str) -> bool:
    """Whether this is a function that changes a tensor, such as `F.softmax` or `torch.cat`."""
    name = path.rpartition(".")[2]
    if path.startswith(f"{NN}functional."):
        return "loss" not in name and "entropy" not in name
    known = _FLATTENING | _CONCATENATIONS | _OPERATORS.keys() | _MODULES.keys()
    return path.startswith("torch.") and name.replace("_", "") in known


def _is_minus(operator: ast.operator, left: Any) -> bool:
    return isinstance(operator, ast.Sub) and isinstance(left, SymbolicTensor)


def is_in_place(call: Call) -> bool:
    """Whether a module changes the very tensor that it is applied to; in use, dropout changes nothing."""
    return bound_arguments(call).get("inplace") is True and "Dropout" not in call.name
