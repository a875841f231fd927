"""What a run is called and when it was started, as the window names it."""

from __future__ import annotations

from datetime import datetime

import pytest

from cnnstudio.gui.runs.record import RunRecord
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
