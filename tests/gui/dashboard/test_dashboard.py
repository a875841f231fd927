"""The Train page and the timeline with canned events and with real run folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.follower import read_run
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.runs.errors import RunError
from cnnstudio.training.events import SnapshotTaken
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.canned import feature_maps, finished, progress, run_events
from tests.gui.fakes import FakeSession
from tests.gui.run_stage import RunStage

NETWORK = Network(
    nodes=(
        Node("conv2d_1", Conv2D(filters=8, activation="relu")),
        Node("conv2d_2", Conv2D(filters=4), enabled=False),
        Node("flatten_1", Flatten()),
        Node("dense_1", Dense(units=2)),
    ),
    name="Small",
)


class Harness:
    """A dashboard with a session that the test controls."""

    def __init__(self, qtbot: QtBot) -> None:
        self.qtbot = qtbot
        self.project = Project(NETWORK)
        self.session = FakeSession()
        self.dashboard = RunStage(self.project, self.session)
        qtbot.addWidget(self.dashboard)
        self.dashboard.resize(1300, 500)
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

    def send_maps(self, node_id: str, image: int = 0) -> None:
        self.session.events.emit((SnapshotTaken(31, 3.1, "feature_maps", feature_maps(node_id, image)),))

    def until_title(self, title: str) -> None:
        self.qtbot.waitUntil(lambda: self.dashboard.feature_maps.heading.title == title)


@pytest.fixture
def harness(qtbot: QtBot) -> Iterator[Harness]:
    harness = Harness(qtbot)
    yield harness
    harness.dashboard.hide()
    harness.dashboard.close_run()


def tiny_dataset(count: int = 12) -> Dataset:
    rng = np.random.default_rng(0)

    def split() -> Split:
        images = rng.integers(0, 255, (count, 3, 32, 32)).astype(np.uint8)
        return Split(images, np.arange(count, dtype=np.int64) % 2)

    return Dataset("tiny", "Tiny", ("cat", "dog"), split(), split())


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """Two epochs of a real, tiny run."""
    from cnnstudio.runs.start import RunOptions, start_run

    folder = tmp_path / "run"
    start_run(
        NETWORK, tiny_dataset(), Recipe("quick", epochs=2, batch_size=4), RunOptions(folder=folder, threads=1)
    )
    return folder


def test_before_training_hints_say_what_will_appear(harness: Harness) -> None:
    dashboard = harness.dashboard
    harness.qtbot.waitUntil(lambda: bool(dashboard.learning.loss.plot.hint))

    assert dashboard.feature_maps.grid.hint == "Press Train to see how each layer responds to an image"


def test_the_empty_axes_end_at_the_epochs_of_the_recipe(harness: Harness) -> None:
    harness.project.set_recipe(harness.project.recipe.replace(epochs=3))

    box = harness.dashboard.learning.loss.plot.getViewBox()
    harness.qtbot.waitUntil(lambda: box.viewRange()[0] == [0, 3])


def test_live_events_move_curves_and_timeline(harness: Harness) -> None:
    harness.train()

    dashboard = harness.dashboard
    harness.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 3000)
    assert dashboard.timeline.text == "● Following live"
    assert dashboard.learning.loss.legend.text.startswith("training 0.")


def test_the_first_convolution_is_watched_until_a_layer_is_selected(harness: Harness) -> None:
    harness.train()
    assert harness.session.watched == ("conv2d_1", 0)

    harness.project.select(["dense_1"])

    assert harness.session.watched == ("dense_1", 0)


def test_selecting_an_untrained_layer_keeps_the_current_one(harness: Harness) -> None:
    harness.train()
    harness.project.select(["flatten_1"])

    harness.project.select(["conv2d_2"])

    assert harness.session.watched == ("flatten_1", 0)


def test_live_maps_are_shown_and_another_image_can_be_requested(harness: Harness) -> None:
    harness.train()
    harness.send_maps("conv2d_1")
    harness.until_title("Feature maps of Conv2D (layer 1)")

    harness.dashboard.feature_maps.images.buttons[3].click()

    assert harness.session.watched == ("conv2d_1", 3)


def test_maps_of_a_layer_that_is_no_longer_selected_are_not_shown(harness: Harness) -> None:
    harness.train()
    harness.send_maps("conv2d_1")
    harness.until_title("Feature maps of Conv2D (layer 1)")

    harness.project.select(["dense_1"])
    harness.send_maps("conv2d_1")
    harness.until_title("Feature maps of Dense (layer 4)")

    assert harness.dashboard.feature_maps.grid.hint == "Waiting for the next step…"


def test_choosing_an_earlier_epoch_moves_the_line_in_the_plots(harness: Harness) -> None:
    harness.train()
    harness.qtbot.waitUntil(lambda: harness.dashboard.timeline.slider.value() == 3000)

    harness.dashboard.timeline.slider.choose(1)

    legend = harness.dashboard.learning.loss.legend
    harness.qtbot.waitUntil(lambda: "at epoch 1.00" in legend.text)


def test_a_new_training_starts_with_empty_curves(harness: Harness) -> None:
    harness.train()
    harness.end()

    harness.session.show_state(State.LOADING)

    assert harness.dashboard.record.history.is_empty
    plot = harness.dashboard.learning.loss.plot
    harness.qtbot.waitUntil(lambda: plot.hint == "Waiting for the first steps…")


def test_nothing_is_drawn_while_hidden_and_everything_when_shown_again(harness: Harness) -> None:
    harness.dashboard.hide()
    harness.dashboard.close_run()
    harness.train()
    harness.qtbot.wait(50)
    assert harness.dashboard.timeline.slider.value() == 0

    harness.dashboard.show()

    harness.qtbot.waitUntil(lambda: harness.dashboard.timeline.slider.value() == 3000)


def test_a_training_computes_no_maps_that_nobody_sees(harness: Harness) -> None:
    harness.train()
    assert harness.session.watched == ("conv2d_1", 0)

    harness.dashboard.feature_maps.hide()
    assert harness.session.watched is None
    harness.project.select(["dense_1"])
    assert harness.session.watched is None

    harness.dashboard.feature_maps.show()
    assert harness.session.watched == ("dense_1", 0)

    harness.dashboard.hide()
    assert harness.session.watched is None
    harness.dashboard.show()
    assert harness.session.watched == ("dense_1", 0)


def test_an_earlier_epoch_needs_no_maps_from_the_training(harness: Harness) -> None:
    harness.train()
    harness.qtbot.waitUntil(lambda: harness.dashboard.timeline.slider.value() == 3000)

    harness.dashboard.timeline.slider.choose(1)
    assert harness.session.watched is None

    harness.dashboard.timeline.back.click()
    assert harness.session.watched == ("conv2d_1", 0)


def test_every_step_is_kept_although_frames_are_few(harness: Harness) -> None:
    harness.train()
    for step in range(31, 71):
        harness.session.events.emit((progress(step, 1),))

    assert len(harness.dashboard.record.history.loss.steps) == 70


def test_an_old_run_is_shown_from_its_folder(harness: Harness, run_folder: Path) -> None:
    dashboard = harness.dashboard

    dashboard.show_run(read_run(run_folder))

    harness.until_title("Feature maps of Conv2D (layer 1)")
    assert dashboard.timeline.text.startswith("Best epoch: ")
    assert [epoch.epoch for epoch in dashboard.record.history.epochs] == [1, 2]
    assert dashboard.feature_maps.images.buttons[1].accessibleName() == "Example 2: dog"
    assert dashboard.feature_maps.heading.details == "after epoch 2 · 8 maps"


def test_an_old_run_shows_every_epoch_and_every_layer(harness: Harness, run_folder: Path) -> None:
    dashboard = harness.dashboard
    dashboard.show_run(read_run(run_folder))
    harness.until_title("Feature maps of Conv2D (layer 1)")
    at_the_end = dashboard.feature_maps.grid.maps

    dashboard.timeline.slider.choose(0)
    harness.qtbot.waitUntil(lambda: dashboard.feature_maps.heading.details.startswith("after epoch 0"))
    assert at_the_end is not None
    assert dashboard.feature_maps.grid.maps is not None
    assert (dashboard.feature_maps.grid.maps.maps != at_the_end.maps).any()

    harness.project.select(["dense_1"])
    harness.until_title("Output of Dense (layer 4)")
    assert dashboard.feature_maps.heading.details.startswith("after epoch 0 · predicted: ")


def test_maps_are_labeled_with_the_epoch_at_which_they_were_saved(harness: Harness, run_folder: Path) -> None:
    (run_folder / "snapshots" / "epoch-001.npz").unlink()
    dashboard = harness.dashboard
    dashboard.show_run(read_run(run_folder))
    harness.until_title("Feature maps of Conv2D (layer 1)")

    dashboard.timeline.slider.choose(1)

    harness.qtbot.waitUntil(lambda: dashboard.feature_maps.heading.details.startswith("latest kept: epoch 0"))


def test_the_same_maps_viewed_from_another_epoch_get_a_label(harness: Harness, run_folder: Path) -> None:
    for epoch in (1, 2):
        (run_folder / "snapshots" / f"epoch-{epoch:03d}.npz").unlink()
    dashboard = harness.dashboard
    dashboard.show_run(read_run(run_folder))
    harness.until_title("Feature maps of Conv2D (layer 1)")
    assert dashboard.feature_maps.heading.details == "latest kept: epoch 0 · 8 maps"

    dashboard.timeline.slider.choose(1)

    harness.qtbot.waitUntil(lambda: dashboard.feature_maps.heading.details.startswith("latest kept: epoch 0"))


def test_a_folder_without_a_run_is_refused(harness: Harness, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no run in"):
        harness.dashboard.show_run(read_run(tmp_path))


def test_a_damaged_snapshot_leaves_the_curves(harness: Harness, run_folder: Path) -> None:
    for path in (run_folder / "snapshots").iterdir():
        path.write_bytes(path.read_bytes()[:100])

    harness.dashboard.show_run(read_run(run_folder))

    harness.qtbot.waitUntil(
        lambda: "snapshot of epoch 2 is damaged" in harness.dashboard.feature_maps.grid.hint
    )
    assert harness.dashboard.feature_maps.grid.hint_tone == "wrong"
    assert harness.dashboard.learning.loss.legend.text


def test_at_the_end_of_a_run_the_epoch_of_the_saved_maps_is_named(harness: Harness, run_folder: Path) -> None:
    for epoch in (1, 2):
        (run_folder / "snapshots" / f"epoch-{epoch:03d}.npz").unlink()
    harness.project.select(["dense_1"])

    harness.dashboard.show_run(read_run(run_folder))

    harness.until_title("Output of Dense (layer 4)")
    assert harness.dashboard.timeline.text.startswith("Best epoch: ")
    assert harness.dashboard.feature_maps.heading.details.startswith("latest kept: epoch 0 · predicted: ")


def test_after_a_training_the_maps_that_it_sent_last_are_shown_if_none_newer_were_saved(
    harness: Harness, run_folder: Path
) -> None:
    for epoch in (1, 2):
        (run_folder / "snapshots" / f"epoch-{epoch:03d}.npz").unlink()
    harness.train()
    harness.send_maps("conv2d_1")
    harness.session.events.emit((finished(run=str(run_folder)),))
    harness.session.show_state(State.IDLE)

    view = harness.dashboard.feature_maps
    harness.qtbot.waitUntil(lambda: view.heading.details == "after 3.1 epochs · 8 maps")


def test_a_run_beside_the_one_that_was_trained_here_is_another(harness: Harness, run_folder: Path) -> None:
    harness.dashboard.show_run(read_run(run_folder))
    cursor = harness.dashboard.shown.cursor
    assert not cursor.moment.is_other, "there is no run to take it for"
    harness.train()
    harness.end()
    assert not cursor.moment.is_other
    harness.dashboard.show_run(read_run(run_folder))
    assert cursor.moment.is_other
    assert cursor.moment.run_name.startswith(harness.dashboard.record.network.name)
    harness.dashboard.shown.show_own()
    assert not cursor.moment.is_other


def test_pinned_maps_stay_at_their_epoch(harness: Harness, run_folder: Path) -> None:
    dashboard, maps = harness.dashboard, harness.dashboard.feature_maps
    dashboard.show_run(read_run(run_folder))
    dashboard.timeline.slider.choose(0)
    harness.qtbot.waitUntil(lambda: maps.when == "after epoch 0")
    maps.pin(0)
    dashboard.timeline.slider.choose(None)
    dashboard.clock.draw()
    assert maps.when == "after epoch 0"
    maps.pin(None)
    harness.qtbot.waitUntil(lambda: maps.when not in ("", "after epoch 0"))
