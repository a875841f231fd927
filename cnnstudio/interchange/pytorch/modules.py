"""Modules that contain others, as a listing builds them, and the names by which modules are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.interchange.interpreter.graph import SymbolicTensor, ancestors, iter_calls
from cnnstudio.interchange.interpreter.values import Copies, Instance
from cnnstudio.layers.code import Call, Unknown

NN = "torch.nn."
LAYER = "__layer__"
"""The attribute of an object whose class is derived from a layer, such as nn.Conv2d: that layer's call."""
NET = "net"
"""The attribute that a textbook's base class, d2l.Classifier, applies in its forward; others follow it."""
PARTS = "__parts__"
"""The attribute of an object whose class is derived from nn.Sequential: its parts."""
WRAPPERS = frozenset(
    {"DataParallel", "DistributedDataParallel", "compile", "script", "deepcopy", "prepare_model"}
)
"""Functions and modules whose result computes the same as their first argument."""

# The lazy modules take the number of channels that arrives, as every layer of a design does.
_LAZY = {
    "LazyConv2d": ("Conv2d", "in_channels"),
    "LazyLinear": ("Linear", "in_features"),
    "LazyBatchNorm2d": ("BatchNorm2d", "num_features"),
    "LazyBatchNorm1d": ("BatchNorm1d", "num_features"),
}


@dataclass(frozen=True)
class Part:
    """A module inside an nn.Sequential, and the line on which it was added."""

    name: str
    module: Any
    line: int


@dataclass(eq=False)
class ModuleSequence:
    """An nn.Sequential, which may still grow."""

    parts: list[Part]
    line: int
    is_named: bool = False
    """Whether the program gives the parts their names."""

    @property
    def is_empty(self) -> bool:
        return not self.parts

    def add(self, name: str, module: Any, line: int) -> None:
        """Adds a part at the end, or replaces the part of that name."""
        part = Part(name, module, line)
        for index, each in enumerate(self.parts):
            if self.is_named and each.name == name:
                self.parts[index] = part
                return
        self.parts.append(part)

    def replace(self, index: Any, module: Any, line: int) -> None:
        """`sequence[index] = module`."""
        if isinstance(index, int) and -len(self.parts) <= index < len(self.parts):
            self.parts[index] = Part(self.parts[index].name, module, line)
        else:
            self.parts.append(Part("", Unknown("an item"), line))

    def part(self, name: str) -> Any:
        """The module of that name; None if there is none."""
        return next((part.module for part in self.parts if part.name == name), None)

    def modules(self) -> list[Any]:
        return [part.module for part in self.parts]

    def as_call(self) -> Call:
        """The call of nn.Sequential that creates it."""
        named = ({part.name: part.module for part in self.parts},)
        return Call(f"{NN}Sequential", named if self.is_named else tuple(self.modules()), {}, self.line)


def sequence_of(positional: Sequence[Any], line: int) -> ModuleSequence:
    """The nn.Sequential of these parts, or of a dict of named parts."""
    if len(positional) == 1 and isinstance(positional[0], dict):
        named = [Part(str(name), module, _line(module, line)) for name, module in positional[0].items()]
        return ModuleSequence(named, line, is_named=True)
    return ModuleSequence([Part("", module, _line(module, line)) for module in positional], line)


def _line(module: Any, line: int) -> int:
    return getattr(module, "line", 0) or line


def without_laziness(call: Call) -> Call:
    """The call of the module that a lazy module becomes; any other call unchanged."""
    if call.name not in _LAZY:
        return call
    name, argument = _LAZY[call.name]
    return Call(f"{NN}{name}", (Unknown(argument), *call.positional), call.keywords, call.line)


def is_module(value: Any) -> bool:
    """Whether this is a module of the program or of torch."""
    if isinstance(value, Instance):
        base = value.kind.library_base()
        if base.startswith(("torch.utils.data.", "torch.autograd.", "torch.optim.")):
            return False
        if base.startswith("torch.") or value.kind.find("forward")[1] is not None:
            return True
        return bool(base) and is_module(value.names.get(NET))
    return isinstance(value, ModuleSequence) or (isinstance(value, Call) and value.path.startswith(NN))


def children(module: Any) -> list[tuple[str, Any]]:
    """(name, module) of the modules directly inside another one."""
    if isinstance(module, ModuleSequence):
        return [(part.name or str(index), part.module) for index, part in enumerate(module.parts)]
    if not isinstance(module, Instance):
        return []
    parts = module.names.get(PARTS)
    inside = children(parts) if isinstance(parts, ModuleSequence) else []
    own = ((name, each) for name, each in module.names.items() if name not in (PARTS, LAYER))
    return inside + [(name, each) for name, each in own if is_module(each)]


def calls_in(module: Any) -> Iterator[Call]:
    """The calls that create this module and the modules inside it."""
    match module:
        case Call():
            yield module
            for each in (*module.positional, *module.keywords.values()):
                yield from calls_in(each)
        case list() | tuple():
            for each in module:
                yield from calls_in(each)
        case dict():
            yield from calls_in(list(module.values()))
        case Copies():
            yield from calls_in(module.value)
        case _:
            for _, each in children(module):
                yield from calls_in(each)


def clone(value: Any, count: Callable[[int], None]) -> Any:
    """A module like this one, with parts of its own; `count` is told of every part before it is created."""
    count(1)
    match value:
        case Call():
            return dataclasses.replace(
                value, positional=tuple(clone(each, count) for each in value.positional)
            )
        case Instance():
            copy = Instance(value.kind, value.line)
            copy.names = {name: clone(each, count) for name, each in value.names.items()}
            return copy
        case ModuleSequence():
            parts = [Part(part.name, clone(part.module, count), part.line) for part in value.parts]
            return ModuleSequence(parts, value.line, value.is_named)
        case Copies():
            return Copies(clone(value.value, count), value.count)
        case list():
            return [clone(each, count) for each in value]
        case tuple():
            return tuple(clone(each, count) for each in value)
        case dict():
            return {key: clone(each, count) for key, each in value.items()}
    return value


def lines_of(calls: Iterator[Call]) -> str:
    """The lines of these calls as text: `lines 9 and 10`; empty if there are none."""
    lines = sorted({call.line for call in calls if call.line})
    if not lines:
        return ""
    if len(lines) == 1:
        return f"line {lines[0]}"
    shown = [str(line) for line in lines[:8]]
    return f"lines {', '.join(shown[:-1])} and {shown[-1]}" + (" and others" if len(lines) > 8 else "")


def lost_with(lost: SymbolicTensor, kept: SymbolicTensor) -> str:
    """A part of a sentence that names the layers which are lost with a tensor."""
    known = {id(each) for each in ancestors(kept)}
    calls = (call for each in ancestors(lost) if id(each) not in known for call in iter_calls(each.items))
    lines = lines_of(calls)
    return f"; what it takes with it is in {lines}" if lines else ""
