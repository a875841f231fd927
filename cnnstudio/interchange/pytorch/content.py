"""The modules that a listing creates, as the items of a graph of layers."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnnstudio.interchange.assembly import group_types, require_layer_limit
from cnnstudio.interchange.chain import CodeError
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
from cnnstudio.interchange.interpreter.syntax import returns_tuple
from cnnstudio.interchange.interpreter.values import (
    REST,
    UNKNOWN,
    BoundMethod,
    Copies,
    Function,
    Instance,
    is_known,
)
from cnnstudio.interchange.pytorch.assembly import bound_arguments, is_generated_name
from cnnstudio.interchange.pytorch.locks import Locks, ParameterOf, Parameters
from cnnstudio.interchange.pytorch.missing import number_for
from cnnstudio.interchange.pytorch.modules import (
    LAYER,
    NET,
    PARTS,
    ModuleSequence,
    Part,
    children,
    clone,
    is_module,
    sequence_of,
)
from cnnstudio.interchange.pytorch.parts import KEPT_BRANCH, STOCHASTIC_DEPTH
from cnnstudio.interchange.pytorch.tensors import SAME, Sample, TensorReader, is_in_place
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Arguments, Call, Unknown, UnsupportedCall

_WEIGHTS = frozenset({"in_channels", "in_features", "num_features", "num_channels"})
"""Arguments of modules that have weights."""
_CHILDREN: Mapping[str, Callable[[tuple[str, Any]], Any]] = {
    "named_children": lambda pair: pair,
    "children": lambda pair: pair[1],
    "items": lambda pair: pair,
    "values": lambda pair: pair[1],
    "keys": lambda pair: pair[0],
}
"""Methods that give the modules inside another one -> what each of them gives for (name, module)."""
_PARAMETERS = frozenset({"parameters", "named_parameters"})
_UNKNOWN_LOCKS = "which layers this locks is only known at run time, so it locks none"
_USES = frozenset({"parameters", "named_parameters", "train", "fit"})
"""Methods of a network that is trained."""


class ContentReader(TensorReader):
    """Turns modules into items by following their forward."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.modules: list[Instance | ModuleSequence] = []
        """The networks and parts of networks that the program has created, in that order."""
        self.used: Counter[int] = Counter()
        """id of a module -> how often the program uses it, as where it is trained."""
        self.submodules: set[int] = set()
        """ids of modules that are part of another one."""
        self.tried = ""
        """The function of the program that is called to see whether it builds a network."""
        self.given_names: dict[int, str] = {}
        """id of a module -> the attribute that it is assigned to."""
        self.locks = Locks()
        self._changing: set[int] = set()
        """ids of modules whose forward changes its argument in place."""
        self._parts = 0

    def use(self, module: Any) -> None:
        """Counts that the program does something with a network as a whole."""
        if not self.following:
            self.used[id(module)] += 1

    def content(self, module: Any, line: int = 0) -> Items:
        """The items inside a module, without the module itself around them; `line` is where it is used."""
        items = self.items_of(module, getattr(module, "line", 0) or line)
        return items[0].items if len(items) == 1 and isinstance(items[0], SubModel) else items

    def report_shared_weights(self, items: Items) -> None:
        """Reports layers that a network applies several times: a design has a layer for each."""
        times = Counter(id(call) for call in graph.iter_calls(items))
        for call in graph.iter_calls(items):
            if times[id(call)] > 1 and _WEIGHTS & bound_arguments(call).keys():
                self.notes.add(
                    call.line,
                    f"{call.name} is applied {times[id(call)]} times with the same weights; "
                    "here each of them has weights of its own",
                )

    def changes_input(self, module: Any) -> bool:
        match module:
            case Call():
                return is_in_place(module)
            case ModuleSequence():
                return bool(module.parts) and self.changes_input(module.parts[0].module)
            case Instance() if isinstance(module.names.get(PARTS), ModuleSequence):
                return self.changes_input(module.names[PARTS])
        return id(module) in self._changing

    def on_sample(self, module: Any, sample: Sample) -> None:
        """Called when the program tries out a module with a tensor."""

    # Calls

    def on_missing_arguments(self, function: Function, names: Sequence[str], line: int) -> Mapping[str, Any]:
        is_built = is_module(function.owner) and isinstance(function.owner, Instance)
        is_tried = isinstance(function.node, ast.FunctionDef) and function.node.name == self.tried
        if not is_built and not is_tried:
            return {}
        owner = function.owner.kind.node.name if isinstance(function.owner, Instance) else self.tried
        found = {name: number_for(name, function.node) for name in names}
        known = {name: number for name, number in found.items() if number is not None}
        used = "" if len(names) > 1 else next((f"; {number} is used" for number in known.values()), "")
        if len(names) > 1 and known:
            used = "; " + " and ".join(f"{number} is used for {name}" for name, number in known.items())
        self.notes.add(line, f"{owner} needs {' and '.join(names)}, which the code does not give{used}")
        return known

    def on_apply(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, direct: bool
    ) -> Any:
        tensor = positional[0] if positional else next(iter(keywords.values()), None)
        if not is_module(function):
            return self.on_unknown_call([*positional, *keywords.values()], line)
        is_list = isinstance(tensor, list | tuple) and any(
            isinstance(each, SymbolicTensor) for each in tensor
        )
        is_tensor = isinstance(tensor, SymbolicTensor)
        if isinstance(function, Instance) and (
            is_list or (is_tensor and (len(positional) > 1 or self._gives_several(function)))
        ):
            return self._apply_with_arguments(function, positional, keywords, line)
        if not isinstance(tensor, SymbolicTensor):
            if self.following:
                self.notes.add(line, "what this is applied to is only known at run time, so it is skipped")
            else:
                self.use(function)
                if isinstance(tensor, Sample):
                    self.on_sample(function, tensor)
            return Unknown()
        return self.apply_module(tensor, function, direct, line)

    def call_function(
        self, function: Function, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        name = function.node.name if isinstance(function.node, ast.FunctionDef) else ""
        first = positional[0] if positional else next(iter(keywords.values()), None)
        if name.lower() in STOCHASTIC_DEPTH and isinstance(first, SymbolicTensor):
            self.notes.add(line, KEPT_BRANCH)
            return first
        return super().call_function(function, positional, keywords, line)

    def _gives_several(self, module: Instance) -> bool:
        """Whether `forward` returns several results, which whoever calls it takes apart."""
        forward = self.attribute(module, "forward")
        return isinstance(forward, Function) and returns_tuple(forward.node)

    def _apply_with_arguments(
        self, module: Instance, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        """Calls `forward` with several tensors, or with a list of them."""
        forward = self.attribute(module, "forward")
        self._mark_parts(module)
        if not isinstance(forward, Function):
            return self.on_unknown_call(positional, line)
        return self.call(forward, positional, keywords, line, False)

    def report_partial_locks(self, items: Items) -> None:
        """Reports layers of which the code locks some parameters only; a design locks all or none."""
        for call in self.locks.partly_locked(graph.iter_calls(items)):
            self.notes.add(
                call.line, f"only a part of {call.name}’s weights is locked; here all of them learn"
            )

    def set_requires_grad(self, owner: Any, value: Any, line: int) -> None:
        """`owner.requires_grad = value` or `owner.requires_grad_(value)`, of a module or a parameter."""
        if isinstance(owner, BoundMethod) and isinstance(owner.owner, Call) and owner.name == "weight":
            owner = ParameterOf(owner.owner, owner.name)
        if is_module(owner) or isinstance(owner, ParameterOf):
            if not isinstance(value, bool) or self.undecided_depth:
                self.notes.add(line, _UNKNOWN_LOCKS)
            elif isinstance(owner, ParameterOf):
                self.locks.lock_parameter(owner, trainable=value)
            else:
                self.locks.lock_module(owner, trainable=value)
        elif value is False and not is_known(owner):
            self.notes.add(line, _UNKNOWN_LOCKS)

    def on_unknown_call(self, positional: Sequence[Any], line: int) -> Any:
        for each in positional:
            if is_module(each):
                self.use(each)
        return super().on_unknown_call(positional, line)

    def on_method(
        self, owner: Any, name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> Any:
        if isinstance(owner, SymbolicTensor):
            return self.method_of_tensor(owner, name, positional, keywords, line)
        if name == "requires_grad_":
            value = (*positional, keywords.get("requires_grad", True))[0]
            self.set_requires_grad(owner, value, line)
            return owner
        if not is_module(owner):
            return self.on_unknown_call([*positional, *keywords.values()], line)
        if name in _USES:
            self.use(owner)
        if name in _PARAMETERS and not positional and not keywords:
            return Parameters(owner, is_named=name == "named_parameters")
        if name in SAME:
            return owner
        if name.startswith("register_forward"):
            self.notes.add(line, f"what {name} adds is not imported")
            return UNKNOWN
        if name in ("forward", "__call__") and positional:
            return self._forward_of_library(owner, positional, line)
        if name in _CHILDREN and not positional:
            return [_CHILDREN[name](pair) for pair in children(owner)]
        if name in ("add_module", "register_module") and len(positional) == 2:
            self._add_module(owner, str(positional[0]), positional[1], line)
            return None
        parts = owner.names.get(PARTS) if isinstance(owner, Instance) else owner
        if isinstance(parts, ModuleSequence):
            return self._change_sequence(owner, parts, name, positional, line)
        return self.on_unknown_call([*positional, *keywords.values()], line)

    def _forward_of_library(self, owner: Any, positional: Sequence[Any], line: int) -> Any:
        """`super().forward(x)`: what an object does by its library's class."""
        tensor = positional[0]
        if not isinstance(tensor, SymbolicTensor):
            return Unknown()
        inner = (owner.names.get(LAYER) or owner.names.get(PARTS)) if isinstance(owner, Instance) else owner
        return (
            self.on_unknown_call(positional, line)
            if inner is None
            else self.apply_module(tensor, inner, False, line)
        )

    def _add_module(self, owner: Any, name: str, module: Any, line: int) -> None:
        self.effects += 1
        parts = owner.names.get(PARTS) if isinstance(owner, Instance) else owner
        if isinstance(parts, ModuleSequence):
            parts.is_named = parts.is_named or not parts.parts
            parts.add(name, module, line)
        elif isinstance(owner, Instance):
            self.set_attribute(owner, name, module)

    def _change_sequence(
        self, owner: Any, parts: ModuleSequence, name: str, positional: Sequence[Any], line: int
    ) -> Any:
        self.effects += 1
        match name, list(positional):
            case "append", [module]:
                parts.parts.append(Part("", module, line))
            case "extend", [modules]:
                added = modules.modules() if isinstance(modules, ModuleSequence) else self.elements(modules)
                for module in [Unknown("extend")] if added is None else added:
                    require_layer_limit(len(parts.parts))
                    parts.parts.append(Part("", module, line))
            case "insert", [int() as index, module]:
                parts.parts.insert(
                    max(-len(parts.parts), min(index, len(parts.parts))), Part("", module, line)
                )
            case "pop", [int() as index] if -len(parts.parts) <= index < len(parts.parts):
                return parts.parts.pop(index).module
            case "append" | "extend" | "insert" | "pop", _:
                parts.parts.append(Part("", Unknown(name), line))
            case _:
                self.effects -= 1
                return self.on_unknown_call(positional, line)
        return owner

    def elements(self, value: Any) -> Sequence[Any] | None:
        if isinstance(value, Parameters):
            return super().elements(value.elements())
        if isinstance(value, Instance) and isinstance(value.names.get(PARTS), ModuleSequence):
            value = value.names[PARTS]
        if isinstance(value, ModuleSequence):
            return super().elements(value.modules())
        return super().elements(value)

    def clone(self, value: Any) -> Any:
        return clone(value, self.effort.count_elements)

    def slice(self, owner: Any, values: Sequence[Any], bounds: slice) -> Any:
        found = super().slice(owner, values, bounds)
        if isinstance(owner, ModuleSequence):
            return ModuleSequence([Part("", module, owner.line) for module in found], owner.line)
        return found

    # Modules as items

    def items_of(self, module: Any, line: int, name: str = "") -> Items:
        """The items for a module that is part of another one, or applied to a tensor on that line."""
        # Not every part is a layer: a layer with its containers takes a few parts. The limit only has to stop
        # a module that contains itself exponentially often, such as `a = nn.Sequential(a, a)` sixty times.
        self._parts += 1
        require_layer_limit(self._parts // 4)
        self.effort.check_time()
        name = name or self.given_names.get(id(module), "")
        self.submodules.add(id(module))
        match module:
            case Copies(value=value, count=count):
                return (
                    LoopBody(
                        ((self.content(value, line), count),), getattr(value, "line", 0) or line, counted=True
                    ),
                )
            case ModuleSequence():
                return self._sequence(module, name)
            case Call(name="Sequential"):
                return self._sequence(sequence_of(module.positional, module.line), name)
            case Call():
                return (self._explicit_group(module) or LayerCall(module, name),)
            case Instance():
                return self._instance(module, name)
            case Function():
                end = self.call(module, [start := SymbolicTensor()], {}, line, False)
                return self._between(start, end, name or "a function", line)
            case list() | tuple():
                return tuple(item for each in module for item in self.items_of(each, line))
        if module is REST:
            self.notes.add(line, "more modules, whose number is only known at run time, are skipped")
            return ()
        text = f"“{module.text}”" if isinstance(module, Unknown) and module.text else name or "a module"
        self.notes.add(line, f"{text} is only known at run time and is skipped")
        return ()

    def _instance(self, module: Instance, name: str) -> Items:
        if module.kind.node.name.lower() in STOCHASTIC_DEPTH:
            self.notes.add(module.line, KEPT_BRANCH)
            return ()
        self._mark_parts(module)
        forward = self.attribute(module, "forward")
        if not isinstance(forward, Function):
            return self._without_forward(module, name)
        start = SymbolicTensor()
        self.following += 1
        try:
            end = self.call(forward, [start], {}, module.line, False)
        finally:
            self.following -= 1
        if self.is_changed(start):
            self._changing.add(id(module))
        kind = module.kind.node.name
        items = self._between(start, end, kind, module.kind.node.lineno)
        return items if len(items) == 1 else (SubModel(items, module.line, name or kind),)

    def _between(self, start: SymbolicTensor, end: Any, kind: str, line: int) -> Items:
        if isinstance(end, dict):
            end = list(end.values())
        if isinstance(end, tuple | list) and end:
            if len(end) > 1:
                text = f"the forward of {kind} returns several results; only the first is imported"
                self.notes.add(line, text)
            end = end[0]
        if isinstance(end, SymbolicTensor):
            end = self.current(end)
        else:
            self.notes.add(
                line, f"the forward of {kind} cannot be interpreted, so it is skipped with its layers"
            )
            return ()
        try:
            return items_between(start, end)
        except UnsupportedTopology:
            text = f"groups cannot express how the layers of {kind} are connected"
            if self.following:
                self.notes.add(line, f"{text}, so it is skipped with its layers")
                return ()
            raise CodeError(f"line {line}: {text}") from None

    def _mark_parts(self, module: Any) -> None:
        """Remembers that the modules inside another one are parts, even if its forward skips them."""
        pending = [module]
        while pending:
            for _, each in children(pending.pop()):
                if id(each) not in self.submodules:
                    self.submodules.add(id(each))
                    pending.append(each)

    def _without_forward(self, module: Instance, name: str) -> Items:
        if isinstance(module.names.get(LAYER), Call):
            return (LayerCall(module.names[LAYER], name),)
        parts = module.names.get(PARTS)
        if isinstance(parts, ModuleSequence):
            return self._sequence(parts, name)
        kind = module.kind.node
        if is_module(module.names.get(NET)):
            base = module.kind.library_base()
            if not base.startswith(("d2l.", "torch.")):
                text = f"the forward of {kind.name} is that of {base}: it is read as applying self.{NET}"
                self.notes.add(kind.lineno, text)
            return self.items_of(module.names[NET], module.line, name)
        if is_module(module) and children(module):
            self.notes.add(kind.lineno, f"{kind.name} has no forward here, so it is skipped with its layers")
        return ()

    def _sequence(self, sequence: ModuleSequence, name: str) -> Items:
        """The items for an nn.Sequential.

        If all parts are Sequentials themselves, they may be equal blocks, and become a LoopBody.
        """
        shown = "" if is_generated_name(name) else name
        parts = sequence.parts
        counted_parts = [_with_count(part.module) for part in parts]
        all_sequences = all(isinstance(value, ModuleSequence) for value, _ in counted_parts)
        if parts and all_sequences and not sequence.is_named:
            copies = tuple((self.content(value, sequence.line), count) for value, count in counted_parts)
            counted = any(isinstance(part.module, Copies) for part in parts)
            self.submodules.update(id(value) for value, _ in counted_parts)
            return (LoopBody(copies, sequence.line, counted, separate=not counted),)
        items: list[Item] = []
        for part in parts:
            items += self.items_of(part.module, part.line, part.name)
        return (SubModel(tuple(items), sequence.line, shown),)

    def _explicit_group(self, call: Call) -> ExplicitGroup | None:
        """The group for a call of one of the helper modules of groups; None for any other call."""
        for kind in group_types():
            if call.name in kind.pytorch_calls:
                given = Call(
                    call.path,
                    tuple(map(_as_call, call.positional)),
                    {name: _as_call(value) for name, value in call.keywords.items()},
                    call.line,
                )
                try:
                    layer, bodies = kind.from_pytorch_group(Arguments(given, kind.pytorch_calls[call.name]))
                except UnsupportedCall as error:
                    self.notes.add(call.line, f"{call.name} is not imported as a group: it {error}")
                    return None
                parts = self.elements(bodies) or ()
                self.submodules.update(map(id, (*parts, *call.positional, *call.keywords.values())))
                return ExplicitGroup(layer, tuple(self.content(body, call.line) for body in parts), call.line)
        return None


def _as_call(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_call(each) for each in value]
    return value.as_call() if isinstance(value, ModuleSequence) else value


def _with_count(part: Any) -> tuple[Any, int]:
    return (part.value, part.count) if isinstance(part, Copies) else (part, 1)
