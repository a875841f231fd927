"""Which weights a changed design can keep: those of the layers whose tensors still have the same shapes.

Both models are built on the meta device, which has names and shapes but no values, so this costs little even
for large networks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from cnnstudio.core.formatting import pluralize
from cnnstudio.design.matching import Pairs, match_by_id, match_by_order
from cnnstudio.design.network import Network, Node
from cnnstudio.training.model import build_model

_MAX_NAMED = 12
"""Layers that keep their weights and are named; the others are counted."""
_KEY = re.compile(r"(optimizer\.[^.]+\.|average\.|own\.)?(.*)")


class _Address(NamedTuple):
    """A tensor by the layer that owns it, independent of the groups around the layer.

    Names in a model contain the path through the groups, which changes when a layer is moved.
    """

    node_id: str
    name: str
    """Within the layer, such as `weight`."""
    copy: int
    """Index among the copies of the layer, of which a Repeat has several."""


class _Tensor(NamedTuple):
    name: str
    """In the model's state dict."""
    shape: tuple[int, ...]


@dataclass(frozen=True)
class WeightTransfer:
    """The layers with weights, in the order of the new design, and where their weights come from."""

    kept: tuple[Node, ...]
    reinitialized: tuple[tuple[Node, str], ...]
    """With the reason, such as `new layer`."""
    source_names: Mapping[str, str]
    """Name of a tensor in the new model -> its name in the old one."""
    layer_numbers: Mapping[str, int]
    """Layer id in the new design -> its number in the layer list, from 1."""
    by_position: tuple[str, ...] = ()
    """The ids of those that are kept although the old design had them under another id."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What is kept and what is not, as readable lines without final periods."""
        names = [*map(self._layer_text, self.kept[:_MAX_NAMED])]
        more = len(self.kept) - len(names)
        kept = ", ".join(names) + (f" and {pluralize(more, 'more layer')}" if more else "") or "none"
        lines = [f"Weights kept: {kept}"]
        lines += [f"Reinitialized: {self._layer_text(node)}: {reason}" for node, reason in self.reinitialized]
        return tuple(lines)

    def _layer_text(self, node: Node) -> str:
        return f"{node.title} (layer {self.layer_numbers[node.id]})"

    def apply(self, old: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The old model's tensors that the new one keeps, under their new names.

        A name may have a prefix that says what the tensor is, such as `optimizer.exp_avg.`, which stays. A
        name without a dot, such as that of the EMA's step count, belongs to no layer and is kept.
        """
        # One old tensor may go to several copies of a layer in a Repeat.
        new_names = defaultdict(list)
        for new_name, old_name in self.source_names.items():
            new_names[old_name].append(new_name)
        found = {key: value for key, value in old.items() if "." not in key}
        for key, value in old.items():
            prefix, name = _KEY.fullmatch(key).groups("")  # type: ignore[union-attr]  # it matches every name
            found |= {prefix + new_name: value for new_name in new_names.get(name, ())}
        return found


def plan_transfer(old: Network, new: Network) -> WeightTransfer:
    """What `new` can keep of `old`. Neither may have problems (`design.analysis`).

    A layer keeps its weights if it has the same type as before and all its tensors have the same shapes.
    Layers are matched by id, or by order if more layers fit that way, as after a design was rewritten.
    """
    before, after = _tensors_by_address(old), _tensors_by_address(new)
    by_id = _plan_for_pairs(match_by_id(old, new), new, before, after)
    by_order = _plan_for_pairs(match_by_order(old, new), new, before, after)
    return by_order if len(by_order.kept) > len(by_id.kept) else by_id


def _plan_for_pairs(
    pairs: Pairs, new: Network, before: Mapping[_Address, _Tensor], after: Mapping[_Address, _Tensor]
) -> WeightTransfer:
    source_names: dict[str, str] = {}
    kept, reinitialized = [], []
    for node in (each for top in new.nodes for each in top.walk_active()):
        addresses = [address for address in after if address.node_id == node.id]
        if not addresses:
            continue
        old_id = pairs.get(node.id)
        sources = [(address, _find_source(address, old_id, before)) for address in addresses]
        reason = _describe_mismatch(old_id, sources, before, after)
        if reason:
            reinitialized.append((node, reason))
        else:
            kept.append(node)
            source_names |= {
                after[address].name: before[source].name for address, source in sources if source
            }
    layer_numbers = {node.id: number for number, node in enumerate(new.walk(), start=1)}
    by_position = tuple(node.id for node in kept if pairs.get(node.id) != node.id)
    return WeightTransfer(tuple(kept), tuple(reinitialized), source_names, layer_numbers, by_position)


def _find_source(
    address: _Address, old_id: str | None, before: Mapping[_Address, _Tensor]
) -> _Address | None:
    """The old tensor that the new one takes its values from; None if there is none."""
    if old_id is None:
        return None
    # A copy that the Repeat did not have before takes the weights of the first copy.
    for copy in (address.copy, 0):
        candidate = _Address(old_id, address.name, copy)
        if candidate in before:
            return candidate
    return None


def _describe_mismatch(
    old_id: str | None,
    sources: Iterable[tuple[_Address, _Address | None]],
    before: Mapping[_Address, _Tensor],
    after: Mapping[_Address, _Tensor],
) -> str:
    """Why a layer cannot keep its weights; empty if it can."""
    if old_id is None or not any(address.node_id == old_id for address in before):
        return "new layer"
    for address, source in sources:
        if source is None:
            return f"had no {address.name} before"
        if before[source].shape != after[address].shape:
            now, then = (" × ".join(map(str, each.shape)) for each in (after[address], before[source]))
            return f"{address.name} is {now}, was {then}"
    return ""


def _tensors_by_address(network: Network) -> dict[_Address, _Tensor]:
    """All tensors of the network's model."""
    with torch.device("meta"):
        tensors = build_model(network).state_dict()
    ids = {node.id for node in network.walk()}
    copies: dict[tuple[str, str], int] = defaultdict(int)
    found = {}
    for name, value in tensors.items():
        node_id, rest = _split_owner(name, ids)
        address = _Address(node_id, rest, copies[node_id, rest])
        copies[node_id, rest] += 1
        found[address] = _Tensor(name, tuple(value.shape))
    return found


def tensors_by_layer(network: Network) -> dict[str, dict[str, tuple[int, ...]]]:
    """Layer id -> name in the model's state dict -> shape, of all layers with tensors, in their order."""
    found: dict[str, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for address, tensor in _tensors_by_address(network).items():
        found[address.node_id][tensor.name] = tensor.shape
    return dict(found)


def _split_owner(name: str, ids: set[str]) -> tuple[str, str]:
    """The innermost layer id in a tensor's name, and the part of the name that follows it.

    `residual_1.body.conv2d_2.weight` belongs to conv2d_2, although it also contains the id of the group.
    """
    parts = name.split(".")
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        # A layer of several modules names one of them `<id>_<suffix>`. The longest id comes first: the id of
        # another layer may be its beginning.
        ends = [end for end in range(len(part), 0, -1) if end == len(part) or part[end] == "_"]
        for end in ends:
            if part[:end] in ids:
                return part[:end], ".".join((part[end:], *parts[index + 1 :])).strip(".")
    raise AssertionError(f"no layer of the network is named in {name}")
