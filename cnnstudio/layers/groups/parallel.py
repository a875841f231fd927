"""Parallel: branches side by side, joined at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from cnnstudio.core.parameters import choice
from cnnstudio.layers.base import Fix, Group, Layer, SetInside, SetParameters, Shape, ShapeError
from cnnstudio.layers.code import Arguments, NotDrawable, Signatures
from cnnstudio.layers.helpers import helper

if TYPE_CHECKING:
    from torch import nn

_HELPER = '''
class Parallel(nn.ModuleList):
    """What each branch makes of x: one after the other along the channels, or added up."""

    def __init__(self, branches, mode="concat"):
        super().__init__(branches)
        self.mode = mode

    def forward(self, x):
        outputs = [branch(x) for branch in self]
        return torch.cat(outputs, 1) if self.mode == "concat" else sum(outputs[1:], outputs[0])
'''

_KEEP_SIZE = SetInside({"padding": "same"}, "set padding to same inside it")
_NO_STRIDES = SetInside(
    {"padding": "same", "strides": (1, 1)}, "set padding to same and strides to 1 inside it"
)
_CONCAT = SetParameters({"mode": "concat"}, "set mode to concat")


@dataclass(frozen=True)
class Parallel(Group):
    """Every layer inside gets the group's input (Szegedy et al., Going Deeper with Convolutions, 2014)."""

    description: ClassVar[str] = "Gives its input to each layer inside it and joins what they make of it."
    advice: ClassVar[str] = "Use it to see an image in several ways; Blocks make branches of several layers."
    order: ClassVar[int] = 2

    mode: str = choice(
        "concat", ("concat", "add"), help="“concat” puts the channels one after the other, “add” sums them up"
    )

    branches: ClassVar[bool] = True
    pytorch_helper: ClassVar[str] = _HELPER
    pytorch_calls: ClassVar[Signatures] = {"Parallel": "branches, mode='concat'"}

    def summary(self) -> str:
        return "joins its branches" if self.mode == "concat" else "adds up its branches"

    def join(self, shape: Shape, inside: Sequence[Shape]) -> Shape:
        first = inside[0]
        joined = self._sum_of_channels(inside) if self.mode == "concat" else first
        for number, other in enumerate(inside[1:], start=2):
            if self.mode == "add" and other == first:
                continue
            if self.mode == "concat" and other.dims[1:] == first.dims[1:]:
                continue
            raise self._refusal(first, other, number, joined)
        return joined

    def _sum_of_channels(self, inside: Sequence[Shape]) -> Shape:
        return Shape.of(sum(each.channels for each in inside), *inside[0].dims[1:])

    def _refusal(self, first: Shape, other: Shape, number: int, assumed: Shape) -> ShapeError:
        fixes: tuple[Fix, ...] = ()
        if first.is_image and other.is_image and first.dims[1:] != other.dims[1:]:
            fixes = (_KEEP_SIZE, _NO_STRIDES)
        elif self.mode == "add" and first.is_image == other.is_image:
            fixes = (_CONCAT,)
        does, differs = "join", "heights and widths differ"
        if self.mode == "add":
            does, differs = "add", "their shapes differ"
        return ShapeError(
            f"cannot {does} the {first} of branch 1 and the {other} of branch {number}, for {differs}",
            fixes,
            assumed=assumed,
            why="What the branches give is laid over each other, so each place has to be in all of them.",
        )

    def joined_activations(self, shape: Shape, inside: Sequence[Shape]) -> int:
        return self.join(shape, inside).size

    def build_group(self, shape: Shape, inside: Sequence[Shape], bodies: Sequence[nn.Module]) -> nn.Module:
        module: nn.Module = helper("Parallel", _HELPER)(bodies, self.mode)
        return module

    def pytorch_group(self, shape: Shape, inside: Sequence[Shape], body: str) -> str:
        mode = "" if self.mode == "concat" else ', mode="add"'
        return f"Parallel([{body}]{mode})"

    @classmethod
    def from_branches(cls, mode: str, rows: Sequence[Sequence[Layer]]) -> tuple[Parallel, list[int]]:
        return cls(mode=mode), list(range(len(rows)))

    @classmethod
    def from_pytorch_group(cls, call: Arguments) -> tuple[Parallel, list[Any]]:
        branches = call["branches"]
        if not isinstance(branches, list):
            raise NotDrawable("needs a list of branches")
        return cls(mode=call["mode"]), branches

    def keras_group(
        self, shape: Shape, inside: Sequence[Shape], bodies: Sequence[list[str]], free: Callable[[str], str]
    ) -> list[str]:
        function = "concatenate" if self.mode == "concat" else "add"
        if len(bodies) == 1:
            # Nothing else would tell where the only branch begins.
            only = [*bodies[0], f"x = layers.{function}([x])"]
            return ['with keras.name_scope("branch"):', *(f"    {line}" for line in only)]
        entrance = free("entrance")
        names = [free(f"branch_{number}") for number in range(1, len(bodies) + 1)]
        lines = [f"{entrance} = x"]
        for name, body in zip(names, bodies, strict=True):
            lines += [*body, f"{name} = x", f"x = {entrance}"]
        return [*lines[:-1], f"x = layers.{function}([{', '.join(names)}])"]
