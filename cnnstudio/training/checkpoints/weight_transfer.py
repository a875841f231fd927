"""What a changed design keeps of what the one before has learned: layers whose weights still fit."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from cnnstudio.design.matching import Pairs, pairs_by_id, pairs_by_order
from cnnstudio.design.network import Network, Node
from cnnstudio.training.model import build_model

_KEY = re.compile(r"(optimizer\.[^.]+\.|average\.|own\.)?(.*)")


class _Place(NamedTuple):
    """A tensor of a model, by what it is in the drawing rather than where it stands there."""

    node_id: str
    name: str
    """Within the layer, such as `weight`."""
    copy: int
    """Of the layer, counted from 0; a Repeat has several."""


@dataclass(frozen=True)
class CarryOver:
    """Layers with weights, from top to bottom of the new design, and where their weights come from."""

    kept: tuple[Node, ...]
    fresh: tuple[tuple[Node, str], ...]
    """With the reason, in words that can follow the layer's name."""
    names: Mapping[str, str]
    """Name of a tensor in the new model -> its name in the old one."""
    numbers: Mapping[str, int]
    """Ids of the new design's layers -> their numbers in the list, from 1."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What is kept and what starts afresh, as readable lines."""
        kept = ", ".join(map(self._called, self.kept)) or "no layer"
        lines = [f"Keeps what it has learned: {kept}"]
        lines += [f"Starts afresh: {self._called(node)}, {reason}" for node, reason in self.fresh]
        return tuple(lines)

    def _called(self, node: Node) -> str:
        return f"{self.numbers[node.id]} {node.title}"

    def tensors(self, old: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the new model keeps of the old one's tensors, under its own names.

        Names may have something in front that says what is kept of the tensor, such as `optimizer.exp_avg.`.
        What has no point in its name, such as the steps of an average, belongs to no layer and is kept.
        """
        new_names = defaultdict(list)
        for new, before in self.names.items():
            new_names[before].append(new)
        found = {key: value for key, value in old.items() if "." not in key}
        for key, value in old.items():
            front, name = _KEY.fullmatch(key).groups("")  # type: ignore[union-attr]  # it takes every name
            found |= {front + new: value for new in new_names.get(name, ())}
        return found


def carry_over(old: Network, new: Network) -> CarryOver:
    """What `new` keeps of `old`. Both have to be free of problems (`design.analysis`).

    A layer keeps its weights if it is of the same type as before and all of them have the same shapes. Layers
    of the same id are the same; where more fits by their order, as after a design was written anew, that
    counts.
    """
    by_id, by_order = (_by(pairs, old, new) for pairs in (pairs_by_id(old, new), pairs_by_order(old, new)))
    return by_order if len(by_order.kept) > len(by_id.kept) else by_id


def _by(pairs: Pairs, old: Network, new: Network) -> CarryOver:
    before, after = _tensors(old), _tensors(new)
    names: dict[str, str] = {}
    kept, fresh = [], []
    for node in (each for top in new.nodes for each in top.walk_active()):
        own = [place for place in after if place.node_id == node.id]
        if not own:
            continue
        old_id = pairs.get(node.id)
        # A copy that the Repeat did not have learns from what its first copy knows.
        sources = [(place, _source(place, old_id, before)) for place in own]
        reason = _reason(node, old_id, sources, before, after)
        if reason:
            fresh.append((node, reason))
        else:
            kept.append(node)
            names |= {after[place].name: before[source].name for place, source in sources if source}
    numbers = {node.id: number for number, node in enumerate(new.walk(), start=1)}
    return CarryOver(tuple(kept), tuple(fresh), names, numbers)


class _Tensor(NamedTuple):
    name: str
    shape: tuple[int, ...]


def _source(place: _Place, old_id: str | None, before: Mapping[_Place, _Tensor]) -> _Place | None:
    if old_id is None:
        return None
    for copy in (place.copy, 0):
        wanted = _Place(old_id, place.name, copy)
        if wanted in before:
            return wanted
    return None


def _reason(
    node: Node,
    old_id: str | None,
    sources: Iterable[tuple[_Place, _Place | None]],
    before: Mapping[_Place, _Tensor],
    after: Mapping[_Place, _Tensor],
) -> str:
    """Why the layer starts afresh; empty where it does not."""
    if old_id is None or not any(place.node_id == old_id for place in before):
        return "which is new"
    for place, source in sources:
        if source is None:
            return f"which had no {place.name} before"
        if before[source].shape != after[place].shape:
            shapes = [" × ".join(map(str, each.shape)) for each in (after[place], before[source])]
            return f"whose {place.name} is {shapes[0]}, before {shapes[1]}"
    return ""


def _tensors(network: Network) -> dict[_Place, _Tensor]:
    """All tensors of the network's model; only their shapes are worked out."""
    with torch.device("meta"):
        tensors = build_model(network).state_dict()
    ids = {node.id for node in network.walk()}
    copies: dict[tuple[str, str], int] = defaultdict(int)
    found = {}
    for name, value in tensors.items():
        node_id, rest = _owner(name, ids)
        place = _Place(node_id, rest, copies[node_id, rest])
        copies[node_id, rest] += 1
        found[place] = _Tensor(name, tuple(value.shape))
    return found


def _owner(name: str, ids: set[str]) -> tuple[str, str]:
    """The innermost layer that the tensor's name names, and what stands behind it."""
    parts = name.split(".")
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        # A layer of several modules has one of them as `<id>_<suffix>`.
        ends = [end for end in range(len(part), 0, -1) if end == len(part) or part[end] == "_"]
        for end in ends:
            if part[:end] in ids:
                return part[:end], ".".join((part[end:], *parts[index + 1 :])).strip(".")
    raise AssertionError(f"no layer of the network is named in {name}")
