"""What a run begins with that goes on where another one stands, in a changed design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from cnnstudio.core.formatting import plural
from cnnstudio.design.network import Network
from cnnstudio.training.checkpoints.manager import Position, last_checkpoint, own_weights, position_of
from cnnstudio.training.checkpoints.store import CheckpointError, Checkpoints
from cnnstudio.training.checkpoints.weight_transfer import carry_over
from cnnstudio.training.events import CarriedOver
from cnnstudio.training.preflight.prepare import Prepared, TrainingError
from cnnstudio.training.recipe.live_changes import continued
from cnnstudio.training.recipe.recipe import Recipe


@dataclass(frozen=True)
class Ancestor:
    """The run that another one goes on from."""

    folder: Path
    network: Network


@dataclass(frozen=True)
class Inheritance:
    """Where the run goes on, and with what."""

    position: Position
    recipe: Recipe
    weights: dict[str, Tensor]
    memory: dict[str, Tensor]
    """What the learner takes up."""
    random: dict[str, Tensor]
    """Where the random numbers are."""
    told: CarriedOver

    @property
    def step(self) -> int:
        return self.told.step


def inherit(
    ancestor: Ancestor, prepared: Prepared, steps_per_epoch: int, warn: Callable[[str], None]
) -> Inheritance:
    """Raises CheckpointError, and TrainingError where no epoch is left.

    The run goes on at the very step, unless its batches are others: then after the last whole epoch.
    """
    found = last_checkpoint(Checkpoints(ancestor.folder / "checkpoints"), warn)
    if found is None:
        raise CheckpointError(f"The run in {ancestor.folder} has no weights yet to go on from.")
    position = position_of(found, prepared.recipe, steps_per_epoch)
    if position.steps_per_epoch != steps_per_epoch:
        position = position.at_epoch_end(steps_per_epoch)
    recipe = continued(position.asked, position.recipe, prepared.recipe)
    if position.epoch >= recipe.epochs:
        done = plural(position.epoch, "epoch")
        raise TrainingError(f"epochs: that run has done {done} already, so more are needed.")
    carried = carry_over(ancestor.network, prepared.network)
    same = position.recipe.optimizer == recipe.optimizer
    state = {key: value for key, value in found.state.items() if same or not key.startswith("optimizer.")}
    told = CarriedOver(
        position.step,
        str(ancestor.folder),
        tuple(node.id for node in carried.kept),
        tuple(node.id for node, _ in carried.fresh),
        carried.lines,
    )
    weights, memory = carried.tensors(own_weights(found)), carried.tensors(state)
    return Inheritance(position, recipe, weights, memory, found.state, told)
