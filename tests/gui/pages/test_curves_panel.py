"""The panel of the curves: its menus, the runs below them, and what is remembered."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QImage
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.pages.curves_panel import CurvesPanel
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.runs.library.finding import runs_folder
from cnnstudio.training.preflight.quick_estimate import QuickEstimate
from tests.gui.canned import epoch_ended, progress, run_events, started
from tests.gui.fakes import FakeSession
from tests.gui.run_stage import RunStage
from tests.runs.written import WrittenRun
from tests.training.networks import tiny


class Harness:
    """The Train page with a session that the test controls."""

    def __init__(self, qtbot: QtBot) -> None:
        self.qtbot = qtbot
        self.project, self.session = Project(tiny()), FakeSession()
        self.stage = RunStage(self.project, self.session)
        qtbot.addWidget(self.stage)
        self.stage.resize(1300, 640)
        self.stage.show()
        self.messages: list[Message] = []
        self.panel.message.connect(self.messages.append)

    @property
    def panel(self) -> CurvesPanel:
        return self.stage.page.curves

    def train(self) -> None:
        self.session.network, self.session.dataset_name = tiny(), "shapes"
        self.session.show_state(State.LOADING)
        self.session.events.emit(tuple(run_events(epochs=3, planned=8)))
        self.session.show_state(State.RUNNING)
        self.qtbot.waitUntil(lambda: len(self.panel.learning.loss.steps.points[0]) == 30)

    def choose(self, name: str) -> None:
        """Chooses an entry of the menu as a click does."""
        self.panel.options_menu.refill()
        action = next(a for a in self.panel.options_menu.actions() if a.objectName() == f"curves_{name}")
        action.trigger()

    def entry(self, name: str) -> None:
        """Opens the panel's own menu and chooses an entry."""
        self.panel.menu_button.click()
        menu = self.panel.findChildren(QMenu)[-1]
        next(action for action in menu.actions() if action.objectName() == name).trigger()
        menu.close()


@pytest.fixture
def harness(qtbot: QtBot) -> Iterator[Harness]:
    harness = Harness(qtbot)
    yield harness
    harness.stage.hide()
    harness.stage.close_run()


def earlier_run(name: str = "earlier") -> Path:
    run = WrittenRun(runs_folder() / name)
    run.update_metadata(status="completed", created="2026-01-20T08:00:00+00:00")
    run.append(started(), progress(1, 20), epoch_ended(1), epoch_ended(2))
    return run.folder


def test_what_is_chosen_is_remembered(harness: Harness, qtbot: QtBot) -> None:
    harness.choose("gradient_norm")
    harness.choose("accuracy")
    harness.choose("log")
    harness.panel.smoothing.choose("strong")

    again = Harness(qtbot)

    assert again.panel.options.plots == ("loss", "gradient_norm")
    assert again.panel.options.log
    assert again.panel.smoothing.value == again.panel.options.smoothing == "strong"
    shown = [plot.plot.objectName() for plot in again.panel.learning.shown_plots if plot.isVisible()]
    assert shown == ["lossPlot", "gradientNormPlot"]
    again.stage.hide()
    again.stage.close_run()


def test_the_empty_curves_say_how_long_a_training_takes_until_it_would_be_another(harness: Harness) -> None:
    harness.panel.draw()
    assert harness.panel.learning.loss.plot.hint == "Press Train (F5) to see the loss fall"
    harness.panel.show_estimate(QuickEstimate(230.0))
    assert harness.panel.learning.loss.plot.hint == "Press Train (F5): about 3 m 50 s here"
    harness.project.set_recipe(harness.project.recipe.replace(epochs=3))
    assert harness.panel.learning.loss.plot.hint == "Press Train (F5) to see the loss fall"


def test_the_last_plot_stays(harness: Harness) -> None:
    harness.choose("accuracy")
    harness.panel.options_menu.refill()
    loss = harness.panel.options_menu.actions()[0]

    assert (loss.objectName(), loss.isChecked(), loss.isEnabled()) == ("curves_loss", True, False)


def test_the_previous_run_is_named_with_its_value_and_can_be_hidden(harness: Harness) -> None:
    earlier_run()
    harness.train()
    runs = harness.panel.runs
    harness.qtbot.waitUntil(lambda: len(runs.companions) == 1)

    row = runs.rows[0]
    assert row.name.full_text.startswith("previous run: ")
    overlay = runs.companions[0].overlay
    assert overlay is not None
    short = f"previous, {overlay.start}"
    row.name.resize(row.name.fontMetrics().horizontalAdvance(short), row.name.height())
    assert row.name.text() == short
    assert row.value.text() == "67.5% at epoch 2, its last"
    harness.stage.shown.cursor.move_to(1)
    harness.qtbot.waitUntil(lambda: row.value.text() == "51.2% at epoch 1")
    assert len(harness.panel.learning.loss.others) == 1

    harness.qtbot.mouseClick(row.button, Qt.MouseButton.LeftButton)
    assert not harness.panel.learning.loss.others
    harness.qtbot.mouseClick(runs.show_previous, Qt.MouseButton.LeftButton)
    assert len(harness.panel.learning.loss.others) == 1


def test_a_chosen_run_is_laid_over_the_curves_until_it_is_hidden(harness: Harness) -> None:
    folder = earlier_run()
    harness.choose("previous")
    harness.train()
    overlays, runs = harness.stage.shown.overlays, harness.panel.runs
    overlays.add([folder])
    harness.qtbot.waitUntil(lambda: len(runs.companions) == 1)

    harness.qtbot.mouseClick(runs.rows[0].button, Qt.MouseButton.LeftButton)

    harness.qtbot.waitUntil(lambda: not runs.companions)
    assert overlays.folders == ()


def test_a_run_that_cannot_be_read_is_a_message(harness: Harness, tmp_path: Path) -> None:
    harness.stage.shown.overlays.add([tmp_path])

    harness.qtbot.waitUntil(lambda: bool(harness.messages))
    assert harness.messages[0].is_error


def test_curves_are_saved_as_image_drawing_and_table(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.train()
    paths = {suffix: tmp_path / f"curves{suffix}" for suffix in (".png", ".svg", ".csv")}
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *arguments: (str(paths[Path(arguments[2]).suffix]), "")
    )
    for name in ("savePng", "saveSvg", "saveCsv"):
        harness.entry(name)
    harness.qtbot.waitUntil(lambda: len(harness.messages) == 3)

    assert [message.is_error for message in harness.messages] == [False] * 3
    image, size = QImage(str(paths[".png"])), harness.panel.learning.size()
    assert image.width() >= 2 * size.width()
    drawing = paths[".svg"].read_bytes()
    assert QSvgRenderer(QByteArray(drawing)).isValid()
    # Lines that are drawn, not an image of them.
    assert b"<image" not in drawing
    assert drawing.count(b"<polyline") + drawing.count(b"<path") > 10
    rows = list(csv.reader(io.StringIO(paths[".csv"].read_text("utf-8"))))
    assert rows[0] == ["metric", "series", "epoch", "value"]
    steps = [row for row in rows if row[:2] == ["loss", "training, each step"]]
    assert [float(row[3]) for row in steps] == harness.panel.learning.loss.content.curves.steps.y.tolist()
    assert ["accuracy", "validation", "3.0"] in [row[:3] for row in rows]


def test_an_image_is_copied_without_the_traces_of_the_mouse(harness: Harness) -> None:
    harness.train()
    harness.entry("copyImage")
    before = QApplication.clipboard().image()
    harness.panel.learning._on_hovered(1.5)

    harness.entry("copyImage")

    assert QApplication.clipboard().image() == before
    assert harness.panel.learning.loss.plot.crosshair is not None


def test_a_right_click_opens_the_menu_of_one_plot(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.train()
    path = tmp_path / "accuracy.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments: (str(path), ""))
    plot = harness.panel.learning.accuracy

    plot.plot.menu_wanted.emit(plot.mapToGlobal(plot.rect().center()))
    menu = harness.panel.findChildren(QMenu)[-1]
    next(action for action in menu.actions() if action.objectName() == "saveCsv").trigger()
    menu.close()

    harness.qtbot.waitUntil(lambda: bool(harness.messages))
    assert {row[0] for row in csv.reader(io.StringIO(path.read_text("utf-8")))} == {"metric", "accuracy"}


def test_a_hidden_panel_neither_draws_nor_looks_for_the_previous_run(harness: Harness) -> None:
    earlier_run()
    harness.panel.hide()
    harness.session.network, harness.session.dataset_name = tiny(), "shapes"
    harness.session.show_state(State.LOADING)
    harness.session.events.emit(tuple(run_events(epochs=3)))
    harness.stage.clock.draw()

    assert harness.stage.shown.overlays._search is None
    assert not len(harness.panel.learning.loss.steps.points[0])

    harness.panel.show()
    harness.stage.clock.draw()
    assert len(harness.panel.learning.loss.steps.points[0]) == 30
