"""Run folders with numbers, arrays and texts that no training writes: refused in one sentence, or shown."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shiboken6
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from cnnstudio.core.errors import UserError
from cnnstudio.data.dataset import Split
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.follower import read_run
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.event_check import MAX_EPOCHS
from cnnstudio.runs.snapshots import snapshot_path, write_snapshot
from cnnstudio.training.events import Event, RecipeChanged, WeightsTransferred
from tests.gui.canned import finished, run_events
from tests.gui.fakes import FakeSession
from tests.gui.run_stage import RunStage
from tests.runs.written import WrittenRun

LINES = [event.to_json() for event in (*run_events(3), RecipeChanged(5, 0.5, "x", "1", "2"), finished())]


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    window = create_window()
    window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
    window.show()
    yield window
    window.close()
    shiboken6.delete(window)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return written(tmp_path / "whole", run_events(3)).folder


def written(folder: Path, events: list[Event]) -> WrittenRun:
    """An ended run with a snapshot of epoch 3."""
    run = WrittenRun(folder)
    run.update_metadata(status="completed", reason="Done.")
    run.append(*events, finished())
    examples = Split(np.zeros((5, 3, 8, 8), np.uint8), np.zeros(5, np.int64))
    maps = [
        FeatureMaps("conv2d_1", image, np.zeros((4, 6, 6), np.uint8), 0.0, 1.0, (), 4) for image in range(5)
    ]
    write_snapshot(snapshot_path(folder, 3), maps, examples)
    return run


def shown_run(window: MainWindow) -> Path | None:
    return window.shown_run.record.folder


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("EpochEnded", {"epoch": 10**12}),
        ("EpochEnded", {"epoch": -1}),
        ("EpochEnded", {"images_per_second": math.inf}),
        ("Started", {"epochs": 10**15}),
        ("Started", {"steps_per_epoch": 0}),
        ("Started", {"steps_per_epoch": 10**300}),
        ("Progress", {"steps": 0}),
        ("Progress", {"epoch": math.nan}),
        ("Progress", {"step": -5}),
        ("Progress", {"step": 0}),
        ("Progress", {"first_step": 10**300}),
        ("Progress", {"seconds_left": 1e300}),
        ("Progress", {"accuracies": [0.5]}),
        ("Finished", {"seconds": math.inf}),
        ("Finished", {"best_epoch": 10**100}),
    ],
)
def test_a_run_with_an_impossible_number_is_refused_and_the_next_one_opens(
    window: MainWindow, whole: Path, tmp_path: Path, kind: str, changes: dict[str, object]
) -> None:
    strange = written(tmp_path / "strange", run_events(3))
    lines = [json.loads(line) for line in strange.events.read_text().splitlines()]
    changed = [line | changes if line["event"] == kind else line for line in lines]
    strange.events.write_text("".join(json.dumps(line) + "\n" for line in changed))

    window.open_run(strange.folder)
    assert "is damaged: in its" in window.message_bar.text
    assert shown_run(window) is None

    window.open_run(whole)
    assert shown_run(window) == whole
    assert [epoch.epoch for epoch in window.shown_run.record.history.epochs] == [1, 2, 3]


@pytest.mark.parametrize("changes", [{"step": 0}, {"step": 1, "steps": 10**15, "epoch": 5e-324}, {}])
def test_a_log_without_its_beginning_is_refused_or_drawn(
    window: MainWindow, whole: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    strange = written(tmp_path / "strange", run_events(3))
    lines = [json.loads(line) for line in strange.events.read_text().splitlines()[1:]]
    lines = [line | changes if line["event"] == "Progress" else line for line in lines]
    lines.insert(-1, WeightsTransferred(10**15, "first", (), (), ()).to_json())
    strange.events.write_text("".join(json.dumps(line) + "\n" for line in lines))

    window.open_run(strange.folder)
    assert (shown_run(window) is None) == ("is damaged: in its Progress event" in window.message_bar.text)
    window.grab()
    for plot in (
        window.pages.train.curves.learning.loss.plot,
        window.pages.train.curves.learning.accuracy.plot,
    ):
        assert plot.getViewBox().viewRange()[0][1] <= MAX_EPOCHS

    window.open_run(whole)
    assert shown_run(window) == whole


def test_damaged_maps_are_named_in_the_view_and_the_next_run_opens(
    window: MainWindow, whole: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    strange = written(tmp_path / "strange", run_events(3))
    path = snapshot_path(strange.folder, 3)
    with np.load(path) as found:
        arrays = dict(found)
    arrays["conv2d_1"] = np.full(arrays["conv2d_1"].shape, np.nan)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # its stub takes names for options

    window.open_run(strange.folder)
    qtbot.waitUntil(lambda: "snapshot of epoch 3 is damaged" in window.pages.train.maps.grid.hint)

    window.open_run(whole)
    qtbot.waitUntil(lambda: window.pages.train.maps.grid.maps is not None)


numbers = st.sampled_from(
    [0, -1, 10**12, 2**63, 10**300, -0.5, 1.5, 1e300, -1e300, math.nan, math.inf, -math.inf]
)
strange_values = st.one_of(
    numbers,
    st.lists(numbers, max_size=4),
    st.sampled_from([None, True, "", "x", "\ud800", "<b>", "y" * 5000, [], {}, [[]], {"loss": 1e300}]),
)


@st.composite
def strange_logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A whole log with a few values replaced and a few lines doubled, moved or left out."""
    lines = [dict(line) for line in LINES]
    for _ in range(draw(st.integers(1, 3))):
        line = draw(st.sampled_from(lines))
        line[draw(st.sampled_from(sorted(line)))] = draw(strange_values)
    order = draw(st.lists(st.sampled_from(range(len(lines))), min_size=1, max_size=12))
    return [lines[index] for index in (order if draw(st.booleans()) else range(len(lines)))]


@given(strange_logs())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_events_raise_anything_but_damage(qtbot: QtBot, tmp_path: Path, log: list[dict[str, Any]]) -> None:
    folder = tmp_path / "run"
    run = WrittenRun(folder) if not folder.exists() else None
    if run is not None:
        run.update_metadata(status="completed", reason="Done.")
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    try:
        opened = read_run(folder)
    except RunError:
        return
    dashboard = RunStage(Project(opened.record.network), FakeSession())
    dashboard.resize(1000, 300)
    dashboard.show()
    dashboard.show_run(opened)
    dashboard.grab()
    dashboard.clock.draw()  # what the timer calls
    dashboard.timeline.slider.choose(1)
    dashboard.grab()
    dashboard.hide()
    dashboard.close_run()
    shiboken6.delete(dashboard)


@given(
    st.dictionaries(
        st.sampled_from(["name", "status", "host", "created", "data", "classes", "test", "best_epoch", "x"]),
        strange_values | st.sampled_from(["0001-01-01T00:00:00", "completed", {"source": 3}, ["a", 1]]),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["run.json", "design.cnn.json", "recipe.json"]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_description_of_a_run_raises_anything_but_an_error_for_the_user(
    tmp_path: Path, changes: dict[str, Any], name: str
) -> None:
    folder = tmp_path / "run"
    if not folder.exists():
        written(folder, run_events(3))
    original = (folder / name).read_bytes()
    try:
        (folder / name).write_text(json.dumps(json.loads(original) | changes))
        with contextlib.suppress(UserError):
            read_run(folder)
    finally:
        (folder / name).write_bytes(original)
