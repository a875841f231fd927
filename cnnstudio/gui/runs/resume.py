"""Resumes a run that completed, was stopped or was interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import QWidget

from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.widgets.number_box import NumberBox
from cnnstudio.runs.archive.opened import require_changeable
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run
from cnnstudio.training.recipe.recipe import MAX_EPOCHS

_TRAINED_ELSEWHERE = "Another program{} is training this run, so it can only be viewed here."
_NO_MORE_EPOCHS = (
    f"This run has {MAX_EPOCHS:,} epochs, the most that a run can have. To train on from its weights, start "
    "a new run with cnnstudio train --continue-from."
)


@dataclass(frozen=True)
class ResumableRun:
    """A run that can be resumed, with everything that needs its files already read."""

    run: Run
    is_complete: bool
    epochs: int
    """The number of epochs planned, or completed if that is larger."""


def read_resumable_run(folder: Path) -> ResumableRun:
    """Reads the run in the folder, in any thread.

    Raises RunError, also if a program is training it or if it has as many epochs as a run can have.
    """
    run = Run.open(folder)
    require_changeable(folder, "resumed")
    status = run.status
    if status == "running":
        raise RunError(_TRAINED_ELSEWHERE.format("" if run.is_of_this_machine else f" on {run.host}"))
    # Read now, while in a thread: the drive may be slow, and the properties keep their values.
    _ = run.network, run.dataset_name
    is_complete, epochs = status == "completed", max(run.recipe.epochs, len(run.history))
    if is_complete and epochs >= MAX_EPOCHS:
        raise RunError(_NO_MORE_EPOCHS)
    return ResumableRun(run, is_complete, epochs)


def resume_run(session: TrainingSession, resumable: ResumableRun, window: QWidget) -> None:
    """Resumes the run; asks for the number of additional epochs if it is complete."""
    run, recipe = resumable.run, resumable.run.recipe
    if resumable.is_complete:
        most = MAX_EPOCHS - resumable.epochs
        box = NumberBox(
            window,
            "Resume run",
            "Train this run for more epochs?",
            "The run is complete. Training continues from its last checkpoint.",
            label="Epochs to add",
            value=min(5, most),
            minimum=1,
            maximum=most,
            button="&Resume",
            icon="train",
        )
        added = box.ask_number()
        if added is None:
            return
        recipe = recipe.replace(epochs=resumable.epochs + added)
    session.resume_run(run.folder, run.network, run.dataset_name, recipe)
