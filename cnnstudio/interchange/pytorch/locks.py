"""Which layers a PyTorch listing locks: by modules, or parameter by parameter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cnnstudio.interchange.pytorch.assembly import bound_arguments
from cnnstudio.interchange.pytorch.modules import calls_in, children
from cnnstudio.layers.code import Call

_SIZES = frozenset({"in_channels", "in_features", "num_features", "num_channels", "normalized_shape"})
"""Arguments of modules that have weights."""
_WITHOUT = frozenset({"affine", "elementwise_affine"})
"""Arguments that are False for a normalization without weights."""


@dataclass(frozen=True, eq=False)
class ParameterOf:
    """A parameter of a module: its `weight` or `bias`."""

    call: Call
    name: str


@dataclass(frozen=True, eq=False)
class Parameters:
    """What `parameters()` and `named_parameters()` of a module give."""

    module: Any
    is_named: bool

    def elements(self) -> list[Any]:
        """The parameters in PyTorch's order, or pairs of `features.0.weight` and such a parameter."""
        found = list(_parameters(self.module, ""))
        return [(name, each) if self.is_named else each for name, each in found]


def _parameters(module: Any, prefix: str) -> Iterator[tuple[str, ParameterOf]]:
    if isinstance(module, Call):
        for name in parameter_names(module):
            yield prefix + name, ParameterOf(module, name)
        return
    for name, each in children(module):
        yield from _parameters(each, f"{prefix}{name}.")


def parameter_names(call: Call) -> tuple[str, ...]:
    """The names of a module's parameters; none for one without weights."""
    arguments = bound_arguments(call)
    if not _SIZES & arguments.keys() or any(arguments.get(name) is False for name in _WITHOUT):
        return ()
    return ("weight",) if arguments.get("bias") is False else ("weight", "bias")


class Locks:
    """What is locked so far; later statements change it."""

    def __init__(self) -> None:
        self._modules: set[int] = set()
        """ids of the calls that were locked as a whole."""
        self._parameters: dict[int, set[str]] = {}
        """id of a call -> its parameters that were locked one by one."""

    def lock_module(self, module: Any, *, trainable: bool) -> None:
        """`module.requires_grad_(trainable)`."""
        for call in calls_in(module):
            self._parameters.pop(id(call), None)
            if trainable:
                self._modules.discard(id(call))
            else:
                self._modules.add(id(call))

    def lock_parameter(self, parameter: ParameterOf, *, trainable: bool) -> None:
        """`parameter.requires_grad = trainable`."""
        call, names = parameter.call, set(parameter_names(parameter.call))
        locked = set(names) if id(call) in self._modules else self._parameters.get(id(call), set())
        locked = locked - {parameter.name} if trainable else locked | {parameter.name}
        self._modules.discard(id(call))
        self._parameters.pop(id(call), None)
        if locked >= names:
            self._modules.add(id(call))
        elif locked:
            self._parameters[id(call)] = locked

    @property
    def calls(self) -> set[int]:
        """ids of the calls of which all parameters are locked."""
        return self._modules

    def partly_locked(self, calls: Iterable[Call]) -> list[Call]:
        """Those of the calls of which only a part of the parameters is locked."""
        return [call for call in calls if id(call) in self._parameters]
