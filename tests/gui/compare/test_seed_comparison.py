"""More seeds of two designs are trained with one click, and then compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.gui.compare.designs import Design
from cnnstudio.gui.compare.dialog import CompareDialog
from cnnstudio.gui.compare.seed_comparison import SeedComparison
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.tool_bar import TrainingToolBar
from cnnstudio.gui.widgets.progress import ProgressLine
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.runs.comparing.comparison import CompletedRuns
from cnnstudio.runs.library.finding import list_runs
from cnnstudio.runs.run import Run
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY, FakeSession, image_folder
from tests.runs.written import trained

LEFT = Qt.MouseButton.LeftButton
PATIENCE_MS = 120_000
WIDER = edits.replace(TINY, "conv2d_1", layer=Conv2D(filters=6, activation="relu"))
QUICK = Recipe("quick", epochs=1, batch_size=4)


class Comparison:
    """The dialog for TINY and a wider network, with a session that trains."""

    def __init__(self, qtbot: QtBot, session: TrainingSession, images: str) -> None:
        self.qtbot = qtbot
        self.session = session
        self.project = Project(WIDER)
        self.project.set_dataset(images, None)
        self.project.set_recipe(QUICK)
        self.seeds = SeedComparison(session)
        self.tool_bar = TrainingToolBar(self.project, session)
        qtbot.addWidget(self.tool_bar)
        self.found: list[str] = []
        self.seeds.ended.connect(self.found.append)
        self.open()

    def open(self) -> None:
        designs = [Design("Before", lambda: TINY)]
        self.dialog = CompareDialog(self.project, designs, self.seeds)
        self.qtbot.addWidget(self.dialog)
        self.dialog.show()

    @property
    def button(self) -> QPushButton:
        return self.dialog.findChild(QPushButton, "trainSeeds")

    @property
    def progress(self) -> ProgressLine:
        return self.dialog.findChild(ProgressLine, "seedsProgress")

    def accuracy(self, column: int) -> str:
        return self.dialog.findChild(QLabel, f"compare_test_accuracy_{column}").text()

    def click(self) -> None:
        self.qtbot.waitUntil(lambda: self.button.isVisible() and self.button.isEnabled(), timeout=PATIENCE_MS)
        self.qtbot.mouseClick(self.button, LEFT)

    def until_ended(self, times: int = 1) -> None:
        self.qtbot.waitUntil(lambda: len(self.found) == times, timeout=PATIENCE_MS)


@pytest.fixture
def session() -> Iterator[TrainingSession]:
    session = TrainingSession()
    yield session
    assert session.shutdown(60)


@pytest.fixture
def comparison(qtbot: QtBot, session: TrainingSession, tmp_path: Path) -> Iterator[Comparison]:
    comparison = Comparison(qtbot, session, str(image_folder(tmp_path / "images")))
    yield comparison
    comparison.dialog.close()


def seeds_of(network: Network) -> list[int]:
    return sorted(run.recipe.seed for run in list_runs() if run.network.nodes == network.nodes)


def test_one_click_trains_three_seeds_of_each_and_gives_the_verdict(comparison: Comparison) -> None:
    texts: list[str] = []
    comparison.seeds.changed.connect(lambda: texts.append(comparison.progress.text))
    comparison.click()
    assert comparison.button.text() == "Train 3 seeds of each"
    assert not comparison.button.isVisible()
    assert comparison.progress.isVisible()
    comparison.until_ended()
    assert seeds_of(TINY) == seeds_of(WIDER) == [0, 1, 2]
    assert all(run.status == "completed" for run in list_runs())
    assert all(f"-seed-{run.recipe.seed}" in run.id for run in list_runs())
    (found,) = comparison.found
    assert found.startswith("6 of 6 runs completed. Test accuracy: other design ")
    assert "for 3 and 3 runs" in found
    assert any(text.startswith("Run 3 of 6: Tiny with seed 1 · ") for text in texts)
    comparison.qtbot.waitUntil(lambda: comparison.accuracy(2).endswith("(3 seeds)"), timeout=PATIENCE_MS)
    assert comparison.accuracy(1).endswith("(3 seeds)")
    assert not comparison.progress.isVisible()
    assert "for 3 and 3 runs" in comparison.dialog.findChild(QLabel, "compareVerdict").text()


def test_what_was_stopped_is_resumed_and_nothing_is_trained_twice(comparison: Comparison) -> None:
    comparison.project.set_recipe(QUICK.replace(epochs=20))

    def stop_in_the_third(_: object) -> None:
        if comparison.session.position == (3, 6) and comparison.session.state is State.RUNNING:
            comparison.session.events.disconnect(stop_in_the_third)
            comparison.qtbot.mouseClick(comparison.progress.findChild(QPushButton, "cancel"), LEFT)

    comparison.session.events.connect(stop_in_the_third)
    comparison.click()
    comparison.until_ended()
    assert comparison.found[0].startswith("2 of 6 runs completed. Test accuracy: other design ")
    assert "One run of each cannot tell a difference" in comparison.found[0]
    before = {run.folder: run.created for run in list_runs()}
    assert sorted(run.status for run in list_runs()) == ["completed", "completed", "stopped"]

    comparison.click()
    comparison.until_ended(2)
    assert comparison.found[1].startswith("4 of 4 runs completed. ")
    assert seeds_of(TINY) == seeds_of(WIDER) == [0, 1, 2]
    assert all(Run.open(folder).created == created for folder, created in before.items())
    assert {run.status for run in list_runs()} == {"completed"}


def test_the_runs_go_on_when_the_dialog_is_closed(comparison: Comparison) -> None:
    # Long enough that the second run can be seen, and the dialog opened again during the rest.
    comparison.project.set_recipe(QUICK.replace(epochs=4))
    comparison.click()
    comparison.dialog.close()
    comparison.qtbot.waitUntil(lambda: comparison.session.position == (2, 6), timeout=PATIENCE_MS)
    comparison.open()
    comparison.qtbot.waitUntil(lambda: comparison.progress.text.startswith("Run "), timeout=PATIENCE_MS)
    assert not comparison.button.isVisible()
    comparison.until_ended()
    assert comparison.found[0].startswith("6 of 6 runs completed. ")


def test_a_run_that_cannot_start_ends_the_row_with_its_reason(comparison: Comparison) -> None:
    failures: list[str] = []
    comparison.session.failed.connect(failures.append)
    comparison.project.set_dataset("nowhere", None)
    comparison.click()
    comparison.until_ended()
    assert comparison.found == [
        "0 of 6 runs completed. There is nothing to compare yet, because one of the two has no completed run."
    ]
    assert failures[0].startswith("There is no data set or folder “nowhere”")
    comparison.qtbot.waitUntil(lambda: comparison.button.isEnabled(), timeout=PATIENCE_MS)


@pytest.mark.parametrize(
    ("before", "now", "offer"),
    [
        ((0.7,), (0.6,), "Train 3 seeds of each"),
        ((0.7, 0.71, 0.69), (0.7,), "Train 3 seeds of each"),
        ((0.7, 0.71, 0.69), (0.7, 0.71, 0.6), "Train 5 seeds of each"),
        ((0.7, 0.71, 0.69), (0.6, 0.61, 0.62), None),
        ((), (), "Train 3 seeds of each"),
    ],
)
def test_more_seeds_are_offered_until_the_difference_is_significant(
    before: tuple[float, ...], now: tuple[float, ...], offer: str | None, qtbot: QtBot, tmp_path: Path
) -> None:
    trained(tmp_path / "before", TINY, before)
    trained(tmp_path / "now", WIDER, now)
    folders = [tmp_path / "before", tmp_path / "now"]
    read = lambda: CompletedRuns(run for folder in folders for run in list_runs(folder))  # noqa: E731
    session, project = FakeSession(), Project(WIDER)
    project.set_dataset("shapes", None)
    dialog = CompareDialog(project, [Design("Before", lambda: TINY)], SeedComparison(session), None, read)
    qtbot.addWidget(dialog)
    dialog.show()
    button = dialog.findChild(QPushButton, "trainSeeds")
    if offer is None:
        qtbot.waitUntil(lambda: dialog.findChild(QLabel, "compareVerdict").isVisible())
        assert not button.isVisible()
    else:
        qtbot.waitUntil(lambda: button.isVisible())
        assert button.text() == offer
        session.show_state(State.RUNNING)
        assert not button.isEnabled()
        assert button.toolTip() == "A run is training. Stop it or wait for it to finish."
        session.show_state(State.IDLE)
        qtbot.mouseClick(button, LEFT)
        (requests,) = session.calls
        assert isinstance(requests, list)
        assert len(requests) == 2 * int(offer.split()[1]) - len(before) - len(now)
    project.edit("back", TINY)
    qtbot.waitUntil(lambda: not button.isVisible())
    dialog.close()


def test_a_seed_out_of_range_is_explained(qtbot: QtBot) -> None:
    session, project = FakeSession(), Project(WIDER)
    project.set_dataset("shapes", None)
    project.set_recipe(QUICK.replace(seed=2**31 - 2))
    dialog = CompareDialog(project, [Design("Before", lambda: TINY)], SeedComparison(session))
    qtbot.addWidget(dialog)
    dialog.show()
    button = dialog.findChild(QPushButton, "trainSeeds")
    qtbot.waitUntil(lambda: button.isVisible())
    qtbot.mouseClick(button, LEFT)
    assert session.calls == []
    assert any("seed" in label.text() and label.isVisible() for label in dialog.findChildren(QLabel))
    dialog.close()
