"""Locked layers in code: Keras's `trainable=False` and PyTorch's `requires_grad_(False)`."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Collection, Sequence

from cnnstudio.design.network import Node
from cnnstudio.layers.base import Layer

_WITHOUT_WEIGHTS = frozenset({"padding", "activation", "flatten", "crop"})
"""Names of modules of a layer, besides its main one, that have no weights."""


def may_have_weights(layer: Layer) -> bool:
    """Whether layers of this type have weights that can be locked by the design, not by a parameter."""
    return type(layer).parameter_count is not Layer.parameter_count and not layer.has_trainable_parameter()


def locked_module(code: str, suffix: str) -> str:
    """A PyTorch expression of a locked layer; `suffix` is the name of the module among those of the layer."""
    return code if suffix in _WITHOUT_WEIGHTS else f"{code}.requires_grad_(False)"


def locked_call(line: str, weighted: Collection[str]) -> str:
    """A line of Keras code, with `trainable=False` in its calls of `layers` with these names."""
    try:
        tree = ast.parse(line)
    except SyntaxError:
        return line  # part of a statement of several lines
    ends = [
        (node.end_col_offset - 1, bool(node.args or node.keywords))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in weighted
        and node.end_col_offset is not None
    ]
    # Columns count bytes of UTF-8.
    text = line.encode()
    for end, has_arguments in sorted(ends, reverse=True):
        argument = b", trainable=False" if has_arguments else b"trainable=False"
        text = text[:end] + argument + text[end:]
    return text.decode()


def with_group_locks(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes with one lock on a group of which all layers are locked, as someone would set it."""
    return tuple(map(_with_group_lock, nodes))


def _with_group_lock(node: Node) -> Node:
    if not node.children:
        return node
    children = with_group_locks(node.children)
    if _is_all_locked(children):
        unlocked = tuple(dataclasses.replace(child, trainable=True) for child in children)
        return dataclasses.replace(node, children=unlocked, trainable=False)
    return dataclasses.replace(node, children=children)


def _is_all_locked(nodes: Sequence[Node]) -> bool:
    """Whether there are layers with weights, and all of them are locked."""
    leaves = [each for node in nodes if node.trainable for each in _learning_leaves(node)]
    return not leaves and any(not node.trainable for node in nodes)


def _learning_leaves(node: Node) -> list[Node]:
    """The layers inside that have weights and are not locked."""
    if not node.trainable:
        return []
    if node.children:
        return [leaf for child in node.children for leaf in _learning_leaves(child)]
    return [node] if may_have_weights(node.layer) else []
