"""Starting a run from another run's last checkpoint, although the design has changed since."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from cnnstudio.core.formatting import pluralize
from cnnstudio.design.network import Network
from cnnstudio.training.checkpoints.manager import load_newest_checkpoint, model_weights
from cnnstudio.training.checkpoints.position import Position, read_position
from cnnstudio.training.checkpoints.store import CheckpointError, CheckpointStore
from cnnstudio.training.checkpoints.weight_transfer import plan_transfer
from cnnstudio.training.events import WeightsTransferred
from cnnstudio.training.preflight.checks import TrainingError
from cnnstudio.training.preflight.prepare import PreparedTraining, known_statistics
from cnnstudio.training.recipe.live_changes import resumed_recipe
from cnnstudio.training.recipe.recipe import Recipe


@dataclass(frozen=True)
class ParentRun:
    """The run to start from."""

    folder: Path
    network: Network
    require_own: Callable[[Mapping[str, Any]], None] = lambda info: None
    """That of `CheckpointStore`."""


@dataclass(frozen=True)
class WarmStart:
    """Where the new run starts, and what it takes from its parent."""

    position: Position
    recipe: Recipe
    weights: dict[str, Tensor]
    """By their names in the new model; layers that do not fit are missing."""
    training_state: dict[str, Tensor]
    """For `TrainingStep.load_state_dict`."""
    random_state: dict[str, Tensor]
    event: WeightsTransferred
    kept_statistics: frozenset[str]
    """The batch normalizations of the new model that keep their statistics, by name."""


def load_warm_start(
    parent: ParentRun, prepared: PreparedTraining, steps_per_epoch: int, warn: Callable[[str], None]
) -> WarmStart:
    """Raises CheckpointError, and TrainingError if no epoch is left to train.

    The run starts at its parent's very step, unless the batches have changed: then after the last complete
    epoch, because a position within an epoch means nothing for other batches.
    """
    found = load_newest_checkpoint(
        CheckpointStore(parent.folder / "checkpoints", parent.require_own),
        warn,
        lambda checkpoint: (checkpoint, read_position(checkpoint, prepared.recipe, steps_per_epoch)),
    )
    if found is None:
        raise CheckpointError(f"The run in {parent.folder} has no checkpoint to start from.")
    checkpoint, position = found
    if position.steps_per_epoch != steps_per_epoch:
        position = position.at_epoch_end(steps_per_epoch)
    recipe = resumed_recipe(position.original_recipe, position.recipe, prepared.recipe)
    if position.epoch >= recipe.epochs:
        done = pluralize(position.epoch, "epoch")
        raise TrainingError(f"epochs: that run has already completed {done}, so more are needed.")
    transfer = plan_transfer(parent.network, prepared.network)
    # One optimizer's moments mean nothing to another.
    same_optimizer = position.recipe.optimizer == recipe.optimizer
    state = {
        key: value
        for key, value in checkpoint.state.items()
        if same_optimizer or not key.startswith("optimizer.")
    }
    event = WeightsTransferred(
        position.step,
        str(parent.folder),
        tuple(node.id for node in transfer.kept),
        tuple(node.id for node, _ in transfer.reinitialized),
        transfer.lines,
    )
    weights = transfer.apply(model_weights(checkpoint))
    known = set(weights)
    if position.recipe.batch_norm_statistics == "kept":
        # As the parent goes on: those that started afresh there have never been kept.
        sources = transfer.source_names.items()
        known = {new for new, old in sources if old.rpartition(".")[0] in position.kept_statistics}
    kept = known_statistics(recipe, known)
    return WarmStart(position, recipe, weights, transfer.apply(state), checkpoint.state, event, kept)
