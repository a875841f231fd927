"""The dashboard over canned events and over real run folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.dashboard.dashboard import Dashboard
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.follower import read_run
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.runs.errors import RunError
from cnnstudio.training.events import SnapshotTaken
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.canned import feature_maps, finished, progress, run_events
from tests.gui.fakes import SilentSession

NETWORK = Network(
    nodes=(
        Node("conv2d_1", Conv2D(filters=8, activation="relu")),
        Node("conv2d_2", Conv2D(filters=4), enabled=False),
        Node("flatten_1", Flatten()),
        Node("dense_1", Dense(units=2)),
    ),
    name="Small",
)


class Stage:
    """A dashboard with a session that does what the test says."""

    def __init__(self, qtbot: QtBot) -> None:
        self.qtbot = qtbot
        self.project = Project(NETWORK)
        self.session = SilentSession()
        self.dashboard = Dashboard(self.project, self.session)
        qtbot.addWidget(self.dashboard)
        self.dashboard.resize(1200, 300)
        self.dashboard.show()

    def train(self) -> None:
        self.session.network = NETWORK
        self.session.show_state(State.LOADING)
        self.session.dataset_loaded.emit(("tiny", tiny_dataset()))
        self.session.events.emit(tuple(run_events(epochs=3, planned=8)))
        self.session.show_state(State.RUNNING)

    def end(self) -> None:
        self.session.events.emit((finished("stopped", "Stopped in epoch 4 after batch 1 of 10."),))
        self.session.show_state(State.IDLE)

    def maps_come(self, node_id: str, image: int = 0) -> None:
        self.session.events.emit((SnapshotTaken(31, 3.1, "feature_maps", feature_maps(node_id, image)),))

    def until_title(self, title: str) -> None:
        self.qtbot.waitUntil(lambda: self.dashboard.feature_maps.heading.title == title)


@pytest.fixture
def stage(qtbot: QtBot) -> Iterator[Stage]:
    stage = Stage(qtbot)
    yield stage
    stage.dashboard.hide()
    stage.dashboard.close_run()


def tiny_dataset(count: int = 12) -> Dataset:
    rng = np.random.default_rng(0)

    def split() -> Split:
        images = rng.integers(0, 255, (count, 3, 32, 32)).astype(np.uint8)
        return Split(images, np.arange(count, dtype=np.int64) % 2)

    return Dataset("tiny", "Tiny", ("cat", "dog"), split(), split())


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """Two epochs of a real, tiny run."""
    from cnnstudio.runs.recorder import start_run

    folder = tmp_path / "run"
    start_run(NETWORK, tiny_dataset(), Recipe("quick", epochs=2, batch_size=4), folder=folder, threads=1)
    return folder


def test_before_training_it_says_what_will_appear(stage: Stage) -> None:
    dashboard = stage.dashboard
    stage.qtbot.waitUntil(lambda: bool(dashboard.learning.loss.plot.hint))

    assert dashboard.feature_maps.grid.hint == "Press Train to see what the layers make of an image"


def test_the_empty_axes_go_to_the_epochs_of_the_recipe(stage: Stage) -> None:
    stage.project.set_recipe(stage.project.recipe.replace(epochs=3))

    box = stage.dashboard.learning.loss.plot.getViewBox()
    stage.qtbot.waitUntil(lambda: box.viewRange()[0] == [0, 3])


def test_live_events_move_curves_and_timeline(stage: Stage) -> None:
    stage.train()

    dashboard = stage.dashboard
    stage.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 3000)
    assert dashboard.timeline.text == "● follows the training"
    assert dashboard.learning.loss.legend.text.startswith("training 0.")


def test_the_first_convolution_is_watched_until_a_layer_is_selected(stage: Stage) -> None:
    stage.train()
    assert stage.session.watched == ("conv2d_1", 0)

    stage.project.select(["dense_1"])

    assert stage.session.watched == ("dense_1", 0)


def test_a_layer_that_was_not_trained_leaves_the_one_before(stage: Stage) -> None:
    stage.train()
    stage.project.select(["flatten_1"])

    stage.project.select(["conv2d_2"])

    assert stage.session.watched == ("flatten_1", 0)


def test_live_maps_are_shown_and_another_image_is_asked_for(stage: Stage) -> None:
    stage.train()
    stage.maps_come("conv2d_1")
    stage.until_title("Feature maps of Conv2D (first layer)")

    stage.dashboard.feature_maps.images.buttons[3].click()

    assert stage.session.watched == ("conv2d_1", 3)


def test_maps_of_a_layer_that_is_no_longer_asked_for_are_not_shown(stage: Stage) -> None:
    stage.train()
    stage.maps_come("conv2d_1")
    stage.until_title("Feature maps of Conv2D (first layer)")

    stage.project.select(["dense_1"])
    stage.maps_come("conv2d_1")
    stage.until_title("Feature maps of Dense (fourth layer)")

    assert stage.dashboard.feature_maps.grid.hint == "The training shows it with one of its next steps"


def test_going_back_moves_the_line_in_the_curves(stage: Stage) -> None:
    stage.train()
    stage.qtbot.waitUntil(lambda: stage.dashboard.timeline.slider.value() == 3000)

    stage.dashboard.timeline.slider.choose(1)

    legend = stage.dashboard.learning.loss.legend
    stage.qtbot.waitUntil(lambda: "at epoch 1.00" in legend.text)


def test_a_new_training_begins_with_empty_curves(stage: Stage) -> None:
    stage.train()
    stage.end()

    stage.session.show_state(State.LOADING)

    assert stage.dashboard.record.history.is_empty
    plot = stage.dashboard.learning.loss.plot
    stage.qtbot.waitUntil(lambda: plot.hint == "The first steps are on their way")


def test_nothing_is_drawn_while_it_is_hidden_and_all_is_there_when_it_is_shown(stage: Stage) -> None:
    stage.dashboard.hide()
    stage.dashboard.close_run()
    stage.train()
    stage.qtbot.wait(50)
    assert stage.dashboard.timeline.slider.value() == 0

    stage.dashboard.show()

    stage.qtbot.waitUntil(lambda: stage.dashboard.timeline.slider.value() == 3000)


def test_every_step_is_kept_though_frames_are_few(stage: Stage) -> None:
    stage.train()
    for step in range(31, 71):
        stage.session.events.emit((progress(step, 1),))

    assert len(stage.dashboard.record.history.loss.steps) == 70


def test_a_narrow_dashboard_shows_one_view(stage: Stage) -> None:
    stage.dashboard.resize(700, 300)

    stage.qtbot.waitUntil(lambda: stage.dashboard.tabs.shown == (0,))
    assert not stage.dashboard.feature_maps.isVisible()


def test_an_old_run_is_shown_from_its_folder(stage: Stage, run_folder: Path) -> None:
    dashboard = stage.dashboard

    dashboard.show_run(read_run(run_folder))

    stage.until_title("Feature maps of Conv2D (first layer)")
    assert dashboard.timeline.text == "end of the run"
    assert [epoch.epoch for epoch in dashboard.record.history.epochs] == [1, 2]
    assert dashboard.feature_maps.images.buttons[1].accessibleName() == "Example 2: dog"
    assert dashboard.feature_maps.heading.remark.startswith("8 maps")


def test_an_old_run_shows_every_epoch_and_every_layer(stage: Stage, run_folder: Path) -> None:
    dashboard = stage.dashboard
    dashboard.show_run(read_run(run_folder))
    stage.until_title("Feature maps of Conv2D (first layer)")
    at_the_end = dashboard.feature_maps.grid.maps

    dashboard.timeline.slider.choose(0)
    stage.qtbot.waitUntil(lambda: dashboard.feature_maps.heading.remark.startswith("after epoch 0"))
    assert at_the_end is not None
    assert dashboard.feature_maps.grid.maps is not None
    assert (dashboard.feature_maps.grid.maps.maps != at_the_end.maps).any()

    stage.project.select(["dense_1"])
    stage.until_title("Scores of Dense (fourth layer)")
    assert dashboard.feature_maps.heading.remark.startswith("after epoch 0 · takes it for ")


def test_maps_are_told_under_the_epoch_that_they_were_kept_at(stage: Stage, run_folder: Path) -> None:
    (run_folder / "snapshots" / "epoch-001.npz").unlink()
    dashboard = stage.dashboard
    dashboard.show_run(read_run(run_folder))
    stage.until_title("Feature maps of Conv2D (first layer)")

    dashboard.timeline.slider.choose(1)

    stage.qtbot.waitUntil(lambda: dashboard.feature_maps.heading.remark.startswith("after epoch 0"))


def test_the_same_maps_seen_from_another_time_say_so(stage: Stage, run_folder: Path) -> None:
    for epoch in (1, 2):
        (run_folder / "snapshots" / f"epoch-{epoch:03d}.npz").unlink()
    dashboard = stage.dashboard
    dashboard.show_run(read_run(run_folder))
    stage.until_title("Feature maps of Conv2D (first layer)")
    assert dashboard.feature_maps.heading.remark.startswith("8 maps")

    dashboard.timeline.slider.choose(1)

    stage.qtbot.waitUntil(lambda: dashboard.feature_maps.heading.remark.startswith("after epoch 0"))


def test_a_folder_without_a_run_is_refused(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no run in"):
        stage.dashboard.show_run(read_run(tmp_path))


def test_a_damaged_snapshot_leaves_the_curves(stage: Stage, run_folder: Path) -> None:
    for path in (run_folder / "snapshots").iterdir():
        path.write_bytes(path.read_bytes()[:100])

    stage.dashboard.show_run(read_run(run_folder))

    stage.qtbot.waitUntil(lambda: stage.dashboard.feature_maps.grid.hint == "The run kept no maps of it")
    assert stage.dashboard.learning.loss.legend.text
