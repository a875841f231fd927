"""The estimate that is measured in the background while the empty curves are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.preflight import background_estimate
from cnnstudio.gui.training.preflight.background_estimate import BackgroundEstimate
from tests.gui.fakes import TINY, FakeSession


class Session(FakeSession):
    """Has torch, and measures when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.devices = {"cpu": "CPU"}
        self.tasks: list[ComputeTask] = []
        self.busy = False

    @property
    def is_busy(self) -> bool:
        return self.busy

    def run_task(self, function: Any, on_done: Any, on_error: Any = None, on_progress: Any = None) -> Any:
        self.tasks.append(ComputeTask(function, on_done, on_error, lambda _: None))
        return self.tasks[-1]


class Stage:
    def __init__(self) -> None:
        self.project, self.session = Project(), Session()
        self.project.open_network(TINY, None)
        self.project.set_dataset("shapes", 2)
        self.wanted = True
        self.found: list[object] = []
        self.estimate = BackgroundEstimate(self.project, self.session, lambda: self.wanted, self.project)
        self.estimate.estimated.connect(self.found.append)

    def finish(self, result: object) -> None:
        task = self.session.tasks[-1]
        task._notify(task._on_done, result)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(background_estimate, "_QUIET_MS", 0)
    stage = Stage()
    yield stage
    stage.estimate.close()


def test_it_is_measured_once_for_what_would_be_trained(stage: Stage, qtbot: QtBot) -> None:
    stage.estimate.consider()
    qtbot.waitUntil(lambda: len(stage.session.tasks) == 1)
    stage.finish("about 50 s")
    assert stage.found == ["about 50 s"]
    stage.estimate.consider()
    assert not stage.estimate._timer.isActive()
    stage.project.set_recipe(stage.project.recipe.replace(epochs=3))
    qtbot.waitUntil(lambda: len(stage.session.tasks) == 2)


def test_train_goes_before_and_a_change_discards_what_was_measured(stage: Stage, qtbot: QtBot) -> None:
    stage.estimate.consider()
    qtbot.waitUntil(lambda: len(stage.session.tasks) == 1)
    stage.session.show_state(State.LOADING)
    assert stage.session.tasks[0].is_cancelled
    stage.finish("about 50 s")
    assert stage.found == []
    stage.session.show_state(State.IDLE)
    qtbot.waitUntil(lambda: len(stage.session.tasks) == 2)


def test_it_waits_until_the_compute_thread_is_free(stage: Stage, qtbot: QtBot) -> None:
    stage.session.busy = True
    stage.estimate.consider()
    stage.estimate._on_quiet()
    assert stage.session.tasks == []
    stage.session.busy = False
    stage.session.became_free.emit()
    qtbot.waitUntil(lambda: len(stage.session.tasks) == 1)


@pytest.mark.parametrize("reason", ["nobody looks", "torch is not loaded", "an error", "no images"])
def test_without_a_reason_nothing_is_measured(stage: Stage, reason: str) -> None:
    if reason == "nobody looks":
        stage.wanted = False
    elif reason == "torch is not loaded":
        stage.session.devices = {}
    elif reason == "an error":
        stage.project.set_dataset("shapes", 7)
    else:
        stage.project.set_dataset("", None)
    stage.estimate.consider()
    assert not stage.estimate._timer.isActive()
