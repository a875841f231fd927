"""Keeps the weights of a training: the best in memory, and what is needed to go on in the run's folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from cnnstudio.files import FileError
from cnnstudio.training.checkpoint import Checkpoint, CheckpointError, Checkpoints, restore_weights
from cnnstudio.training.events import Scores
from cnnstudio.training.model import Model
from cnnstudio.training.optimizers import optimizer_tensors, restore_optimizer
from cnnstudio.training.settings import random_state, set_random_state

_OPTIMIZER = "optimizer."


@dataclass(frozen=True)
class Best:
    """The weights that did best on the validation pictures so far, on the CPU."""

    epoch: int
    scores: Scores
    weights: dict[str, Tensor]


class Keeper:
    """Decides which weights are the best, saves, and restores. `warn` hears of what could not be saved."""

    def __init__(
        self, model: Model, optimizer: Optimizer, folder: Path | None, warn: Callable[[str], None]
    ) -> None:
        self.best: Best | None = None
        self._model = model
        self._optimizer = optimizer
        self._checkpoints = Checkpoints(folder / "checkpoints") if folder else None
        self._warn = warn

    def is_best(self, epoch: int, scores: Scores) -> bool:
        """By validation accuracy, then by loss."""
        if self.best is None or self.best.epoch == epoch:
            return True
        before = self.best.scores
        return (scores.accuracy, -scores.loss) > (before.accuracy, -before.loss)

    def keep(self, epoch: int, scores: Scores, seconds: float) -> None:
        """Keeps the end of an epoch."""
        best = self.is_best(epoch, scores)
        weights = self._weights()
        if best:
            self.best = Best(epoch, scores, weights)
        state = random_state(self._model.device)
        state |= {_OPTIMIZER + name: value for name, value in optimizer_tensors(self._optimizer).items()}
        info = {
            "epoch": epoch,
            "loss": scores.loss,
            "accuracy": scores.accuracy,
            "seconds": seconds,
            "optimizer": type(self._optimizer).__name__,
        }
        self._save(f"epoch-{epoch:05d}", Checkpoint(weights, info, state), last=True, best=best)

    def keep_unfinished(self, seconds: float) -> None:
        """Keeps what was learnt before the first epoch ended, so that stopping early loses nothing."""
        info = {"epoch": 0, "seconds": seconds}
        self._save("unfinished", Checkpoint(self._weights(), info), last=False, best=True)

    def restore(self) -> tuple[int, float]:
        """Goes back to the last epoch end in the folder; gives its number and the seconds until then.

        (0, 0.0) where no epoch has ended. Raises CheckpointError.
        """
        found = self._last()
        if found is None or self._checkpoints is None:
            return 0, 0.0
        restore_weights(self._model, found.weights)
        before, now = found.info["optimizer"], type(self._optimizer).__name__
        if before != now:
            raise CheckpointError(f"The checkpoint was written with the optimizer {before}, not {now}.")
        memory = {
            name.removeprefix(_OPTIMIZER): value
            for name, value in found.state.items()
            if name.startswith(_OPTIMIZER)
        }
        restore_optimizer(self._optimizer, memory)
        set_random_state(self._model.device, found.state)
        best = self._checkpoints.load("best")
        scores = Scores(best.info["loss"], best.info["accuracy"])
        self.best = Best(best.info["epoch"], scores, best.weights)
        return found.info["epoch"], found.info["seconds"]

    def _last(self) -> Checkpoint | None:
        checkpoints = self._checkpoints
        if checkpoints is None or "last" not in checkpoints:
            return None
        try:
            return checkpoints.load("last", with_state=True)
        except CheckpointError as error:
            if "previous" not in checkpoints:
                raise
            previous = checkpoints.load("previous", with_state=True)
            self._warn(f"{error} The run goes on from the one before it.")
            return previous

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().to("cpu", copy=True) for name, value in self._model.state_dict().items()}

    def _save(self, stem: str, checkpoint: Checkpoint, *, last: bool, best: bool) -> None:
        if self._checkpoints is None:
            return
        try:
            self._checkpoints.save(stem, checkpoint, last=last, best=best)
        except FileError as error:
            self._warn(f"The weights could not be saved; the run goes on. {error}")


def all_finite(model: Model) -> bool:
    """Whether every weight, running mean included, is a number."""
    return all(
        bool(torch.isfinite(value).all())
        for value in model.state_dict().values()
        if value.is_floating_point()
    )
