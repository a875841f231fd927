"""Reads PyTorch code as a design: nn.Sequential, and modules with a simple forward, without running the code.

A module is an object of a class whose `forward` defines what it does. To find that out, `forward` is
interpreted with a `SymbolicTensor`, and the items between its argument and its result are the module's
content. Functions and methods on tensors (`F.relu(x)`, `x.view(…)`) are recorded as the equivalent module, so
that the assembler sees modules only.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.design.network import UNTITLED, Network, clean_name, map_last_layer
from cnnstudio.interchange.assembly import group_types, require_layer_limit, with_ids
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.data_sets import FOLDER, NamedData, data_name
from cnnstudio.interchange.endings import last_line, with_one_unit_read
from cnnstudio.interchange.input_shapes import input_from_comments, input_from_constants
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import (
    ExplicitGroup,
    Item,
    Items,
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
from cnnstudio.interchange.interpreter.syntax import has_required_arguments
from cnnstudio.interchange.interpreter.values import BoundMethod, Copies, Function, Instance
from cnnstudio.interchange.pytorch.assembly import (
    PYTORCH_SIGNATURES,
    PyTorchAssembler,
    infer_input_shape,
    is_generated_name,
)
from cnnstudio.interchange.pytorch.file import NO_SOFTMAX_COMMENTS
from cnnstudio.interchange.pytorch.training import is_training_call, read_training
from cnnstudio.interchange.settings import with_shift_in_pixels
from cnnstudio.interchange.source import ImportedDesign, Notes, comments, parse
from cnnstudio.layers.code import Arguments, Call, Name, Unknown, UnsupportedCall

_NN = "torch.nn."
_MODULES = {name.lower(): name for name in PYTORCH_SIGNATURES} | {
    "interpolate": "Upsample",
    "pad": "ZeroPad2d",
}
"""A function of torch.nn.functional, in lower case without underscores -> the module with the same effect."""
_CONTAINERS = ("ModuleList", "ModuleDict")
_RETURN_SELF = frozenset(
    {"to", "cuda", "cpu", "eval", "train", "double", "float", "half", "contiguous", "clone"}
)
"""Methods of modules and tensors whose result is treated as the object itself."""
_FLATTENING = frozenset({"view", "reshape", "flatten", "squeeze"})
_FUNCTION_ARGUMENTS = frozenset({"training", "inplace"})
"""Arguments that functions have, but modules do not, or where they make no difference."""


def read_pytorch(text: str, network: str = "") -> ImportedDesign:
    """The design in PyTorch code, and the training settings. Raises CodeError.

    `network` is the name of the class to read, if the code has several networks.
    """
    reader = _Reader(Notes())
    tree = parse(text)
    reader.execute(tree.body, reader.module)
    found = reader.network(tree, network)
    if found is None and network:
        raise CodeError(f"there is no network “{network}” in the code")
    if found is None:
        raise CodeError("there is no PyTorch network: expected nn.Sequential(…) or a class with forward")
    code_comments = comments(text)
    given_shape = (
        input_from_constants(reader.module.names)
        or next(iter(reader.input_shapes), None)
        or input_from_comments(code_comments)
    )
    shape = infer_input_shape(found.items, given_shape, found.line, reader.notes)
    title = title_from_docstring(ast.get_docstring(tree))
    assembler = PyTorchAssembler(reader.notes, generated=title is not None)
    nodes_without_ids, _ = assembler.sequence(found.items, shape)
    if not nodes_without_ids:
        raise CodeError("none of the layers can be imported")
    nodes = with_ids(nodes_without_ids)
    if any(comment in NO_SOFTMAX_COMMENTS for _, comment in code_comments):
        # The exported code leaves the design's softmax to the loss function.
        nodes = map_last_layer(nodes, lambda layer: layer.with_values({"activation": "softmax"}))
    name = title or clean_name(found.name) or UNTITLED
    losses = [call.name for call in reader.training]
    design = with_one_unit_read(Network(shape, nodes, name), found.items, losses, reader.notes)
    recipe = read_training(reader.training, reader.notes)
    recipe = with_shift_in_pixels(recipe, shape, found.line, reader.notes)
    notes = reader.notes.all()
    return ImportedDesign(
        design, recipe, notes, "pytorch", data=reader.data, last_line=last_line(found.items)
    )


@dataclass(frozen=True)
class _Found:
    items: Items
    line: int
    name: str


class _Reader(Interpreter):
    """Finds modules and interprets their forward; collects training settings and input shapes."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.data: NamedData | None = None
        """The first data set that the code loads."""
        self.training: list[Call] = []
        """Calls of optimizers, losses and data loaders."""
        self.input_shapes: list[tuple[int, ...]] = []
        """(channels, height, width) found in calls such as `torch.randn(1, 3, 32, 32)`."""
        self._modules: list[Instance | Call] = []
        self._submodules: set[int] = set()
        """ids of modules that are part of another one."""
        self._parts = 0
        self._names: dict[int, str] = {}
        """id of a module -> the attribute that it is assigned to."""

    def network(self, tree: ast.Module, name: str = "") -> _Found | None:
        """The largest module of the program, of that class if given; None if there is none."""
        found = self._largest(name)
        if found is None:
            self._instantiate_definitions(tree)
            found = self._largest(name)
        return found

    def _largest(self, name: str) -> _Found | None:
        found: list[_Found] = []
        # A module can only contain modules that were created before it. Going backwards, the containing
        # module comes first and marks its parts, so that they are skipped.
        for module in reversed(self._modules):
            if id(module) in self._submodules:
                continue
            items = self._content(module)
            if items:
                name = module.kind.node.name if isinstance(module, Instance) else ""
                found.append(_Found(items, module.line, name))
        if name:
            found = [each for each in found if each.name == name]
        best = max(found, key=lambda each: sum(1 for _ in graph.iter_calls(each.items)), default=None)
        for each in found:
            if best is not None and each.name != best.name:
                self.notes.add(each.line, "this is a second network; only one is imported")
        return best

    def _instantiate_definitions(self, tree: ast.Module) -> None:
        """Calls the classes and functions that the program only defines.

        Those without required arguments come first: they are usually the whole network, which creates the
        others with the right arguments.
        """
        definitions = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        for with_required in (False, True):
            for node in definitions:
                if has_required_arguments(node) == with_required:
                    self.call(self.module.names.get(node.name), [], {}, node.lineno, False)
            if self._modules:
                return

    # The meaning of names and calls

    def on_name(self, name: str) -> Any:
        """Resolves names of listings without their imports, or with `import *`."""
        known = {"torch": "torch", "nn": "torch.nn", "F": "torch.nn.functional", "optim": "torch.optim"}
        if name in known:
            return Name(known[name])
        if name == "OrderedDict":
            return Name("collections.OrderedDict")
        if is_helper(name):
            return Name(f"helpers.{name}")
        if name in PYTORCH_SIGNATURES or name in ("Sequential", "Module", *_CONTAINERS):
            return Name(f"{_NN}{name}")
        return Unknown(name)

    def on_class(self, node: ast.ClassDef | ast.FunctionDef) -> Any:
        return Name(f"helpers.{node.name}") if helper_name(node) else None

    def on_call(self, call: Call, direct: bool) -> Any:
        path, name = call.path, call.name
        if name == "OrderedDict":
            return _entries(call.positional[0]) if call.positional else {}
        if is_training_call(call):
            self.training.append(call)
            return Unknown(name)
        if path.startswith("torchvision.datasets."):
            folder = name in ("ImageFolder", "DatasetFolder")
            self.data = self.data or NamedData(FOLDER if folder else data_name(name), call.line)
            return Unknown(name)
        if any(isinstance(each, SymbolicTensor) for each in call.positional) or (
            name in ("cat", "concat", "concatenate") and call.positional
        ):
            return self._function(call, direct)
        if path.startswith(("torch.nn.init", "torch.nn.functional")):
            return call
        if path.startswith((_NN, "helpers.")):
            return self._module(call)
        self._collect_input_shape(call)
        return Unknown(name)

    def _module(self, call: Call) -> Any:
        self.effects += 1
        if call.name in _CONTAINERS:
            parts = call.positional[0] if call.positional else []
            return list(parts) if isinstance(parts, list | tuple) else parts
        call = Call(f"{_NN}{call.name}", call.positional, call.keywords, call.line)
        if call.name == "Sequential":
            self._modules.append(call)
        return call

    def _collect_input_shape(self, call: Call) -> None:
        """`torch.randn(1, 3, 32, 32)` and `summary(model, (3, 32, 32))` tell the input shape."""
        sizes: list[Any] = [*call.positional, *call.keywords.values()]
        if call.path.startswith("torch.") and call.name in ("randn", "rand", "zeros", "ones"):
            sizes = [sizes[0] if sizes and isinstance(sizes[0], tuple) else tuple(call.positional)]
        elif call.name != "summary":
            return
        for each in sizes:
            if isinstance(each, tuple) and len(each) in (3, 4) and all(type(size) is int for size in each):
                self.input_shapes.append(each[-3:])

    def on_instance(self, instance: Instance) -> None:
        if instance.kind.library_base().startswith(_NN):
            self.effects += 1
            self._modules.append(instance)
        elif instance.kind.node.name == "Cutout":
            # Not in torchvision: everybody copies the authors' class, whose parameters are these.
            size = instance.names.get("length", instance.names.get("size"))
            if type(size) is int:
                self.training.append(Call("cutout", (size,), {}, instance.line))

    def on_library_init(
        self, instance: Instance, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> None:
        if instance.kind.library_base() == f"{_NN}Sequential":
            instance.names["__parts__"] = tuple(positional)

    def on_assign(self, owner: Instance, name: str, value: Any) -> None:
        if isinstance(value, Instance) or (isinstance(value, Call) and value.name == "Sequential"):
            self._names.setdefault(id(value), name)

    def on_attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, SymbolicTensor) and name in ("shape", "device", "dtype"):
            return Unknown()
        return BoundMethod(owner, name)

    # Images on their way

    def on_apply(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        tensor = positional[0] if positional else None
        if not isinstance(tensor, SymbolicTensor):
            return Unknown()
        if isinstance(function, Call):
            return self._apply_module(tensor, function, direct)
        if isinstance(function, Instance):
            items = self._items_of(function, "")
            return tensor.then(*items)
        return Unknown()

    def _apply_module(self, tensor: SymbolicTensor, call: Call, direct: bool) -> SymbolicTensor:
        is_activation = call.name in PYTORCH_SIGNATURES and PyTorchAssembler.is_nonlinear(call)
        if direct and is_activation and tensor.mode and tensor.activation is None:
            return SymbolicTensor(tensor.inputs, (), tensor.mode, tensor.line, call)
        return tensor.then(*self._items_of(call, ""))

    def _function(self, call: Call, direct: bool) -> Any:
        """`F.relu(x)`, `torch.flatten(x, 1)`, `torch.cat([x, y], 1)`."""
        first = call.positional[0]
        if call.name in ("cat", "concat", "concatenate"):
            return self._concatenate(call)
        tensors = [each for each in call.positional if isinstance(each, SymbolicTensor)]
        if call.name == "add" and len(tensors) == 2:
            return SymbolicTensor(tuple(tensors), (), "add", call.line)
        if not isinstance(first, SymbolicTensor):
            return Unknown(call.name)
        return self._apply_function(first, call.name, call.positional[1:], call.keywords, call.line, direct)

    def _apply_function(
        self,
        tensor: SymbolicTensor,
        name: str,
        positional: Sequence[Any],
        keywords: Mapping[str, Any],
        line: int,
        direct: bool,
    ) -> Any:
        """Applies a function or method to a tensor, recorded as the module with the same effect."""
        if name in _FLATTENING:
            return self._flatten(tensor, name, positional, line)
        if name == "mean":
            pooled = Call(f"{_NN}AdaptiveAvgPool2d", (1,), {}, line)
            return tensor.then(LayerCall(pooled), LayerCall(Call(f"{_NN}Flatten", (), {}, line)))
        module = _MODULES.get(name.replace("_", "").lower())
        if module is None:
            self.notes.add(line, f"{name} is not a layer and is skipped")
            return tensor
        kept = {key: value for key, value in keywords.items() if key not in _FUNCTION_ARGUMENTS}
        # Functions such as dropout take (tensor, p, training); the module has no `training`.
        values = tuple(positional[:1] if "dropout" in name else positional)
        return self._apply_module(tensor, Call(f"{_NN}{module}", values, kept, line), direct)

    def _flatten(
        self, tensor: SymbolicTensor, name: str, positional: Sequence[Any], line: int
    ) -> SymbolicTensor:
        sizes = positional[0] if positional and isinstance(positional[0], tuple) else tuple(positional)
        if name in ("view", "reshape") and len(sizes) > 2:
            self.notes.add(line, f"{name} to {len(sizes)} axes is not supported and is skipped")
            return tensor
        return tensor.then(LayerCall(Call(f"{_NN}Flatten", (), {}, line)))

    def _concatenate(self, call: Call) -> Any:
        tensors = self.elements(call.positional[0]) or []
        if not tensors or not all(isinstance(each, SymbolicTensor) for each in tensors):
            return Unknown(call.name)
        axis = call.keywords.get("dim", call.keywords.get("axis", [*call.positional, 0, 0][1]))
        if axis not in (1, -3):
            self.notes.add(
                call.line, f"this concatenates along axis {axis}; the channel axis is used instead"
            )
        return SymbolicTensor(tuple(tensors), (), "concat", call.line)

    def on_binary(self, operator: ast.operator, left: Any, right: Any, line: int) -> Any:
        if (
            isinstance(left, SymbolicTensor)
            and isinstance(right, SymbolicTensor)
            and isinstance(operator, ast.Add)
        ):
            return SymbolicTensor((left, right), (), "add", line)
        tensor, factor = (left, right) if isinstance(left, SymbolicTensor) else (right, left)
        if not isinstance(tensor, SymbolicTensor):
            return Unknown()
        product, quotient = isinstance(operator, ast.Mult), isinstance(operator, ast.Div) and tensor is left
        if isinstance(factor, int | float) and factor and (product or quotient):
            value = float(factor) if product else 1 / factor
            return tensor.then(LayerCall(Call(f"{_NN}Scale", (value,), {}, line)))
        self.notes.add(line, "this operation is not a layer and is skipped")
        return tensor

    def on_method(
        self, owner: Any, name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        if isinstance(owner, SymbolicTensor):
            if name in _RETURN_SELF:
                return owner
            if name in ("size", "dim", "numel", "backward", "item"):
                return Unknown()
            return self._apply_function(owner, name, positional, keywords, line, False)
        if name in _RETURN_SELF and isinstance(owner, Instance | Call):
            return owner
        if isinstance(owner, Instance) and name in ("add_module", "register_module") and len(positional) == 2:
            owner.names[str(positional[0])] = positional[1]
        return Unknown()

    def on_loop(self, node: ast.For, values: Sequence[Any], scope: Any) -> Any:
        target = node.target
        if isinstance(target, ast.Name) and "epoch" in target.id.lower() and isinstance(values, range):
            self.training.append(Call("epochs", (len(values),), {}, node.lineno))
            values = values[:1]  # what it contains is training, which is the same in every epoch
        return self.unroll(node, values, scope)

    # Modules as items

    def _content(self, module: Any) -> Items:
        """The items inside a module, without the module itself around them."""
        items = self._items_of(module, "")
        return items[0].items if len(items) == 1 and isinstance(items[0], SubModel) else items

    def _items_of(self, module: Any, name: str, line: int = 1) -> Items:
        """The items for a module that is part of another one. `line` is the line of that one."""
        # Not every part is a layer: a layer with its containers takes a few parts. The limit only has to stop
        # a module that contains itself exponentially often, such as `a = nn.Sequential(a, a)` sixty times.
        self._parts += 1
        require_layer_limit(self._parts // 4)
        self.effort.check_time()
        name = name or self._names.get(id(module), "")
        self._submodules.add(id(module))
        match module:
            case Copies(value=value, count=count):
                return (LoopBody(((self._content(value), count),), _line(value), counted=True),)
            case Call(name="Sequential"):
                return self._sequence(module.positional, name, module.line)
            case Call():
                return (self._explicit_group(module) or LayerCall(module, name),)
            case Instance():
                return self._instance(module, name)
            case _:
                self.notes.add(0, f"{name or 'a module'} is only known at run time and is skipped")
        return ()

    def _instance(self, module: Instance, name: str) -> Items:
        forward = self.attribute(module, "forward")
        if not isinstance(forward, Function):
            return self._sequence(module.names.get("__parts__", ()), name, module.line)
        start = SymbolicTensor()
        end = self.call(forward, [start], {}, module.line, False)
        if isinstance(end, tuple | list) and end:
            self.notes.add(module.line, "its forward returns several results; only the first is imported")
            end = end[0]
        if not isinstance(end, SymbolicTensor):
            self.notes.add(module.line, f"the forward of {module.kind.node.name} cannot be interpreted")
            return ()
        try:
            items = items_between(start, end)
        except UnsupportedTopology:
            raise CodeError(
                f"line {module.line}: groups cannot express how the layers of {module.kind.node.name} "
                "are connected"
            ) from None
        return items if len(items) == 1 else (SubModel(items, module.line, name or module.kind.node.name),)

    def _sequence(self, parts: Sequence[Any], name: str, line: int) -> Items:
        """The items for an nn.Sequential with these parts, or with an OrderedDict of named parts.

        If all parts are Sequentials themselves, they may be equal blocks, and become a LoopBody.
        """
        entries = parts[0] if len(parts) == 1 else None
        if isinstance(entries, dict):
            items: list[Item] = []
            for key, value in entries.items():
                items += self._items_of(value, str(key), line)
            return (SubModel(tuple(items), line, "" if is_generated_name(name) else name),)
        counted_parts = [_with_count(part) for part in parts]
        if parts and all(
            isinstance(value, Call) and value.name == "Sequential" for value, _ in counted_parts
        ):
            copies = tuple((self._content(value), count) for value, count in counted_parts)
            counted = any(isinstance(part, Copies) for part in parts)
            self._submodules.update(id(value) for value, _ in counted_parts)
            return (LoopBody(copies, line, counted, separate=not counted),)
        inside = tuple(item for part in parts for item in self._items_of(part, "", line))
        return (SubModel(inside, line, "" if is_generated_name(name) else name),)

    def _explicit_group(self, call: Call) -> ExplicitGroup | None:
        """The group for a call of one of the helper modules of groups; None for any other call."""
        for kind in group_types():
            if call.name in kind.pytorch_calls:
                try:
                    layer, bodies = kind.from_pytorch_group(Arguments(call, kind.pytorch_calls[call.name]))
                except UnsupportedCall as error:
                    self.notes.add(call.line, f"{call.name} is not imported as a group: it {error}")
                    return None
                parts = self.elements(bodies) or ()
                self._submodules.update(map(id, (*parts, *call.positional, *call.keywords.values())))
                return ExplicitGroup(layer, tuple(self._content(body) for body in parts), call.line)
        return None


def _with_count(part: Any) -> tuple[Any, int]:
    return (part.value, part.count) if isinstance(part, Copies) else (part, 1)


def _entries(value: Any) -> Any:
    """The dict for the argument of OrderedDict: pairs, or a dict."""
    if isinstance(value, dict):
        return value
    pairs = (
        [pair for pair in value if isinstance(pair, tuple) and len(pair) == 2]
        if isinstance(value, list)
        else []
    )
    return {key: part for key, part in pairs if isinstance(key, str)}


def _line(value: Any) -> int:
    return int(getattr(value, "line", 0))
