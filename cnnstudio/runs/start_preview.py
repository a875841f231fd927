"""What a training can start from, and what of it fits a design: for dialogs, without Qt."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network, Node
from cnnstudio.runs.epochs.inspection import inspectable_epochs
from cnnstudio.runs.epochs.saved_best import saved_best_epoch
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run
from cnnstudio.runs.start_weights import find_start_weights
from cnnstudio.training.pretrained.random_locks import describe_random_locks, random_locks

Match = Literal["name", "position", "none"]
"""How a layer gets its weights; "none" starts afresh."""


@dataclass(frozen=True)
class StartEpoch:
    """Weights of a run to start from."""

    epoch: int
    """0 is before training."""
    accuracy: float | None
    """On the validation images; None if it was not recorded."""
    is_best: bool = False

    @property
    def text(self) -> str:
        """`Best: epoch 7, 93.4%`, `Epoch 3, 81.0%`, `Before training`."""
        if not self.epoch:
            return "Before training"
        accuracy = "" if self.accuracy is None else f", {format_percent(self.accuracy)}"
        return f"{'Best: epoch' if self.is_best else 'Epoch'} {self.epoch:,}{accuracy}"


@dataclass(frozen=True)
class FitRow:
    """A layer, or a group of which all layers are matched in the same way."""

    title: str
    match: Match
    details: str
    """How it is matched, or why it starts afresh."""


@dataclass(frozen=True)
class StartPreview:
    """What a design takes of some weights. What fits comes first, then what starts afresh."""

    rows: tuple[FitRow, ...]
    kept: int
    """Layers that take their weights from there."""
    layers: int
    """Layers with weights."""
    notice: str
    """Under which terms the weights are; empty if nobody knows."""
    random_locks: tuple[str, ...]
    """The ids of locked layers that would start from random weights."""
    warning: str
    """The same as a text; empty if there are none."""

    @property
    def summary(self) -> str:
        """`52 of 53 layers take these weights`."""
        return f"{self.kept:,} of {pluralize(self.layers, 'layer')} {_take(self.kept)} these weights"


def _take(count: int) -> str:
    return "takes" if count == 1 else "take"


def start_epochs(folder: Path) -> tuple[StartEpoch, ...]:
    """The epochs of a run of which there are weights, the best first, then from the last to the first.

    Raises RunError if there are none.
    """
    run = Run.open(folder)
    best, epochs = saved_best_epoch(run), inspectable_epochs(run)
    if not epochs:
        raise RunError(f"The run {run.id} has no saved weights: it ended before its first checkpoint.")
    accuracies: dict[int, float] = {}
    with contextlib.suppress(RunError):
        accuracies = {each.epoch: each.validation.accuracy for each in run.history}
    found = [StartEpoch(each, accuracies.get(each), each == best) for each in reversed(epochs)]
    return tuple(sorted(found, key=lambda each: not each.is_best))


def preview_start(source: str, network: Network) -> StartPreview:
    """What the network takes of the weights that `find_start_weights` finds. Reads them; needs a thread.

    Raises PretrainedError, RunError or CheckpointError, also if nothing fits.
    """
    start = find_start_weights(source, network)
    matches: dict[str, Match] = dict.fromkeys(start.kept, "name")
    matches |= dict.fromkeys(start.by_position, "position")
    matches |= dict.fromkeys(start.fresh, "none")
    rows = [*_rows(network, network.nodes, matches, start.reasons)]
    order: Sequence[Match] = ("name", "position", "none")
    analysis = analyze(network)
    locks = network.locked_ids
    return StartPreview(
        tuple(sorted(rows, key=lambda row: order.index(row.match))),
        len(start.kept),
        len(start.kept) + len(start.fresh),
        start.notice,
        random_locks(analysis, start.fresh) if locks else (),
        describe_random_locks(analysis, start.fresh) if locks else "",
    )


def _rows(
    network: Network, nodes: Sequence[Node], matches: Mapping[str, Match], reasons: Mapping[str, str]
) -> Iterator[FitRow]:
    numbers = {node.id: number for number, node in enumerate(network.walk(), start=1)}

    def rows(inside: Sequence[Node]) -> Iterator[FitRow]:
        for node in inside:
            owners = [each.id for each in node.walk() if each.id in matches]
            found = {matches[each] for each in owners}
            if len(found) == 1 and found != {"none"}:
                title = node.title if node.is_group else f"{node.title} (layer {numbers[node.id]})"
                yield FitRow(title, *_described(found.pop(), len(owners), node.is_group))
            elif found:
                if node.id in matches:
                    how = matches[node.id]
                    details = reasons.get(node.id, "") if how == "none" else _described(how, 1, False)[1]
                    yield FitRow(f"{node.title} (layer {numbers[node.id]})", how, _fresh(how, details))
                yield from rows(node.children)

    return rows(nodes)


def _described(how: Match, count: int, is_group: bool) -> tuple[Match, str]:
    text = f"By {how} and shape"
    return how, f"{text}, {pluralize(count, 'layer')}" if is_group else text


def _fresh(how: Match, details: str) -> str:
    return f"Starts afresh: {details}" if how == "none" else details
