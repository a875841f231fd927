"""Takes up a run that ended, was stopped or was broken off."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QInputDialog, QWidget

from cnnstudio.gui.training.session import TrainingSession
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run

_MOST_EPOCHS = 10_000


def go_on(session: TrainingSession, folder: Path, window: QWidget) -> None:
    """Goes on with the run in the folder; asks how much longer where it is complete. Raises RunError."""
    run = Run.open(folder)
    if run.status == "running":
        raise RunError("Another program trains this run now: it can only be watched.")
    recipe = run.recipe
    if run.status == "completed":
        more, chosen = QInputDialog.getInt(
            window, "Go on with the run", "The run is complete. Epochs to add:", 5, 1, _MOST_EPOCHS
        )
        if not chosen:
            return
        # It may have been made longer while it trained.
        recipe = recipe.replace(epochs=max(recipe.epochs, len(run.history)) + more)
    session.go_on(folder, run.network, run.dataset_name, recipe)
