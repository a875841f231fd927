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
from cnnstudio.gui.runs import follower as following
from cnnstudio.gui.runs.follower import Follower, read_run
from cnnstudio.runs.event_log import forget_after
from cnnstudio.runs.snapshots import snapshot_path, write_snapshot
from cnnstudio.runs.watching import Following, Look
from cnnstudio.training.events import Event
from tests.gui.canned import epoch_ended, feature_maps, finished, progress, run_events, started
from tests.gui.dashboard.test_dashboard import NETWORK, Stage
from tests.runs.written import WrittenRun


class Written(WrittenRun):
    """Keeps feature maps too."""

    def keep_maps(self, epoch: int) -> None:
        examples = Split(np.zeros((2, 3, 32, 32), np.uint8), np.array([0, 1]))
        maps = [feature_maps("conv2d_1", image, count=2 + epoch) for image in range(2)]
        write_snapshot(snapshot_path(self.folder, epoch), maps, examples)


@pytest.fixture
def run(tmp_path: Path) -> Written:
    run = Written(tmp_path / "run", NETWORK)
    run.beat()
    return run


@pytest.fixture
def stage(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(following, "EVERY_MS", 10)
    monkeypatch.setattr(following, "SELDOM_MS", 10)
    stage = Stage(qtbot)
    yield stage
    stage.dashboard.hide()
    stage.dashboard.close_run()


def is_looking(follower: Follower) -> bool:
    return follower._next.isActive() or follower._reading is not None


def test_curves_and_time_line_grow_while_another_program_writes(stage: Stage, run: Written) -> None:
    dashboard = stage.dashboard
    dashboard.show_run(read_run(run.folder))
    assert dashboard.is_live
    run.say(*run_events(epochs=1))
    stage.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 1000)
    run.say(progress(11, 10), epoch_ended(2))
    stage.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 2000)
    assert dashboard.timeline.text == "● follows the training"
    assert len(dashboard.record.history.loss.steps) == 20


def test_the_place_that_is_looked_at_stays_while_the_run_grows(stage: Stage, run: Written) -> None:
    run.say(*run_events(epochs=2))
    dashboard = stage.dashboard
    dashboard.show_run(read_run(run.folder))
    stage.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 2000)
    dashboard.timeline.slider.choose(1)
    run.say(progress(21, 10), epoch_ended(3))
    stage.qtbot.waitUntil(lambda: len(dashboard.record.history.epochs) == 3)
    stage.qtbot.waitUntil(lambda: "Back to live" in dashboard.timeline.text)
    assert dashboard.timeline.slider.epoch == 1


def test_feature_maps_come_with_the_epochs(stage: Stage, run: Written) -> None:
    dashboard = stage.dashboard
    dashboard.show_run(read_run(run.folder))
    run.say(started())
    run.keep_maps(0)
    run.say(progress(1, 5))
    heading = dashboard.feature_maps.heading
    stage.qtbot.waitUntil(lambda: heading.remark.startswith("after epoch 0 · 2 maps"))
    second = dashboard.feature_maps.images.buttons[1]
    stage.qtbot.waitUntil(lambda: second.accessibleName() == "Example 2: b")
    run.say(progress(6, 5), epoch_ended(1), progress(11, 1))
    stage.qtbot.waitUntil(lambda: dashboard.record.last_epoch == 1)
    # The maps of an epoch are written a moment after its end.
    run.keep_maps(1)
    stage.qtbot.waitUntil(lambda: heading.remark.startswith("after epoch 1 · 3 maps"))


def test_a_run_that_goes_on_from_a_checkpoint_is_shown_so(stage: Stage, run: Written) -> None:
    run.say(*run_events(epochs=3))
    dashboard = stage.dashboard
    dashboard.show_run(read_run(run.folder))
    stage.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 3000)
    forget_after(run.events, step=10, epoch=1)
    run.say(started(), progress(11, 3))
    stage.qtbot.waitUntil(lambda: dashboard.timeline.slider.value() == 1300)
    assert len(dashboard.record.history.loss.steps) == 13
    assert [epoch.epoch for epoch in dashboard.record.history.epochs] == [1]


def test_the_end_is_shown_and_nobody_looks_any_more(stage: Stage, run: Written) -> None:
    run.say(*run_events(epochs=1))
    dashboard = stage.dashboard
    dashboard.show_run(read_run(run.folder))
    run.describe(status="completed", reason="All 8 epochs are done.")
    run.say(finished())
    stage.qtbot.waitUntil(lambda: dashboard.timeline.text == "end of the run")
    assert not is_looking(dashboard.follower)


def test_a_run_that_was_stopped_before_it_was_opened_is_not_looked_at_again(
    stage: Stage, run: Written
) -> None:
    run.say(*run_events(epochs=1), finished("stopped", "Stopped."))
    run.describe(status="stopped")
    stage.dashboard.show_run(read_run(run.folder))
    assert not is_looking(stage.dashboard.follower)


def test_a_run_that_stops_and_is_taken_up_again_is_followed_on(stage: Stage, run: Written) -> None:
    run.say(*run_events(epochs=1))
    follower = stage.dashboard.follower
    stage.dashboard.show_run(read_run(run.folder))
    run.say(finished("stopped", "Stopped."))
    run.describe(status="stopped")
    stage.qtbot.waitUntil(lambda: not follower.is_running)
    forget_after(run.events, step=10, epoch=1)
    run.say(started(), progress(11, 10))
    run.describe(status="running")
    stage.qtbot.waitUntil(lambda: follower.is_running)
    assert len(stage.dashboard.record.history.loss.steps) == 20
    assert stage.dashboard.record.history.finished is None


def test_a_folder_that_vanishes_is_told_and_the_curves_stay_until_it_is_back(
    stage: Stage, run: Written, tmp_path: Path
) -> None:
    run.say(*run_events(epochs=1))
    follower = stage.dashboard.follower
    stage.dashboard.show_run(read_run(run.folder))
    run.folder.rename(tmp_path / "away")
    stage.qtbot.waitUntil(lambda: "Its folder is gone" in follower.problem)
    stage.qtbot.waitUntil(lambda: stage.dashboard.timeline.text != "● follows the training")
    assert len(stage.dashboard.record.history.loss.steps) == 10
    (tmp_path / "away").rename(run.folder)
    run.say(progress(11, 10))
    stage.qtbot.waitUntil(lambda: stage.dashboard.timeline.text == "● follows the training")
    assert not follower.problem
    assert len(stage.dashboard.record.history.loss.steps) == 20


def test_a_drive_that_hangs_holds_up_nothing(
    stage: Stage, run: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.say(*run_events(epochs=1))
    follower = stage.dashboard.follower
    follower._slow.setInterval(20)
    answers, main, look = threading.Event(), threading.get_ident(), Following.look
    asked: list[int] = []

    def hanging(self: Following) -> Look:
        asked.append(threading.get_ident())
        answers.wait(30)
        return look(self)

    opened = read_run(run.folder)
    monkeypatch.setattr(Following, "look", hanging)
    stage.dashboard.show_run(opened)
    stage.qtbot.waitUntil(lambda: "does not answer" in follower.problem)
    stage.dashboard.timeline.slider.choose(0)
    stage.qtbot.waitUntil(lambda: "Epoch 0 of 8" in stage.dashboard.timeline._label.text())
    assert len(asked) == 1
    assert main not in asked
    run.say(progress(11, 10))
    answers.set()
    stage.qtbot.waitUntil(lambda: not follower.problem)
    assert len(stage.dashboard.record.history.loss.steps) == 20


def test_another_run_ends_the_following_of_the_first(stage: Stage, run: Written, tmp_path: Path) -> None:
    run.say(*run_events(epochs=1))
    stage.dashboard.show_run(read_run(run.folder))
    other = Written(tmp_path / "other", NETWORK)
    other.say(*run_events(epochs=2), finished())
    other.describe(status="completed")
    stage.dashboard.show_run(read_run(other.folder))
    heard: list[tuple[Event, ...]] = []
    stage.dashboard.follower.grew.connect(heard.append)
    run.say(progress(11, 10))
    stage.qtbot.wait(60)
    assert stage.dashboard.record.folder == other.folder
    assert not heard
    assert not is_looking(stage.dashboard.follower)


def test_an_own_training_ends_the_following(stage: Stage, run: Written) -> None:
    run.say(*run_events(epochs=1))
    stage.dashboard.show_run(read_run(run.folder))
    stage.train()
    QApplication.processEvents()
    assert stage.dashboard.follower.record is None
    assert stage.dashboard.record.folder != run.folder
    assert not is_looking(stage.dashboard.follower)
