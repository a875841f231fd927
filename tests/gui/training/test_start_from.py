"""Choosing the weights that the next training starts from, in the dialog and on the chip in the toolbar."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QFileDialog, QListWidget, QMainWindow, QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.core.errors import UserError
from cnnstudio.data.dataset import Dataset
from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.controls import DETAILS_ROLE
from cnnstudio.gui.training.start_from.dialog import StartDialog
from cnnstudio.gui.training.start_from.start_choice import StartChoice
from cnnstudio.gui.training.tool_bar import TrainingToolBar
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.runs.library.finding import runs_folder
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.events import Warned, WeightsLoaded
from cnnstudio.training.model import build_model
from cnnstudio.training.pretrained.random_locks import describe_random_locks
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.canned import run_events
from tests.gui.fakes import FakeSession
from tests.training.images import colors
from tests.training.networks import tiny

RECIPE = Recipe("test", epochs=2, batch_size=16, learning_rate=0.01)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a completed run of two epochs."""
    folder = tmp_path_factory.mktemp("trained") / "head"
    data: Dataset = colors(noise=120)
    start_run(tiny(), data, RECIPE, RunOptions(folder=folder, threads=1))
    return folder


@pytest.fixture
def run(trained: Path) -> Path:
    """The same among the user's runs, beside another one whose weights are gone."""
    shutil.copytree(trained, runs_folder() / "head")
    shutil.copytree(trained, runs_folder() / "empty")
    shutil.rmtree(runs_folder() / "empty" / "checkpoints")
    shutil.rmtree(runs_folder() / "empty" / "weights")
    return runs_folder() / "head"


class Stage:
    """The toolbar, with a session whose tasks are done when they are asked for."""

    def __init__(self, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
        self.qtbot = qtbot
        self.project = Project(tiny())
        self.project.set_dataset("own", 3)
        self.session = FakeSession()
        self.session.is_loaded = True
        monkeypatch.setattr(self.session, "run_task", _at_once)
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.tool_bar = TrainingToolBar(self.project, self.session)
        self.window.addToolBar(self.tool_bar)
        self.window.resize(1400, 300)
        self.window.show()
        self.start = self.tool_bar.start
        self.messages: list[Message] = []
        self.tool_bar.message.connect(self.messages.append)

    def ask(self, folder: Path | None = None) -> StartDialog:
        self.start.ask(folder)
        dialog = self.window.findChild(StartDialog)
        assert dialog is not None
        return dialog

    def train(self) -> Any:
        """What the session gets with a click on Train."""
        self.tool_bar.train_action.trigger()
        return self.session.calls[-1]

    def begin(self) -> None:
        self.session.events.emit(tuple(run_events(epochs=2)))


def _at_once(
    function: Callable[..., Any],
    on_done: Callable[[Any], object],
    on_error: Callable[[str], object] | None = None,
    on_progress: Callable[[Any], object] | None = None,
) -> Any:
    class Task:
        def cancel(self) -> None:
            pass

    try:
        found = function(lambda progress: None, lambda: False)
    except UserError as error:
        assert on_error is not None
        on_error(str(error))
    else:
        on_done(found)
    return Task()


class _Later:
    """A task that ends when the test says so."""

    def __init__(self, arguments: Any) -> None:
        self._arguments, self._is_cancelled = arguments, False

    def cancel(self) -> None:
        self._is_cancelled = True

    def end(self) -> None:
        if not self._is_cancelled:
            _at_once(*self._arguments)


@pytest.fixture
def stage(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    stage = Stage(qtbot, monkeypatch)
    yield stage
    for dialog in stage.window.findChildren(StartDialog):
        dialog.reject()


def _rows(dialog: StartDialog, name: str) -> list[tuple[str, str]]:
    found = dialog.findChild(QListWidget, name)
    assert found is not None
    items = [found.item(number) for number in range(found.count())]
    return [(item.text(), str(item.data(DETAILS_ROLE))) for item in items]


def _text(dialog: StartDialog, name: str) -> str:
    found = dialog.findChild(Label, name)
    assert found is not None
    return "" if found.isHidden() else found.text()


def _select(stage: Stage, dialog: StartDialog, title: str) -> None:
    stage.qtbot.waitUntil(lambda: title in [each for each, _ in _rows(dialog, "startSources")])
    titles = [each for each, _ in _rows(dialog, "startSources")]
    dialog.sources.list.setCurrentRow(titles.index(title))
    stage.qtbot.waitUntil(lambda: _text(dialog, "startSummary") != "Reading…")


def _select_run(stage: Stage, dialog: StartDialog, run: Path) -> None:
    stage.qtbot.waitUntil(lambda: len(_rows(dialog, "startSources")) == 3)
    dialog.sources.select(str(run))
    stage.qtbot.waitUntil(lambda: _text(dialog, "startSummary") != "Reading…")


def test_a_run_is_chosen_shown_used_once_and_gone(stage: Stage, run: Path) -> None:
    assert stage.tool_bar.start_chip.isHidden()
    dialog = stage.ask()
    _select_run(stage, dialog, run)
    assert _text(dialog, "startSummary") == "4 of 4 layers take these weights."
    assert _rows(dialog, "startFitRows")[0] == ("Conv2D (layer 1)", "By name and shape")
    QTest.keyClick(dialog.sources.list, Qt.Key.Key_Return)
    assert stage.start.title == "Tiny, best epoch"
    assert stage.tool_bar.start_chip.isVisible()
    assert stage.messages[-1].text == "Training will start from the weights of Tiny, best epoch."
    assert stage.messages[-1].button == "Train"
    assert stage.train()[3:] == (str(run),)
    assert stage.start.choice is not None, "the run may fail before its first step"
    stage.begin()
    assert stage.start.choice is None
    assert stage.tool_bar.start_chip.isHidden()
    stage.session.show_state(State.IDLE)
    assert stage.train()[3:] == ()


def test_a_kept_epoch_is_chosen(stage: Stage, run: Path) -> None:
    dialog = stage.ask(run)
    stage.qtbot.waitUntil(lambda: len(_rows(dialog, "startSources")) == 3)
    epochs = dialog.findChild(QComboBox, "startEpoch")
    assert epochs is not None
    best = Run.open(run).best_epoch
    assert epochs.itemText(0).startswith(f"Best: epoch {best}, ")
    assert epochs.itemText(epochs.count() - 1) == "Before training"
    other = next(each for each in (1, 2) if each != best)
    index = epochs.findData(other)
    epochs.setCurrentIndex(index)
    epochs.activated.emit(index)
    assert epochs.currentIndex() == index
    dialog.use_button.click()
    assert stage.start.choice == StartChoice(f"{run}@{other}", f"Tiny, epoch {other}")
    # Opened again, it shows what is chosen, also once the runs are listed, of which more is known then.
    stage.qtbot.waitUntil(lambda: not stage.window.findChildren(StartDialog))
    again = stage.ask()
    stage.qtbot.waitUntil(lambda: getattr(again.sources.current, "title", "") == "Tiny")
    stage.qtbot.waitUntil(lambda: again.epochs.count() > 1 and again.use_button.isEnabled())
    assert again.epochs.currentData() == other
    again.use_button.click()
    assert stage.start.choice == StartChoice(f"{run}@{other}", f"Tiny, epoch {other}")


def test_what_is_found_of_the_entry_before_is_not_used_for_the_next_one(
    stage: Stage, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run, runs_folder() / "other")
    tasks: list[_Later] = []

    def later(*arguments: Any) -> _Later:
        tasks.append(_Later(arguments))
        return tasks[-1]

    monkeypatch.setattr(stage.session, "run_task", later)
    dialog = stage.ask(run)
    stage.qtbot.waitUntil(lambda: len(_rows(dialog, "startSources")) == 4)
    stage.qtbot.waitUntil(lambda: bool(tasks) and not dialog._delay.isActive())
    dialog.sources.select(str(runs_folder() / "other"))
    assert dialog._delay.isActive()
    # The answer about the first one comes while the second one has not been asked for.
    tasks[-1].end()
    assert not dialog.use_button.isEnabled()
    dialog._on_selected()
    tasks[-1].end()
    dialog.use_button.click()
    assert stage.start.choice is not None
    assert stage.start.choice.source == str(runs_folder() / "other")


def test_what_fits_comes_first_and_what_starts_afresh_has_its_reason(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = build_model(tiny(classes=5)).state_dict()
    renamed = {f"features.{name}" if "conv2d_2" in name else name: each for name, each in state.items()}
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(renamed, path)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *arguments: (str(path), ""))
    dialog = stage.ask()
    dialog.open_button.click()
    assert _rows(dialog, "startFitRows") == [
        ("Conv2D (layer 1)", "By name and shape"),
        ("BatchNormalization (layer 2)", "By name and shape"),
        ("Conv2D (layer 3)", "By position and shape"),
        ("Dense (layer 6)", "Starts afresh: nothing in the file fits"),
    ]
    assert _text(dialog, "startSummary") == "3 of 4 layers take these weights."
    dialog.use_button.click()
    assert stage.train()[3:] == (str(path),)


@pytest.mark.parametrize("name", ["weights.pt", "weights.pkl", "weights.h5", "weights"])
def test_a_file_that_can_contain_programs_is_refused_with_a_sentence_and_never_opened(
    stage: Stage, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.write_bytes(b"cposix\nsystem\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *arguments: (str(path), ""))
    monkeypatch.setattr("cnnstudio.training.pretrained.start_weights.read_regular", None)
    dialog = stage.ask()
    dialog.open_button.click()
    assert "can contain programs" in _text(dialog, "startSummary")
    assert not dialog.use_button.isEnabled()
    QTest.keyClick(dialog.sources.list, Qt.Key.Key_Return)
    assert stage.start.choice is None
    assert dialog.isVisible()


def test_a_run_without_weights_and_one_that_does_not_fit_say_so(stage: Stage, run: Path) -> None:
    dialog = stage.ask(runs_folder() / "empty")
    stage.qtbot.waitUntil(lambda: "ended before its first checkpoint" in _text(dialog, "startSummary"))
    assert not dialog.use_button.isEnabled()
    stage.project.edit(
        "change",
        dataclasses.replace(
            tiny(), nodes=(Node("flatten_1", tiny().nodes[4].layer), Node("dense_9", Dense(units=3)))
        ),
    )
    _select_run(stage, dialog, run)
    assert "No layer of Tiny fits the weights" in _text(dialog, "startSummary")


def test_locked_layers_that_would_stay_random_are_unlocked_with_one_click(stage: Stage, run: Path) -> None:
    gray = edits.set_input(tiny(), Shape.of(1, *tiny().input.dims[1:]))
    stage.project.edit("gray", edits.set_trainable(gray, ["conv2d_1", "conv2d_2"], False))
    dialog = stage.ask(run)
    stage.qtbot.waitUntil(lambda: bool(_text(dialog, "startWarning")))
    assert _text(dialog, "startWarning").startswith("1 locked layer starts from random weights")
    unlock = dialog.findChild(QPushButton, "startUnlock")
    assert unlock is not None
    unlock.click()
    assert stage.project.network.locked_ids == {"conv2d_2"}
    assert stage.project.undo_stack.undoText() == "unlock layer"
    assert not _text(dialog, "startWarning")


def test_runs_are_searched(stage: Stage, run: Path) -> None:
    dialog = stage.ask()
    stage.qtbot.waitUntil(lambda: len(_rows(dialog, "startSources")) == 3)
    dialog.sources.search.setText("efficient")
    assert [each for each, _ in _rows(dialog, "startSources")] == ["EfficientNet-Lite0"]
    dialog.sources.search.setText("tiny")
    assert [each for each, _ in _rows(dialog, "startSources")] == ["Tiny", "Tiny"]
    dialog.sources.search.setText("nothing like it")
    assert _rows(dialog, "startSources") == []
    assert dialog.sources.current is None
    assert not dialog.use_button.isEnabled()


def test_the_chip_names_the_pretrained_weights_of_the_design_and_removes_them_undoably(
    stage: Stage,
) -> None:
    pretrained = edits.set_weights(tiny(), "efficientnet-lite0")
    stage.project.edit("pretrained", pretrained)
    assert stage.tool_bar.start_chip.isVisible()
    assert stage.start.title == "EfficientNet-Lite0, pretrained"
    stage.start.remove()
    assert stage.project.network.weights is None
    assert stage.tool_bar.start_chip.isHidden()
    stage.project.undo_stack.undo()
    assert stage.tool_bar.start_chip.isVisible()


def test_a_choice_comes_before_the_pretrained_weights_of_the_design(stage: Stage) -> None:
    stage.project.edit("pretrained", edits.set_weights(tiny(), "efficientnet-lite0"))
    stage.start.restore('{"source": "/runs/head", "title": "Head, best epoch"}')
    assert stage.start.title == "Head, best epoch"
    assert stage.train()[3:] == ("/runs/head",)
    stage.session.show_state(State.IDLE)
    stage.start.remove()
    assert stage.start.title == "EfficientNet-Lite0, pretrained"
    assert stage.train()[3:] == ()


def test_the_menu_of_the_chip_changes_and_removes(stage: Stage) -> None:
    stage.start.restore('{"source": "/runs/a", "title": "A & B"}')
    menu = stage.tool_bar.start_chip.menu()
    menu.aboutToShow.emit()
    texts = [action.text() for action in menu.actions() if not action.isSeparator()]
    assert texts == ["Starts from A && B", "Change…", "Do not start from it"]
    menu.actions()[-1].trigger()
    assert stage.start.choice is None


def test_a_failed_start_keeps_the_choice(stage: Stage) -> None:
    stage.start.restore('{"source": "/gone", "title": "Gone"}')
    stage.train()
    stage.session.failed.emit("There is no run.")
    stage.session.show_state(State.IDLE)
    assert stage.start.title == "Gone"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"source": 1, "title": "x"}', "[" * 3000, '{"source": ""}']
)
def test_settings_that_cannot_be_read_are_no_choice(stage: Stage, text: str) -> None:
    stage.start.restore(text)
    assert stage.start.choice is None
    assert stage.start.to_text() == ""


def test_the_choice_survives_the_window(stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.start.restore('{"source": "/runs/head", "title": "Head, best epoch"}')
    other = Stage(qtbot, monkeypatch)
    other.start.restore(stage.start.to_text())
    assert other.start.choice == stage.start.choice


@pytest.mark.parametrize("state", [State.LOADING, State.RUNNING])
def test_nothing_is_chosen_while_a_run_trains(stage: Stage, state: State) -> None:
    stage.session.show_state(state)
    stage.start.ask()
    assert "already training" in stage.messages[-1].text
    assert stage.window.findChild(StartDialog) is None


def test_nothing_is_read_for_a_design_with_a_problem(stage: Stage) -> None:
    network: Network = edits.remove(tiny(), ["flatten_1"])
    stage.project.edit("remove", network)
    stage.start.ask()
    assert stage.messages[-1].text.startswith("This network cannot be trained yet.")
    assert stage.window.findChild(StartDialog) is None


def test_a_network_in_which_everything_is_locked_is_said_before_train_with_its_fix(stage: Stage) -> None:
    layers = [node.id for node in tiny().nodes]
    stage.project.edit("lock", edits.set_trainable(tiny(), layers, False))
    stage.tool_bar.train_action.trigger()
    assert not stage.session.calls
    message = stage.messages[-1]
    assert "No layer can learn, because all of them are locked" in message.text
    assert message.button == "Unlock it"
    assert message.action is not None
    assert message.holds is not None
    message.action()
    assert not message.holds()
    assert "dense_1" not in stage.project.network.locked_ids
    assert stage.project.undo_stack.undoText() == "unlock it"
    message.action()
    assert stage.project.undo_stack.count() == 2, "a second click changes nothing"
    assert stage.train()


def test_locked_layers_that_start_at_random_are_said_with_a_button_that_unlocks_them(stage: Stage) -> None:
    network = edits.set_trainable(tiny(), ["conv2d_1", "conv2d_2"], False)
    stage.project.edit("lock", network)
    stage.session.network = network
    loaded = WeightsLoaded("file", ("conv2d_2", "dense_1"), ("conv2d_1",), ("Start weights",))
    warning = describe_random_locks(analyze(network), ("conv2d_1",))
    stage.session.events.emit((*run_events(epochs=2), loaded, Warned(warning), Warned("Something else.")))
    first, second = stage.messages[-2:]
    assert (first.text, first.button, second.button) == (warning, "Unlock it", "")
    assert first.action is not None
    first.action()
    assert stage.project.network.locked_ids == {"conv2d_2"}
    assert first.holds is not None
    assert not first.holds()


def test_what_a_training_starts_from_is_said_briefly_and_without_the_folder_of_the_run(
    stage: Stage, tmp_path: Path
) -> None:
    lines = (
        f"Start weights from {tmp_path / 'first-run'}: 2 layers of 3 (Conv2D, Conv2D)",
        "Starts afresh: Dense (layer 4): it has other units",
    )
    loaded = WeightsLoaded(
        str(tmp_path / "first-run"), ("conv2d_1", "conv2d_2"), ("dense_1",), lines, "under Apache-2.0"
    )
    stage.session.events.emit((*run_events(epochs=2), loaded))
    expected = "2 of 3 layers start from first-run. Starts afresh: Dense (layer 4): it has other units."
    assert stage.messages[-1].text == expected


def test_soon_after_the_start_the_dialog_says_what_it_waits_for_and_fills_by_itself(
    stage: Stage, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[_Later] = []

    def later(*arguments: Any) -> _Later:
        tasks.append(_Later(arguments))
        return tasks[-1]

    monkeypatch.setattr(stage.session, "run_task", later)
    stage.session.is_loaded = False
    dialog = stage.ask(run)
    assert _text(dialog, "startSummary") == "Loading PyTorch…"
    stage.session.is_loaded = True
    stage.session.devices_changed.emit()
    assert _text(dialog, "startSummary") == "Reading…"
    for task in tasks:
        task.end()
    assert dialog.use_button.isEnabled()
    stage.session.devices_changed.emit()
    assert _text(dialog, "startSummary") not in ("", "Reading…")


def test_a_dropped_file_is_selected(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(build_model(tiny()).state_dict(), path)
    dialog = stage.ask(path)
    assert dialog.sources.current is not None
    assert dialog.sources.current.title == "weights.safetensors"
    assert _text(dialog, "startSummary") == "4 of 4 layers take these weights."


def test_a_dialog_that_is_closed_reads_nothing_any_more(
    stage: Stage, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = stage.ask(run)
    stage.qtbot.waitUntil(dialog.use_button.isEnabled)
    dialog.reject()
    monkeypatch.setattr(dialog.job, "start", None)
    stage.project.edit("rename", edits.rename(tiny(), "Other"))
    assert not dialog.isVisible()


@pytest.mark.parametrize(
    ("width", "text"), [(1024, ""), (1280, "A titl…"), (1920, "A title of several words")]
)
def test_the_chip_has_the_width_that_the_window_has_for_it(stage: Stage, width: int, text: str) -> None:
    stage.start.restore('{"source": "/runs/a", "title": "A title of several words"}')
    stage.window.resize(width, 300)
    stage.qtbot.waitUntil(lambda: stage.tool_bar.width() == width)
    chip = stage.tool_bar.start_chip
    assert chip.text()[:5] == text[:5]
    assert bool(chip.text()) is bool(text)
    assert chip.text().endswith("…") is text.endswith("…")
    assert chip.accessibleName() == "Start weights: A title of several words"


def test_the_chip_names_pretrained_weights_in_one_whole_word(stage: Stage) -> None:
    stage.project.open_network(edits.set_weights(tiny(), "efficientnet-lite0"), None)
    stage.window.resize(1280, 300)
    chip = stage.tool_bar.start_chip
    stage.qtbot.waitUntil(lambda: chip.text() == "Pretrained")
    assert chip.accessibleName() == "Start weights: EfficientNet-Lite0, pretrained"


def test_beside_the_chip_the_sentence_on_the_progress_stands_where_it_has_room(stage: Stage) -> None:
    stage.window.resize(1280, 300)
    stage.qtbot.waitUntil(stage.tool_bar.status_label.isVisible)
    stage.start.restore('{"source": "/runs/a", "title": "A title of several words"}')
    assert not stage.tool_bar.shows_sentence
    assert not stage.tool_bar.status_label.isVisible()
    stage.window.resize(1440, 300)
    stage.qtbot.waitUntil(stage.tool_bar.status_label.isVisible)
    stage.window.resize(1280, 300)
    stage.qtbot.waitUntil(lambda: not stage.tool_bar.status_label.isVisible())
    stage.start.remove()
    assert stage.tool_bar.status_label.isVisible()
