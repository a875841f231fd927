"""What a run is called and when it was started, as the window names it."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path

import pytest

from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.training.events import WeightsLoaded
from tests.gui.canned import started
from tests.gui.fakes import TINY


@pytest.mark.parametrize(("folder", "keeps"), [("run", True), ("other", False)])
def test_a_resumed_run_keeps_its_title_and_start_and_a_continued_one_is_new(folder: str, keeps: bool) -> None:
    before = RunRecord(TINY, created=datetime(2020, 5, 12, 12).astimezone())
    before.feed([started(run="run")])
    before.label = "My small net"
    after = RunRecord(TINY, created=datetime.now().astimezone())
    after.continue_from(before)
    after.feed([started(run=folder)])
    assert (after.title == "My small net · 2020-05-12") == keeps
    assert (after.title == f"{TINY.name} · {after.start}") != keeps


def test_what_was_saved_of_an_epoch_is_in_the_folder_of_the_run_that_trained_it() -> None:
    first, second, third = (RunRecord(TINY) for _ in range(3))
    first.feed([started(run="a")])
    assert first.folder_at(1) == Path("a")
    second.continue_from(first)
    second.feed([dataclasses.replace(started(run="b"), first_epoch=3)])
    third.continue_from(second)
    third.feed([dataclasses.replace(started(run="c"), first_epoch=5)])
    folders = [third.folder_at(epoch) for epoch in (0, 1, 2, 3, 4, 5, None)]
    assert folders == [Path(name) for name in "aabbccc"]
    resumed = RunRecord(TINY)
    resumed.continue_from(third)
    resumed.feed([dataclasses.replace(started(run="c"), first_epoch=6)])
    assert [resumed.folder_at(epoch) for epoch in (1, 3, 5, 7)] == [Path(name) for name in "abcc"]
    assert RunRecord(TINY).folder_at(1) is None


def test_the_terms_of_the_start_weights_are_known_also_of_a_run_that_goes_on_from_it() -> None:
    first, second = RunRecord(TINY), RunRecord(TINY)
    assert first.weights_notice == ""
    first.feed([WeightsLoaded("run@3", ("conv2d_1",), (), (), "under Apache-2.0")])
    assert first.weights_notice == "under Apache-2.0"
    second.continue_from(first)
    assert second.weights_notice == "under Apache-2.0"
