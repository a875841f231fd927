"""Takes up a run that ended, was stopped or was broken off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import QInputDialog, QWidget

from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run

_MOST_EPOCHS = 10_000
WATCHED = "Another program trains this run now{}: it can only be watched."


@dataclass(frozen=True)
class Ended:
    """A run that can be taken up."""

    run: Run
    is_complete: bool
    epochs: int
    """As many as are planned, or done where that is more."""


def read_ended(folder: Path) -> Ended:
    """Reads the run in the folder, in any thread. Raises RunError, also where it is being trained."""
    run = Run.open(folder)
    status = run.status
    if status == "running":
        raise RunError(WATCHED.format("" if run.is_of_this_machine else f", on {run.host}"))
    # Read here, and not when they are wanted: the drive may be slow. It may have been made longer meanwhile.
    _ = run.network, run.dataset_name
    return Ended(run, status == "completed", max(run.recipe.epochs, len(run.history)))


def go_on(session: TrainingSession, ended: Ended, window: QWidget) -> None:
    """Goes on with the run; asks how much longer where it is complete."""
    run, recipe = ended.run, ended.run.recipe
    if ended.is_complete:
        more, chosen = QInputDialog.getInt(
            window, "Go on with the run", "The run is complete. Epochs to add:", 5, 1, _MOST_EPOCHS
        )
        if not chosen:
            return
        recipe = recipe.replace(epochs=ended.epochs + more)
    session.go_on(run.folder, run.network, run.dataset_name, recipe)
