"""Train, Pause and Stop: in the toolbar, in the menu Train, and by their keys."""

from __future__ import annotations

from typing import Protocol

from cnnstudio.gui.widgets.actions import ActionSpec


class Trainings(Protocol):
    """What the actions operate on."""

    def train(self) -> None: ...
    def pause_or_resume(self) -> None: ...
    def stop(self) -> None: ...
    @property
    def is_training(self) -> bool: ...
    @property
    def is_paused(self) -> bool: ...
    @property
    def can_pause(self) -> bool: ...
    @property
    def can_stop(self) -> bool: ...


def _train_tooltip(bar: Trainings) -> str:
    return "Training in progress" if bar.is_training else "Train the network"


TRAINING_ACTIONS: tuple[ActionSpec[Trainings], ...] = (
    ActionSpec(
        "actionTrain",
        "&Train",
        lambda bar: bar.train(),
        menu="Train",
        tooltip="Train the network",
        shortcuts=("F5", "Ctrl+R"),
        icon="train",
        enabled=lambda bar: not bar.is_training,
        dynamic_tooltip=_train_tooltip,
        toolbar="primary",
    ),
    ActionSpec(
        "actionPause",
        "&Pause",
        lambda bar: bar.pause_or_resume(),
        menu="Train",
        tooltip="Pause training after the current step",
        shortcuts=("F9",),
        icon="pause",
        enabled=lambda bar: bar.can_pause,
        dynamic_title=lambda bar: "&Resume" if bar.is_paused else "&Pause",
        dynamic_tooltip=lambda bar: (
            "Resume training" if bar.is_paused else "Pause training after the current step"
        ),
        dynamic_icon=lambda bar: "train" if bar.is_paused else "pause",
        toolbar="button",
    ),
    ActionSpec(
        "actionStop",
        "&Stop",
        lambda bar: bar.stop(),
        menu="Train",
        tooltip="Stop training; the best and the latest weights are saved",
        shortcuts=("Shift+F5",),
        icon="stop",
        enabled=lambda bar: bar.can_stop,
        toolbar="button",
    ),
)
