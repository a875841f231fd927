"""PyTorch code as a design: nn.Sequential, and modules with a plain forward. Nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.design.network import UNTITLED, Network, clean_name, with_ending
from cnnstudio.interchange.assembly import group_types, require_few, with_ids
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.input_shapes import said_by_comments, said_by_names
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import (
    Grouped,
    Item,
    Items,
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
from cnnstudio.interchange.interpreter.syntax import needs_arguments
from cnnstudio.interchange.interpreter.values import Bound, Copies, Function, Instance
from cnnstudio.interchange.pytorch.assembly import (
    PYTORCH_SIGNATURES,
    PyTorchAssembler,
    fitting_input,
    is_own_name,
)
from cnnstudio.interchange.pytorch.file import NO_SOFTMAX
from cnnstudio.interchange.pytorch.training import trained
from cnnstudio.interchange.source import Imported, Notes, comments, parse
from cnnstudio.layers.code import Arguments, Call, Name, NotDrawable, Unknown

_NN = "torch.nn."
_MODULES = {name.lower(): name for name in PYTORCH_SIGNATURES} | {
    "interpolate": "Upsample",
    "pad": "ZeroPad2d",
}
"""A function of torch.nn.functional, small and without strokes -> the module that does the same."""
_LISTS = ("ModuleList", "ModuleDict")
_THEMSELVES = frozenset(
    {"to", "cuda", "cpu", "eval", "train", "double", "float", "half", "contiguous", "clone"}
)
"""Methods of modules and images that give these themselves."""
_FLATTENS = frozenset({"view", "reshape", "flatten", "squeeze"})
_PASSED_TO_FUNCTIONS = frozenset({"training", "inplace"})


def read_pytorch(text: str) -> Imported:
    """The design in PyTorch code, with what it says of the training. Raises CodeError."""
    reader = _Reader(Notes())
    tree = parse(text)
    reader.execute(tree.body, reader.module)
    found = reader.network(tree)
    if found is None:
        raise CodeError(
            "there is no PyTorch network in it: nn.Sequential(…) or a class with forward is needed"
        )
    remarks = comments(text)
    said = said_by_names(reader.module.names) or next(iter(reader.hints), None) or said_by_comments(remarks)
    shape = fitting_input(found.items, said, found.line, reader.notes)
    title = written_title(ast.get_docstring(tree))
    row, _ = PyTorchAssembler(reader.notes, own=title is not None).row(found.items, shape)
    if not row:
        raise CodeError("none of its layers can be drawn")
    nodes = with_ids(row)
    if any(remark == NO_SOFTMAX for _, remark in remarks):
        # The written code leaves it to the loss.
        nodes = with_ending(nodes, lambda layer: layer.taking({"activation": "softmax"}))
    name = title or clean_name(found.name) or UNTITLED
    return Imported(Network(shape, nodes, name), trained(reader.training), reader.notes.all(), "pytorch")


@dataclass(frozen=True)
class _Found:
    items: Items
    line: int
    name: str


class _Reader(Interpreter):
    """Finds modules, follows their forward, and notes what the code says of training and images."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.training: list[Call] = []
        self.hints: list[tuple[int, ...]] = []
        self._modules: list[Instance | Call] = []
        self._inside: set[int] = set()
        """Modules that are part of another one."""
        self._parts = 0
        self._names: dict[int, str] = {}
        """The attributes under which modules are kept."""

    def network(self, tree: ast.Module) -> _Found | None:
        """The largest module of the program that is part of no other."""
        found = self._largest()
        if found is None:
            self._make_some(tree)
            found = self._largest()
        return found

    def _largest(self) -> _Found | None:
        found: list[_Found] = []
        # What is made later may hold what was made before, never the other way round.
        for module in reversed(self._modules):
            if id(module) in self._inside:
                continue
            items = self._row(module)
            if items:
                name = module.kind.node.name if isinstance(module, Instance) else ""
                found.append(_Found(items, module.line, name))
        best = max(found, key=lambda each: sum(1 for _ in graph.calls(each.items)), default=None)
        for each in found:
            if best is not None and each.name != best.name:
                self.notes.add(each.line, "this is another network; one is drawn")
        return best

    def _make_some(self, tree: ast.Module) -> None:
        """Makes what the program only defines: what needs no arguments first, which may hold the others."""
        defined = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        for needed in (False, True):
            for node in defined:
                if needs_arguments(node) == needed:
                    self.call(self.module.names.get(node.name), [], {}, node.lineno, False)
            if self._modules:
                return

    # What the program's names and calls mean

    def on_name(self, name: str) -> Any:
        """The listing leaves its imports out, or imports everything."""
        known = {"torch": "torch", "nn": "torch.nn", "F": "torch.nn.functional", "optim": "torch.optim"}
        if name in known:
            return Name(known[name])
        if name == "OrderedDict":
            return Name("collections.OrderedDict")
        if is_helper(name):
            return Name(f"helpers.{name}")
        if name in PYTORCH_SIGNATURES or name in ("Sequential", "Module", *_LISTS):
            return Name(f"{_NN}{name}")
        return Unknown(name)

    def on_class(self, node: ast.ClassDef | ast.FunctionDef) -> Any:
        return Name(f"helpers.{node.name}") if helper_name(node) else None

    def on_call(self, call: Call, direct: bool) -> Any:
        path, name = call.path, call.name
        if name == "OrderedDict":
            return _entries(call.positional[0]) if call.positional else {}
        if path.startswith("torch.optim.") or name in ("CrossEntropyLoss", "DataLoader", "cross_entropy"):
            self.training.append(call)
            return Unknown(name)
        if any(isinstance(each, Tensor) for each in call.positional) or (
            name in ("cat", "concat", "concatenate") and call.positional
        ):
            return self._function(call, direct)
        if path.startswith(("torch.nn.init", "torch.nn.functional")):
            return call
        if path.startswith((_NN, "helpers.")):
            return self._module(call)
        self._hint(call)
        return Unknown(name)

    def _module(self, call: Call) -> Any:
        self.events += 1
        if call.name in _LISTS:
            parts = call.positional[0] if call.positional else []
            return list(parts) if isinstance(parts, list | tuple) else parts
        call = Call(f"{_NN}{call.name}", call.positional, call.keywords, call.line)
        if call.name == "Sequential":
            self._modules.append(call)
        return call

    def _hint(self, call: Call) -> None:
        """`torch.randn(1, 3, 32, 32)` and `summary(model, (3, 32, 32))` say what goes in."""
        sizes: list[Any] = [*call.positional, *call.keywords.values()]
        if call.path.startswith("torch.") and call.name in ("randn", "rand", "zeros", "ones"):
            sizes = [sizes[0] if sizes and isinstance(sizes[0], tuple) else tuple(call.positional)]
        elif call.name != "summary":
            return
        for each in sizes:
            if isinstance(each, tuple) and len(each) in (3, 4) and all(type(size) is int for size in each):
                self.hints.append(each[-3:])

    def on_instance(self, instance: Instance) -> None:
        if instance.kind.library_base().startswith(_NN):
            self.events += 1
            self._modules.append(instance)

    def on_library_init(self, instance: Instance, positional: Sequence[Any], line: int) -> None:
        if instance.kind.library_base() == f"{_NN}Sequential":
            instance.names["__row__"] = tuple(positional)

    def on_assign(self, owner: Instance, name: str, value: Any) -> None:
        if isinstance(value, Instance) or (isinstance(value, Call) and value.name == "Sequential"):
            self._names.setdefault(id(value), name)

    def on_attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Tensor) and name in ("shape", "device", "dtype"):
            return Unknown()
        return Bound(owner, name)

    # Images on their way

    def on_apply(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        image = positional[0] if positional else None
        if not isinstance(image, Tensor):
            return Unknown()
        if isinstance(function, Call):
            return self._applied(image, function, direct)
        if isinstance(function, Instance):
            items = self._items(function, "")
            return image.then(*items)
        return Unknown()

    def _applied(self, image: Tensor, call: Call, direct: bool) -> Tensor:
        bends = call.name in PYTORCH_SIGNATURES and PyTorchAssembler.bends(call)
        if direct and bends and image.mode and image.activation is None:
            return Tensor(image.inputs, (), image.mode, image.line, call)
        return image.then(*self._items(call, ""))

    def _function(self, call: Call, direct: bool) -> Any:
        """`F.relu(x)`, `torch.flatten(x, 1)`, `torch.cat([x, y], 1)`."""
        first = call.positional[0]
        if call.name in ("cat", "concat", "concatenate"):
            return self._joined(call)
        tensors = [each for each in call.positional if isinstance(each, Tensor)]
        if call.name == "add" and len(tensors) == 2:
            return Tensor(tuple(tensors), (), "add", call.line)
        if not isinstance(first, Tensor):
            return Unknown(call.name)
        return self._as_module(first, call.name, call.positional[1:], call.keywords, call.line, direct)

    def _as_module(
        self,
        image: Tensor,
        name: str,
        positional: Sequence[Any],
        keywords: Mapping[str, Any],
        line: int,
        direct: bool,
    ) -> Any:
        """What a function or method does to an image, as the module that does the same."""
        if name in _FLATTENS:
            return self._flattened(image, name, positional, line)
        if name == "mean":
            pooled = Call(f"{_NN}AdaptiveAvgPool2d", (1,), {}, line)
            return image.then(Piece(pooled), Piece(Call(f"{_NN}Flatten", (), {}, line)))
        module = _MODULES.get(name.replace("_", "").lower())
        if module is None:
            self.notes.add(line, f"{name} is no layer here, so it is not drawn")
            return image
        kept = {key: value for key, value in keywords.items() if key not in _PASSED_TO_FUNCTIONS}
        # The third argument of dropout and its like is whether the network trains.
        values = tuple(positional[:1] if "dropout" in name else positional)
        return self._applied(image, Call(f"{_NN}{module}", values, kept, line), direct)

    def _flattened(self, image: Tensor, name: str, positional: Sequence[Any], line: int) -> Tensor:
        sizes = positional[0] if positional and isinstance(positional[0], tuple) else tuple(positional)
        if name in ("view", "reshape") and len(sizes) > 2:
            self.notes.add(line, f"{name} into {len(sizes)} axes is not drawn")
            return image
        return image.then(Piece(Call(f"{_NN}Flatten", (), {}, line)))

    def _joined(self, call: Call) -> Any:
        tensors = self.elements(call.positional[0]) or []
        if not tensors or not all(isinstance(each, Tensor) for each in tensors):
            return Unknown(call.name)
        axis = call.keywords.get("dim", call.keywords.get("axis", [*call.positional, 0, 0][1]))
        if axis not in (1, -3):
            self.notes.add(call.line, f"this joins along axis {axis}; it is drawn along the channels")
        return Tensor(tuple(tensors), (), "concat", call.line)

    def on_binary(self, sign: ast.operator, left: Any, right: Any, line: int) -> Any:
        if isinstance(left, Tensor) and isinstance(right, Tensor) and isinstance(sign, ast.Add):
            return Tensor((left, right), (), "add", line)
        image, factor = (left, right) if isinstance(left, Tensor) else (right, left)
        if not isinstance(image, Tensor):
            return Unknown()
        product, quotient = isinstance(sign, ast.Mult), isinstance(sign, ast.Div) and image is left
        if isinstance(factor, int | float) and factor and (product or quotient):
            value = float(factor) if product else 1 / factor
            return image.then(Piece(Call(f"{_NN}Scale", (value,), {}, line)))
        self.notes.add(line, "this is no layer, so it is not drawn")
        return image

    def on_method(
        self, owner: Any, name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        if isinstance(owner, Tensor):
            if name in _THEMSELVES:
                return owner
            if name in ("size", "dim", "numel", "backward", "item"):
                return Unknown()
            return self._as_module(owner, name, positional, keywords, line, False)
        if name in _THEMSELVES and isinstance(owner, Instance | Call):
            return owner
        if isinstance(owner, Instance) and name in ("add_module", "register_module") and len(positional) == 2:
            owner.names[str(positional[0])] = positional[1]
        return Unknown()

    def on_loop(self, node: ast.For, values: Sequence[Any], scope: Any) -> Any:
        target = node.target
        if isinstance(target, ast.Name) and "epoch" in target.id.lower() and isinstance(values, range):
            self.training.append(Call("epochs", (len(values),), {}, node.lineno))
            values = values[:1]
        return self.unroll(node, values, scope)

    # Modules as rows of items

    def _row(self, module: Any) -> Items:
        """What a module does, without a frame of its own."""
        items = self._items(module, "")
        return items[0].items if len(items) == 1 and isinstance(items[0], Nest) else items

    def _items(self, module: Any, name: str, line: int = 1) -> Items:
        """What a module does, as a part of another one; `line` is where that is made."""
        self._parts += 1
        require_few(self._parts // 4)
        name = name or self._names.get(id(module), "")
        self._inside.add(id(module))
        match module:
            case Copies(value=value, count=count):
                return (Rounds(((self._row(value), count),), _line(value), counted=True),)
            case Call(name="Sequential"):
                return self._sequence(module.positional, name, module.line)
            case Call():
                return (self._grouped(module) or Piece(module, name),)
            case Instance():
                return self._instance(module, name)
            case _:
                self.notes.add(
                    0, f"what {name or 'a part'} is, only the running program knows: it is left out"
                )
        return ()

    def _instance(self, module: Instance, name: str) -> Items:
        forward = self.attribute(module, "forward")
        if not isinstance(forward, Function):
            return self._sequence(module.names.get("__row__", ()), name, module.line)
        start = Tensor()
        end = self.call(forward, [start], {}, module.line, False)
        if isinstance(end, tuple | list) and end:
            self.notes.add(module.line, "its forward gives several results; the first is drawn")
            end = end[0]
        if not isinstance(end, Tensor):
            self.notes.add(module.line, f"the forward of {module.kind.node.name} cannot be followed")
            return ()
        try:
            items = between(start, end)
        except Tangled:
            raise CodeError(
                f"line {module.line}: the layers of {module.kind.node.name} are joined in a way that groups "
                "cannot draw"
            ) from None
        return items if len(items) == 1 else (Nest(items, module.line, name or module.kind.node.name),)

    def _sequence(self, parts: Sequence[Any], name: str, line: int) -> Items:
        """The parts of an nn.Sequential: named, or one after the other."""
        entries = parts[0] if len(parts) == 1 else None
        if isinstance(entries, dict):
            items: list[Item] = []
            for key, value in entries.items():
                items += self._items(value, str(key), line)
            return (Nest(tuple(items), line, "" if is_own_name(name) else name),)
        rows = [_copied(part) for part in parts]
        if rows and all(isinstance(value, Call) and value.name == "Sequential" for value, _ in rows):
            bodies = tuple((self._row(value), count) for value, count in rows)
            counted = any(isinstance(part, Copies) for part in parts)
            self._inside.update(id(value) for value, _ in rows)
            return (Rounds(bodies, line, counted, rows=not counted),)
        inside = tuple(item for part in parts for item in self._items(part, "", line))
        return (Nest(inside, line, "" if is_own_name(name) else name),)

    def _grouped(self, call: Call) -> Grouped | None:
        """The group that a call of a group's own helper makes."""
        for kind in group_types():
            if call.name in kind.pytorch_calls:
                try:
                    layer, bodies = kind.from_pytorch_group(Arguments(call, kind.pytorch_calls[call.name]))
                except NotDrawable as error:
                    self.notes.add(call.line, f"{call.name} {error}")
                    return None
                parts = self.elements(bodies) or ()
                self._inside.update(map(id, (*parts, *call.positional, *call.keywords.values())))
                return Grouped(layer, tuple(self._row(body) for body in parts), call.line)
        return None


def _copied(part: Any) -> tuple[Any, int]:
    return (part.value, part.count) if isinstance(part, Copies) else (part, 1)


def _entries(value: Any) -> Any:
    """What an OrderedDict holds: pairs, or a dict."""
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
