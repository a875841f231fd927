"""Turns the traced graph into the nodes of a design, with the weights under the names that its model has."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from cnnstudio.design.network import Node
from cnnstudio.interchange.assembly import Assembler, Nodes, group_types, with_ids
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.interpreter.graph import Items, Join, LayerCall
from cnnstudio.interchange.onnx.arrays import Array
from cnnstudio.interchange.onnx.merging import merged_steps
from cnnstudio.interchange.onnx.values import Affine, Omitted, step_of
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.base import Group, Shape
from cnnstudio.layers.code import Call, UnsupportedCall


@dataclasses.dataclass(frozen=True)
class Assembled:
    """The nodes of a design, and the weights of its layers by their names in the model."""

    nodes: tuple[Node, ...]
    weights: Mapping[str, Array]
    normalization: Affine | None
    """What the file does to each channel of the image before anything else."""
    is_exact: bool
    """Whether the layers compute the same as the nodes of the file."""
    remarks: tuple[str, ...]
    """What is not the same as in the file, or worth knowing."""


def assemble(items: Items, shape: Shape) -> Assembled:
    """The design of a sequence of items for images of that shape. Raises CodeError."""
    first = 0
    affine: list[Affine] = []
    for item in items:
        step = step_of(item.call) if isinstance(item, LayerCall) else None
        if not isinstance(step, Affine):
            break
        affine.append(step)
        first += 1
    assembler = _OnnxAssembler(Notes())
    made, _ = assembler.sequence(items[first:], shape)
    nodes = with_ids(made)
    weights: dict[str, Array] = {}
    for before, (node, prefix) in zip(_walk(made), _named(nodes, ""), strict=True):
        for name, array in assembler.weights.get(before.id, {}).items():
            weights[f"{prefix}{node.id}.{name}"] = array
    composed = merged_steps(affine, None)
    normalization = composed[0] if composed else None
    return Assembled(
        nodes,
        weights,
        normalization if isinstance(normalization, Affine) else None,
        assembler.is_exact,
        tuple(assembler.remarks),
    )


def _walk(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield from node.walk()


def _named(nodes: Sequence[Node], prefix: str) -> Iterator[tuple[Node, str]]:
    """Each node, with what precedes its id in the names of its weights."""
    for node in nodes:
        yield node, prefix
        group = node.layer
        if not isinstance(group, Group):
            continue
        inner = f"{prefix}{node.id}.body." if group.has_shortcut else f"{prefix}{node.id}."
        for index, child in enumerate(node.children):
            yield from _named([child], f"{inner}{index}." if group.has_branches else inner)


class _OnnxAssembler(Assembler):
    """The items are steps with weights. Each layer has an id of its own until the end."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.weights: dict[str, Mapping[str, Array]] = {}
        self.remarks: list[str] = []
        """What is not the same as in the file, or worth knowing."""
        self.is_exact = True
        """Whether the layers compute the same as the nodes of the file."""

    def layers_from_calls(self, calls: Sequence[LayerCall], shape: Shape | None) -> Iterator[Node]:
        for step in merged_steps([step_of(call.call) for call in calls], shape):
            if isinstance(step, Affine):
                raise CodeError("a constant in the file fits no layer")
            if isinstance(step, Omitted):
                self.remarks.append(step.note)
                self.is_exact = False
            else:
                self.remarks += [text for text in (step.note, step.remark) if text]
                self.is_exact &= not step.note
                key = f"#{len(self.weights)}"
                self.weights[key] = step.weights
                yield Node(key, step.layer)

    def activation(self, call: Call) -> str:
        raise UnsupportedCall("is no activation")

    def join(self, item: Join, shape: Shape | None) -> tuple[Nodes, Shape | None]:
        """As for code, but a shortcut with layers stays a branch, because its layers have weights."""
        if item.mode != "add" or len(item.branches) != 2 or not all(item.branches):
            return super().join(item, shape)
        branches = [self._branch(branch, shape) for branch in item.branches]
        if not all(nodes for nodes, _ in branches):
            return super().join(item, shape)
        found = (kind.from_branches("add", [[], [], []]) for kind in group_types())
        group = next(made[0] for made in found if made is not None)
        return self._group(group, branches, shape)
