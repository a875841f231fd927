"""Real trainings of a tiny network on a few images, through panel, session and dashboard."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from cnnstudio.design.network import Node
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.resume import read_resumable_run, resume_run
from cnnstudio.gui.training.tool_bar import TrainingToolBar
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.number_box import NumberBox
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.layers.regularization.dropout import Dropout
from cnnstudio.runs.comparing.seeds import accuracy_statistics
from cnnstudio.runs.comparing.significance import format_accuracy
from cnnstudio.runs.library.finding import list_runs
from cnnstudio.runs.run import Run
from cnnstudio.training.diagnosis.remedies import Remedy
from cnnstudio.training.events import Finished, Progress
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from tests.gui.fakes import TINY, image_folder
from tests.gui.run_stage import RunStage

PATIENCE_MS = 60_000


class Studio:
    """A small window with everything that training needs."""

    def __init__(self, qtbot: QtBot, images: Path) -> None:
        self.qtbot = qtbot
        self.project = Project(TINY)
        self.session = TrainingSession()
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.tool_bar = TrainingToolBar(self.project, self.session)
        self.dashboard = RunStage(self.project, self.session)
        self.window.addToolBar(self.tool_bar)
        self.window.setCentralWidget(self.dashboard)
        self.window.resize(1300, 400)
        self.window.show()
        self.project.set_dataset(str(images), None)

    def train(self, epochs: int) -> None:
        self.project.set_recipe(Recipe("quick", epochs=epochs, batch_size=4))
        self.tool_bar.train_action.trigger()

    def until(self, state: State) -> None:
        self.qtbot.waitUntil(lambda: self.session.state is state, timeout=PATIENCE_MS)

    def until_steps(self, count: int) -> None:
        losses = self.dashboard.record.history.loss
        self.qtbot.waitUntil(lambda: len(losses.steps) >= count, timeout=PATIENCE_MS)

    @property
    def finished(self) -> Finished:
        finished = self.dashboard.record.history.finished
        assert finished is not None
        return finished


@pytest.fixture
def studio(qtbot: QtBot, tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(qtbot, image_folder(tmp_path / "images"))
    yield studio
    studio.dashboard.close_run()
    assert studio.session.shutdown(60)


def test_a_complete_training_leaves_curves_maps_and_a_run(studio: Studio) -> None:
    studio.train(epochs=3)
    studio.until(State.IDLE)

    assert studio.finished.outcome == "completed"
    assert studio.tool_bar.status_label.full_text.startswith("Done: test accuracy ")
    assert len(studio.dashboard.record.history.loss.steps) == 3 * 6
    run = studio.session.run
    assert run is not None
    assert Run.open(run).status == "completed"
    assert Run.open(run).dataset_name == studio.project.dataset_name
    grid = studio.dashboard.feature_maps.grid
    studio.qtbot.waitUntil(lambda: grid.maps is not None)
    assert studio.dashboard.timeline.text.startswith("Best epoch: ")


def test_the_design_can_be_edited_while_it_trains(studio: Studio) -> None:
    studio.train(epochs=2000)
    studio.until(State.RUNNING)
    studio.until_steps(5)

    nodes = TINY.nodes
    edited = dataclasses.replace(TINY, nodes=(nodes[0], Node("dropout_1", Dropout()), *nodes[1:]))
    studio.project.edit("add Dropout", edited, select=["dropout_1"])
    steps = len(studio.dashboard.record.history.loss.steps)
    studio.until_steps(steps + 10)
    studio.session.stop()
    studio.until(State.IDLE)

    assert studio.session.network == TINY
    assert studio.finished.outcome == "stopped"


def test_a_paused_training_still_shows_other_layers(studio: Studio) -> None:
    studio.train(epochs=2000)
    studio.until(State.RUNNING)
    studio.until_steps(5)
    studio.tool_bar.pause_action.trigger()
    studio.until(State.PAUSED)
    steps = len(studio.dashboard.record.history.loss.steps)

    studio.project.select(["dense_1"])
    grid = studio.dashboard.feature_maps.grid

    def shows_the_layer() -> bool:
        return isinstance(grid.maps, FeatureMaps) and grid.maps.node_id == "dense_1"

    studio.qtbot.waitUntil(shows_the_layer, timeout=PATIENCE_MS)
    assert len(studio.dashboard.record.history.loss.steps) == steps

    studio.tool_bar.pause_action.trigger()
    studio.until(State.RUNNING)
    studio.until_steps(steps + 1)
    studio.tool_bar.stop_action.trigger()
    studio.until(State.IDLE)


def test_completed_epochs_can_be_viewed_while_it_trains(studio: Studio) -> None:
    studio.train(epochs=2000)
    dashboard = studio.dashboard
    studio.qtbot.waitUntil(lambda: len(dashboard.record.history.epochs) >= 2, timeout=PATIENCE_MS)
    studio.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() >= 2000, timeout=PATIENCE_MS)

    dashboard.timeline.slider.setFocus()
    studio.qtbot.keyClick(dashboard.timeline.slider, Qt.Key.Key_Home)

    heading = dashboard.feature_maps.heading
    studio.qtbot.waitUntil(lambda: heading.details.startswith("after epoch 0 · 4 maps"), timeout=PATIENCE_MS)
    studio.session.stop()
    studio.until(State.IDLE)


def test_closing_while_it_trains_keeps_the_weights(studio: Studio) -> None:
    studio.train(epochs=2000)
    studio.until(State.RUNNING)
    studio.until_steps(20)

    assert studio.session.shutdown(60)

    run = studio.session.run
    assert run is not None
    assert Run.open(run).status == "stopped"
    assert list((run / "checkpoints").iterdir())


def test_an_untrainable_network_is_reported(studio: Studio) -> None:
    studio.project.set_recipe(Recipe("quick", batch_size=1))
    nodes = TINY.nodes
    from cnnstudio.layers.normalization.batch_normalization import BatchNormalization

    network = dataclasses.replace(
        TINY, nodes=(nodes[1], Node("batch_normalization_1", BatchNormalization()), nodes[2])
    )
    studio.project.edit("normalize", network)

    studio.tool_bar.train_action.trigger()
    studio.until(State.IDLE)

    assert "must be at least 2" in studio.tool_bar.status_label.full_text
    assert studio.session.run is None


def test_a_training_that_needs_too_much_memory_offers_a_fix(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnstudio.design.analysis.analysis import analyze
    from cnnstudio.training.preflight import checks

    recipe = Recipe("quick", batch_size=16)
    free = checks.required_memory(analyze(TINY), recipe) // 2
    monkeypatch.setattr(checks, "free_memory", lambda device: free)
    fixes: list[Remedy] = []
    studio.session.fix_available.connect(fixes.append)
    studio.project.set_recipe(recipe)

    studio.tool_bar.train_action.trigger()
    studio.until(State.IDLE)

    assert "GB of memory" in studio.tool_bar.status_label.full_text
    (fix,) = fixes
    assert fix.apply_to(recipe).accumulate > 1


def test_a_paused_run_continues_with_a_changed_design(studio: Studio) -> None:
    offers: list[Message] = []
    studio.tool_bar.message.connect(lambda message: offers.append(message) if message.button else None)
    studio.train(epochs=2000)
    studio.until(State.RUNNING)
    studio.until_steps(10)
    studio.tool_bar.pause_action.trigger()
    studio.until(State.PAUSED)
    first, steps = studio.session.run, len(studio.dashboard.record.history.loss.steps)
    assert first is not None

    nodes = TINY.nodes
    edited = dataclasses.replace(TINY, nodes=(nodes[0], Node("dropout_1", Dropout()), *nodes[1:]))
    studio.project.edit("add Dropout", edited)
    offers[-1].action()
    assert offers[-1].text == "Weights kept: Conv2D (layer 1), Dense (layer 4)."
    offers[-1].action()
    studio.until(State.RUNNING)
    studio.until_steps(steps + 10)
    studio.session.stop()
    studio.until(State.IDLE)

    second = studio.session.run
    assert second is not None
    assert second != first
    assert Run.open(first).status == "stopped"
    assert Run.open(second).network.nodes == edited.nodes
    assert Run.open(second).metadata["continues"] == first.name
    assert [mark.label for mark in studio.dashboard.record.history.marks] == ["changed design"]


def test_a_stopped_run_resumes_where_it_stopped(studio: Studio) -> None:
    studio.train(epochs=2000)
    studio.until(State.RUNNING)
    studio.until_steps(10)
    studio.session.stop()
    studio.until(State.IDLE)
    run, steps = studio.session.run, len(studio.dashboard.record.history.loss.steps)
    assert run is not None

    resume_run(studio.session, read_resumable_run(run), studio.window)
    studio.until(State.RUNNING)
    studio.until_steps(steps + 5)
    studio.session.stop()
    studio.until(State.IDLE)

    assert studio.session.run == run
    events = Run.open(run).events()
    losses = [loss for event in events if isinstance(event, Progress) for loss in event.losses]
    assert len(losses) == len(studio.dashboard.record.history.loss.steps) > steps


def test_a_complete_run_can_be_extended(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.train(epochs=2)
    studio.until(State.IDLE)
    assert studio.session.run is not None
    monkeypatch.setattr(NumberBox, "ask_number", lambda box: 1)

    resume_run(studio.session, read_resumable_run(studio.session.run), studio.window)
    studio.until(State.IDLE)

    assert [event.epoch for event in Run.open(studio.session.run).history] == [1, 2, 3]


def test_several_seeds_train_one_after_the_other_and_give_mean_and_deviation(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NumberBox, "ask_number", lambda box: 2)
    messages: list[str] = []
    progress_texts: list[str] = []
    studio.tool_bar.message.connect(lambda message: messages.append(message.text))
    studio.session.events.connect(lambda _: progress_texts.append(studio.tool_bar.status_label.full_text))
    studio.project.set_recipe(Recipe("quick", epochs=2, batch_size=4, seed=7))

    studio.tool_bar.training.train_seeds()
    studio.until(State.IDLE)

    runs = list_runs()
    assert sorted(run.recipe.seed for run in runs) == [7, 8]
    assert all(run.status == "completed" for run in runs)
    accuracies = accuracy_statistics(runs)
    few = (
        "Only 8 validation images, which are the test images: a single one changes the validation accuracy "
        "by 12 points, so small differences mean nothing."
    )
    assert messages == [
        few,
        few,
        f"Test accuracy over 2 runs: {format_accuracy(accuracies)} (mean ± standard deviation).",
    ]
    assert (
        studio.tool_bar.status_label.full_text
        == f"Done: 2 seeds · test accuracy {format_accuracy(accuracies)}"
    )
    assert any(text.startswith("Run 2 of 2 · ") for text in progress_texts)
    # The dashboard shows only the last run.
    assert len(studio.dashboard.record.history.loss.steps) == 2 * 6
    assert studio.dashboard.record.folder == studio.session.run
    assert len(studio.dashboard.record.images)


def test_a_stop_ends_all_seeds(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NumberBox, "ask_number", lambda box: 4)
    studio.project.set_recipe(Recipe("quick", epochs=10, batch_size=4))

    def stop_in_the_second(_: object) -> None:
        if studio.session.position == (2, 4):
            studio.session.stop()

    studio.session.events.connect(stop_in_the_second)
    studio.tool_bar.training.train_seeds()
    studio.until(State.IDLE)

    assert len(list_runs()) == 2
    assert studio.tool_bar.status_label.full_text.startswith("1 of 4 seeds done · test accuracy ")


def test_a_device_failure_is_reported_in_one_sentence_and_not_as_an_internal_error(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object) -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered\nmore for programmers")

    session, failures = TrainingSession(), list[str]()
    session.failed.connect(failures.append)
    monkeypatch.setattr(TrainingStep, "backward", fail)
    session.start(TINY, str(image_folder(tmp_path / "data")), Recipe("quick", epochs=2, batch_size=4))
    qtbot.waitUntil(lambda: session.state is State.IDLE and not session.is_busy, timeout=PATIENCE_MS)
    assert session.shutdown(60)
    (message,) = failures
    assert message.startswith("The device cpu failed (CUDA error: device-side assert triggered): restart the")
    assert not caplog.records
    assert session.run is not None
    assert Run.open(session.run).status == "failed"
