"""The dashboard follows a run folder that another program writes piece by piece."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.data.dataset import Split
from cnnstudio.gui.runs import follower as follower_module
from cnnstudio.gui.runs.follower import RunFollower, read_run
from cnnstudio.runs.event_log import truncate_after
from cnnstudio.runs.snapshots import snapshot_path, write_snapshot
from cnnstudio.runs.watching import RunSnapshot, RunWatcher
from cnnstudio.training.events import Event
from tests.gui.canned import epoch_ended, feature_maps, finished, progress, run_events, started
from tests.gui.dashboard.test_dashboard import NETWORK, Harness
from tests.runs.written import WrittenRun


class Written(WrittenRun):
    """A written run that saves feature maps too."""

    def save_maps(self, epoch: int) -> None:
        examples = Split(np.zeros((2, 3, 32, 32), np.uint8), np.array([0, 1]))
        maps = [feature_maps("conv2d_1", image, count=2 + epoch) for image in range(2)]
        write_snapshot(snapshot_path(self.folder, epoch), maps, examples)


@pytest.fixture
def run(tmp_path: Path) -> Written:
    run = Written(tmp_path / "run", NETWORK)
    run.beat()
    return run


@pytest.fixture
def harness(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setattr(follower_module, "POLL_INTERVAL_MS", 10)
    monkeypatch.setattr(follower_module, "IDLE_POLL_INTERVAL_MS", 10)
    harness = Harness(qtbot)
    yield harness
    harness.dashboard.hide()
    harness.dashboard.close_run()


def is_polling(follower: RunFollower) -> bool:
    return follower._poll_timer.isActive() or follower._task is not None


def test_curves_and_timeline_grow_while_another_program_trains(harness: Harness, run: Written) -> None:
    dashboard = harness.dashboard
    dashboard.show_run(read_run(run.folder))
    assert dashboard.is_live
    run.append(*run_events(epochs=1))
    harness.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 1000)
    run.append(progress(11, 10), epoch_ended(2))
    harness.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 2000)
    assert dashboard.timeline.text == "● Following live"
    assert len(dashboard.record.history.loss.steps) == 20


def test_the_chosen_epoch_stays_while_the_run_grows(harness: Harness, run: Written) -> None:
    run.append(*run_events(epochs=2))
    dashboard = harness.dashboard
    dashboard.show_run(read_run(run.folder))
    harness.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 2000)
    dashboard.timeline.slider.choose(1)
    run.append(progress(21, 10), epoch_ended(3))
    harness.qtbot.waitUntil(lambda: len(dashboard.record.history.epochs) == 3)
    harness.qtbot.waitUntil(lambda: "Follow live" in dashboard.timeline.text)
    assert dashboard.timeline.slider.epoch == 1


def test_feature_maps_appear_with_the_epochs(harness: Harness, run: Written) -> None:
    dashboard = harness.dashboard
    dashboard.show_run(read_run(run.folder))
    run.append(started())
    run.save_maps(0)
    run.append(progress(1, 5))
    heading = dashboard.feature_maps.heading
    harness.qtbot.waitUntil(lambda: heading.details == "after epoch 0 of Small, Nov 23, 08:00 · 2 maps")
    second = dashboard.feature_maps.images.buttons[1]
    harness.qtbot.waitUntil(lambda: second.accessibleName() == "Example 2: b")
    run.append(progress(6, 5), epoch_ended(1), progress(11, 1))
    harness.qtbot.waitUntil(lambda: dashboard.record.last_epoch == 1)
    # The maps of an epoch are written a moment after its end.
    run.save_maps(1)
    harness.qtbot.waitUntil(lambda: heading.details == "after epoch 1 of Small, Nov 23, 08:00 · 3 maps")


def test_a_run_resumed_from_a_checkpoint_is_shown_from_there(harness: Harness, run: Written) -> None:
    run.append(*run_events(epochs=3))
    dashboard = harness.dashboard
    dashboard.show_run(read_run(run.folder))
    harness.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 3000)
    truncate_after(run.events, step=10, epoch=1)
    run.append(started(), progress(11, 3))
    harness.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 1300)
    assert len(dashboard.record.history.loss.steps) == 13
    assert [epoch.epoch for epoch in dashboard.record.history.epochs] == [1]


def test_the_end_is_shown_and_polling_stops(harness: Harness, run: Written) -> None:
    run.append(*run_events(epochs=1))
    dashboard = harness.dashboard
    dashboard.show_run(read_run(run.folder))
    run.update_metadata(status="completed", reason="Completed 8 epochs.")
    run.append(finished())
    harness.qtbot.waitUntil(lambda: dashboard.timeline.text.startswith("Best epoch: "))
    assert not is_polling(dashboard.follower)


def test_a_run_stopped_before_it_was_opened_is_not_polled(harness: Harness, run: Written) -> None:
    run.append(*run_events(epochs=1), finished("stopped", "Stopped."))
    run.update_metadata(status="stopped")
    harness.dashboard.show_run(read_run(run.folder))
    assert not is_polling(harness.dashboard.follower)


def test_a_run_that_stops_and_is_resumed_is_followed_on(harness: Harness, run: Written) -> None:
    run.append(*run_events(epochs=1))
    follower = harness.dashboard.follower
    harness.dashboard.show_run(read_run(run.folder))
    run.append(finished("stopped", "Stopped."))
    run.update_metadata(status="stopped")
    harness.qtbot.waitUntil(lambda: not follower.is_running)
    truncate_after(run.events, step=10, epoch=1)
    run.append(started(), progress(11, 10))
    run.update_metadata(status="running")
    harness.qtbot.waitUntil(lambda: follower.is_running)
    assert len(harness.dashboard.record.history.loss.steps) == 20
    assert harness.dashboard.record.history.finished is None


def test_a_missing_folder_is_reported_and_the_curves_stay_until_it_is_back(
    harness: Harness, run: Written, tmp_path: Path
) -> None:
    run.append(*run_events(epochs=1))
    follower = harness.dashboard.follower
    harness.dashboard.show_run(read_run(run.folder))
    run.folder.rename(tmp_path / "away")
    harness.qtbot.waitUntil(lambda: "is not available" in follower.problem)
    harness.qtbot.waitUntil(lambda: harness.dashboard.timeline.text != "● Following live")
    assert len(harness.dashboard.record.history.loss.steps) == 10
    (tmp_path / "away").rename(run.folder)
    run.append(progress(11, 10))
    harness.qtbot.waitUntil(lambda: harness.dashboard.timeline.text == "● Following live")
    assert not follower.problem
    # What was added after it came back is read with one of the next looks.
    harness.qtbot.waitUntil(lambda: len(harness.dashboard.record.history.loss.steps) == 20)


def test_a_hanging_drive_does_not_block_the_window(
    harness: Harness, run: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.append(*run_events(epochs=1))
    follower = harness.dashboard.follower
    follower._slow_timer.setInterval(20)
    respond, main, poll = threading.Event(), threading.get_ident(), RunWatcher.poll
    polling_threads: list[int] = []

    def hanging(self: RunWatcher) -> RunSnapshot:
        polling_threads.append(threading.get_ident())
        respond.wait(60)
        return poll(self)

    opened = read_run(run.folder)
    monkeypatch.setattr(RunWatcher, "poll", hanging)
    harness.dashboard.show_run(opened)
    harness.qtbot.waitUntil(lambda: "not responding" in follower.problem)
    slider = harness.dashboard.timeline.slider
    slider.choose(0)
    harness.qtbot.waitUntil(lambda: slider.accessibleDescription() == "After epoch 0")
    assert len(polling_threads) == 1
    assert main not in polling_threads
    run.append(progress(11, 10))
    respond.set()
    harness.qtbot.waitUntil(lambda: not follower.problem)
    assert len(harness.dashboard.record.history.loss.steps) == 20


def test_opening_another_run_stops_following_the_first(
    harness: Harness, run: Written, tmp_path: Path
) -> None:
    run.append(*run_events(epochs=1))
    harness.dashboard.show_run(read_run(run.folder))
    other = Written(tmp_path / "other", NETWORK)
    other.append(*run_events(epochs=2), finished())
    other.update_metadata(status="completed")
    harness.dashboard.show_run(read_run(other.folder))
    received: list[tuple[Event, ...]] = []
    harness.dashboard.follower.events_added.connect(received.append)
    run.append(progress(11, 10))
    harness.qtbot.wait(60)
    assert harness.dashboard.record.folder == other.folder
    assert not received
    assert not is_polling(harness.dashboard.follower)


def test_starting_a_training_stops_following(harness: Harness, run: Written) -> None:
    run.append(*run_events(epochs=1))
    harness.dashboard.show_run(read_run(run.folder))
    harness.train()
    QApplication.processEvents()
    assert harness.dashboard.follower.record is None
    assert harness.dashboard.record.folder != run.folder
    assert not is_polling(harness.dashboard.follower)
