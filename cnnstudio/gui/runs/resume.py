"""Resumes a run that completed, was stopped or was interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import QWidget

from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.widgets.number_box import NumberBox
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run

_MAXIMUM_ADDED_EPOCHS = 10_000
_TRAINED_ELSEWHERE = "Another program{} is training this run, so it can only be viewed here."


@dataclass(frozen=True)
class ResumableRun:
    """A run that can be resumed, with everything that needs its files already read."""

    run: Run
    is_complete: bool
    epochs: int
    """The number of epochs planned, or completed if that is larger."""


def read_resumable_run(folder: Path) -> ResumableRun:
    """Reads the run in the folder, in any thread. Raises RunError, also if a program is training it."""
    run = Run.open(folder)
    status = run.status
    if status == "running":
        raise RunError(_TRAINED_ELSEWHERE.format("" if run.is_of_this_machine else f" on {run.host}"))
    # Read now, while in a thread: the drive may be slow, and the properties keep their values.
    _ = run.network, run.dataset_name
    return ResumableRun(run, status == "completed", max(run.recipe.epochs, len(run.history)))


def resume_run(session: TrainingSession, resumable: ResumableRun, window: QWidget) -> None:
    """Resumes the run; asks for the number of additional epochs if it is complete."""
    run, recipe = resumable.run, resumable.run.recipe
    if resumable.is_complete:
        box = NumberBox(
            window,
            "Resume run",
            "Train this run for more epochs?",
            "The run is complete. Training continues from its last checkpoint.",
            label="Epochs to add",
            value=5,
            minimum=1,
            maximum=_MAXIMUM_ADDED_EPOCHS,
            button="&Resume",
            icon="train",
        )
        added = box.ask_number()
        if added is None:
            return
        recipe = recipe.replace(epochs=resumable.epochs + added)
    session.resume_run(run.folder, run.network, run.dataset_name, recipe)
