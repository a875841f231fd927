"""Says of a run's weights that they, or some of them, have not been trained."""

from __future__ import annotations

import contextlib

from cnnstudio.core.formatting import join_words
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.edits import set_trainable
from cnnstudio.design.network import Network
from cnnstudio.runs.epochs.saved_best import saved_best_epoch
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run
from cnnstudio.training.events import LayersUnlocked, WeightsLoaded, WeightsTransferred
from cnnstudio.training.pretrained.random_locks import random_locks

_MAX_NAMED = 3


def describe_untrained(run: Run) -> str:
    """One or two sentences for whoever takes the run's best weights elsewhere; empty if they were trained.

    They were not if no epoch was completed, and locked layers were not if they started from random weights.
    """
    parts = []
    with contextlib.suppress(RunError):
        if saved_best_epoch(run) is None and not run.history:
            parts.append("The run has not completed an epoch, so the network has learned little or nothing.")
        names = _random_layers(run)
        if names:
            more = len(names) - _MAX_NAMED
            shown = [*names[:_MAX_NAMED], *([f"{more} more"] if more > 0 else [])]
            was = "was locked and has" if len(names) == 1 else "were locked and have"
            parts.append(f"{join_words(shown)} {was} random weights.")
    return " ".join(parts)


def _as_trained(run: Run) -> Network:
    """The run's network without the locks that its second stage opened before the best epoch."""
    network, best = run.network, saved_best_epoch(run)
    for event in run.events_of(LayersUnlocked):
        if best is not None and best > event.epoch:
            network = set_trainable(network, [each for each in event.layers if each in network], True)
    return network


def _random_layers(run: Run) -> list[str]:
    """The titles of the locked layers that started from random weights. Raises RunError."""
    network = _as_trained(run)
    if not network.locked_ids:
        return []
    fresh = None
    started: list[WeightsLoaded | WeightsTransferred] = [
        *run.events_of(WeightsLoaded),
        *run.events_of(WeightsTransferred),
    ]
    if started:
        fresh = started[-1].fresh
    elif run.start_weights or run.continued_from:
        return []
    numbers = {node.id: number for number, node in enumerate(network.walk(), start=1)}
    ids = random_locks(analyze(network), fresh)
    return [f"{network.node(each).title} (layer {numbers[each]})" for each in ids]
