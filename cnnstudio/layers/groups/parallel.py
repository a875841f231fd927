"""Parallel: branches that run side by side and are joined at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from cnnstudio.core.parameters import choice
from cnnstudio.layers.base import Fix, Group, Layer, SetParameters, SetParametersInside, Shape, ShapeError
from cnnstudio.layers.code import Arguments, Signatures, UnsupportedCall
from cnnstudio.layers.helpers import load_helper

if TYPE_CHECKING:
    from torch import nn

_HELPER = '''
class Parallel(nn.ModuleList):
    """Runs each branch on x and concatenates the outputs along the channels, or adds them."""

    def __init__(self, branches, mode="concat"):
        super().__init__(branches)
        self.mode = mode

    def forward(self, x):
        outputs = [branch(x) for branch in self]
        return torch.cat(outputs, 1) if self.mode == "concat" else sum(outputs[1:], outputs[0])
'''

_KEEP_SIZE = SetParametersInside({"padding": "same"}, "set padding to same inside it")
_NO_STRIDES = SetParametersInside(
    {"padding": "same", "strides": (1, 1)}, "set padding to same and strides to 1 inside it"
)
_CONCAT = SetParameters({"mode": "concat"}, "set mode to concat")


@dataclass(frozen=True)
class Parallel(Group):
    """Every layer inside gets the group's input (Szegedy et al. 2014, Going Deeper with Convolutions)."""

    description: ClassVar[str] = "Passes its input to each layer inside and joins their outputs."
    usage_hint: ClassVar[str] = (
        "Use it to combine several views of an image; for longer branches, add Blocks."
    )
    order: ClassVar[int] = 2

    mode: str = choice(
        "concat", ("concat", "add"), help="“concat” concatenates the channels, “add” adds them"
    )

    has_branches: ClassVar[bool] = True
    pytorch_helper: ClassVar[str] = _HELPER
    pytorch_calls: ClassVar[Signatures] = {"Parallel": "branches, mode='concat'"}

    def summary(self) -> str:
        return "concatenates its branches" if self.mode == "concat" else "adds its branches"

    def group_output_shape(self, shape: Shape, body_outputs: Sequence[Shape]) -> Shape:
        first = body_outputs[0]
        joined = self._sum_of_channels(body_outputs) if self.mode == "concat" else first
        for number, other in enumerate(body_outputs[1:], start=2):
            if self.mode == "add" and other == first:
                continue
            if self.mode == "concat" and other.dims[1:] == first.dims[1:]:
                continue
            raise self._join_error(first, other, number, joined)
        return joined

    def _sum_of_channels(self, body_outputs: Sequence[Shape]) -> Shape:
        return Shape.of(sum(each.channels for each in body_outputs), *body_outputs[0].dims[1:])

    def _join_error(self, first: Shape, other: Shape, number: int, assumed: Shape) -> ShapeError:
        fixes: tuple[Fix, ...] = ()
        if first.is_image and other.is_image and first.dims[1:] != other.dims[1:]:
            fixes = (_KEEP_SIZE, _NO_STRIDES)
        elif self.mode == "add" and first.is_image == other.is_image:
            fixes = (_CONCAT,)
        verb, reason = "concatenate", "heights and widths differ"
        if self.mode == "add":
            verb, reason = "add", "shapes differ"
        return ShapeError(
            f"cannot {verb} the {first} of branch 1 and the {other} of branch {number}: their {reason}",
            fixes,
            assumed=assumed,
            why="The outputs are aligned position by position, so the branches must agree in size.",
        )

    def group_activation_count(self, shape: Shape, body_outputs: Sequence[Shape]) -> int:
        return self.group_output_shape(shape, body_outputs).size

    def build_group(
        self, shape: Shape, body_outputs: Sequence[Shape], bodies: Sequence[nn.Module]
    ) -> nn.Module:
        module: nn.Module = load_helper("Parallel", _HELPER)(bodies, self.mode)
        return module

    def pytorch_group_code(self, shape: Shape, body_outputs: Sequence[Shape], body: str) -> str:
        mode = "" if self.mode == "concat" else ', mode="add"'
        return f"Parallel([{body}]{mode})"

    @classmethod
    def from_branches(cls, mode: str, branches: Sequence[Sequence[Layer]]) -> tuple[Parallel, list[int]]:
        return cls(mode=mode), list(range(len(branches)))

    @classmethod
    def from_pytorch_group(cls, call: Arguments) -> tuple[Parallel, list[Any]]:
        branches = call["branches"]
        if not isinstance(branches, list):
            raise UnsupportedCall("needs a list of branches")
        return cls(mode=call["mode"]), branches

    def keras_group_code(
        self,
        shape: Shape,
        body_outputs: Sequence[Shape],
        bodies: Sequence[list[str]],
        unique_name: Callable[[str], str],
    ) -> list[str]:
        function = "concatenate" if self.mode == "concat" else "add"
        if len(bodies) == 1:
            # A join of one branch would not show where the branch starts; the name scope does.
            only = [*bodies[0], f"x = layers.{function}([x])"]
            return ['with keras.name_scope("branch"):', *(f"    {line}" for line in only)]
        branch_input = unique_name("branch_input")
        names = [unique_name(f"branch_{number}") for number in range(1, len(bodies) + 1)]
        lines = [f"{branch_input} = x"]
        for name, body in zip(names, bodies, strict=True):
            lines += [*body, f"{name} = x", f"x = {branch_input}"]
        return [*lines[:-1], f"x = layers.{function}([{', '.join(names)}])"]
