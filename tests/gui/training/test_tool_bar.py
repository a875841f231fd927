"""The training toolbar: data set, recipe, Train, Pause, Stop and progress."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QMainWindow,
    QProgressBar,
    QPushButton,
    QStyleOptionViewItem,
    QStylePainter,
)
from pytestqt.qtbot import QtBot

from cnnstudio.core.progress import Progress as DataProgress
from cnnstudio.data.sources import add_folder
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.design import edits
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.controls import DETAILS_ROLE
from cnnstudio.gui.training.tool_bar import TrainingToolBar
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.training.events import SnapshotTaken, Warned
from cnnstudio.training.recipe.built_in import LESSON, STUDIO
from cnnstudio.training.recipe.files import save_recipe
from tests.gui.canned import finished, progress, run_events
from tests.gui.fakes import TINY, FakeSession, image_folder

VALID = dataclasses.replace(TINY, nodes=(*TINY.nodes[:2], Node("dense_1", Dense(units=10))))


class Stage:
    """The toolbar in a window."""

    def __init__(self, qtbot: QtBot) -> None:
        self.project = Project(VALID)
        self.project.set_dataset("shapes", None)
        self.session = FakeSession()
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.tool_bar = TrainingToolBar(self.project, self.session)
        self.window.addToolBar(self.tool_bar)
        self.window.resize(1400, 200)
        self.window.show()
        self.messages: list[str] = []
        self.requested_dialogs: list[str] = []
        self.tool_bar.message.connect(lambda message: self.messages.append(message.text))
        self.tool_bar.data_dialog_requested.connect(self.requested_dialogs.append)

    def combo(self, name: str) -> QComboBox:
        found = self.window.findChild(QComboBox, name)
        assert found is not None
        return found

    def button(self, text: str) -> QPushButton:
        """By the name that screen readers say: some buttons show only an icon."""
        return next(
            found for found in self.window.findChildren(QPushButton) if found.accessibleName() == text
        )

    def button_of(self, action: QAction) -> QPushButton:
        return next(found for found in self.window.findChildren(QPushButton) if action in found.actions())

    def action(self, name: str) -> QAction:
        found = self.window.findChild(QAction, name)
        assert found is not None
        return found

    @property
    def status(self) -> str:
        return self.tool_bar.status_label.full_text

    def run(self) -> None:
        self.session.show_state(State.LOADING)
        self.session.events.emit((*run_events(epochs=4), progress(41, 5)))
        self.session.show_state(State.RUNNING)


def test_feature_maps_do_not_repaint_the_status(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """They arrive several times a second and do not change it."""
    stage.run()
    updates: list[str] = []
    stage.tool_bar.status.changed.connect(lambda: updates.append(stage.status))
    monkeypatch.setattr(stage.tool_bar.status, "_is_update_due", lambda: False)

    stage.session.events.emit((SnapshotTaken(41, 4.1, "feature_maps"),))
    assert not updates

    stage.session.events.emit((Warned("something"),))
    assert updates


@pytest.fixture
def stage(qtbot: QtBot) -> Stage:
    return Stage(qtbot)


def test_train_starts_the_session_with_network_data_and_recipe(stage: Stage, qtbot: QtBot) -> None:
    qtbot.mouseClick(stage.button("Train"), Qt.MouseButton.LeftButton)

    assert stage.session.calls == [(VALID, "shapes", STUDIO)]
    assert stage.session.calls[0][0] is stage.project.network  # type: ignore[index]  # a tuple


@pytest.mark.parametrize("key", ["F5", "Ctrl+R"])
def test_train_has_shortcuts(stage: Stage, qtbot: QtBot, key: str) -> None:
    assert key in [sequence.toString() for sequence in stage.action("actionTrain").shortcuts()]

    stage.window.activateWindow()
    qtbot.waitActive(stage.window)
    modifier = Qt.KeyboardModifier.ControlModifier if "Ctrl" in key else Qt.KeyboardModifier.NoModifier
    qtbot.keyClick(stage.window, Qt.Key.Key_R if "Ctrl" in key else Qt.Key.Key_F5, modifier)

    assert len(stage.session.calls) == 1


def test_train_with_a_problem_explains_it_and_selects_the_layer(stage: Stage, qtbot: QtBot) -> None:
    nodes = (Node("conv2d_1", Conv2D()), Node("dense_1", Dense()), Node("dense_2", Dense(units=10)))
    faulty = Network(input=TINY.input, nodes=nodes)
    stage.project.edit("break it", faulty, select=["dense_2"])
    assert stage.action("actionTrain").isEnabled()

    qtbot.mouseClick(stage.button("Train"), Qt.MouseButton.LeftButton)

    assert stage.session.calls == []
    assert stage.project.selection == ("dense_1",)
    (message,) = stage.messages
    assert message.startswith("This network cannot be trained yet. Dense takes a flat vector, but gets 32 ×")
    assert message.endswith("insert Flatten before it.")


def test_train_with_an_empty_design_explains_why_not(stage: Stage) -> None:
    stage.project.edit("empty it", Network(input=TINY.input))

    stage.action("actionTrain").trigger()

    assert "has no layers yet" in stage.messages[0]


def test_the_enabled_actions_follow_the_state(stage: Stage) -> None:
    def enabled() -> list[bool]:
        return [stage.action(name).isEnabled() for name in ("actionTrain", "actionPause", "actionStop")]

    seen = {}
    for state in State:
        stage.session.show_state(state)
        seen[state] = enabled()
    stage.session.show_state(State.IDLE)

    assert seen == {
        State.IDLE: [True, False, False],
        State.LOADING: [False, False, True],
        State.RUNNING: [False, True, True],
        State.PAUSED: [False, True, True],
        State.STOPPING: [False, False, False],
    }


def test_pause_becomes_resume(stage: Stage, qtbot: QtBot) -> None:
    stage.run()
    qtbot.mouseClick(stage.button("Pause"), Qt.MouseButton.LeftButton)

    stage.session.show_state(State.PAUSED)
    qtbot.mouseClick(stage.button("Resume"), Qt.MouseButton.LeftButton)
    stage.session.show_state(State.RUNNING)
    qtbot.mouseClick(stage.button("Stop"), Qt.MouseButton.LeftButton)

    assert stage.session.calls == ["pause", "resume", "stop"]


def test_a_name_that_does_not_fit_beside_its_title_stands_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    combo, texts = stage.tool_bar.recipe, list[str]()
    stage.window.resize(1300, 200)
    monkeypatch.setattr(
        QStylePainter, "drawControl", lambda painter, element, option: texts.append(option.currentText)
    )
    combo.grab()
    assert texts[-1] == "Recipe: studio"
    stage.project.set_recipe(stage.project.recipe.replace(name="slow studio"))
    combo.grab()
    assert texts[-1] == "slow studio"
    assert combo.toolTip().startswith("slow studio\n8 epochs")


def test_entries_say_in_a_second_line_what_they_are(stage: Stage) -> None:
    data, recipe = stage.tool_bar.data, stage.tool_bar.recipe
    assert "ten shapes" in data.itemData(data.findData("shapes"), DETAILS_ROLE)
    assert recipe.itemData(recipe.findData("lesson"), DETAILS_ROLE).startswith("Exactly the lesson")
    view = recipe.view()
    two, one = view.sizeHintForRow(0), view.sizeHintForRow(recipe.findText("Edit recipe…"))
    assert two > one


def test_what_each_recipe_is_for_is_whole_in_the_list(stage: Stage) -> None:
    recipe = stage.tool_bar.recipe
    recipe.showPopup()
    view = recipe.view()
    widths = [
        view.itemDelegate().sizeHint(QStyleOptionViewItem(), recipe.model().index(row, 0)).width()
        for row in range(recipe.count())
    ]
    assert max(widths) <= view.viewport().width()
    recipe.hidePopup()


def test_progress_is_shown_as_text_and_bar(stage: Stage) -> None:
    bar = stage.window.findChild(QProgressBar, "trainingProgress")
    assert stage.status == "Ready to train · 8 epochs"

    stage.run()

    expected = "Epoch 5 of 8 · 1 m 12 s left · 2,410 images/s · validation accuracy 75.7%"
    assert stage.status == expected
    assert bar.text() == expected
    assert bar.value() / bar.maximum() == pytest.approx(45 / 80, abs=0.001)


def test_loading_shows_what_is_being_loaded(stage: Stage) -> None:
    bar = stage.window.findChild(QProgressBar, "trainingProgress")
    stage.session.show_state(State.LOADING)

    stage.session.loading.emit(DataProgress(41, 170, "Reading CIFAR-10: 41 of 170 MB"))

    assert stage.status == "Reading CIFAR-10: 41 of 170 MB"
    assert bar.value() / bar.maximum() == pytest.approx(41 / 170, abs=0.001)


def test_little_room_says_what_is_computed_before_the_first_step_rather_than_the_epoch(stage: Stage) -> None:
    status = stage.tool_bar.status
    stage.session.show_state(State.LOADING)
    stage.session.loading.emit(DataProgress(0, None, "Preparing"))
    assert status.short_text == "Preparing"
    stage.session.show_state(State.RUNNING)
    stage.session.events.emit(run_events(epochs=4)[:1])
    assert status.short_text.startswith("Epoch 1 of ")

    stage.session.loading.emit(
        DataProgress(96, 320, "Computing the locked layers: 96 of 320 training images")
    )

    assert status.short_text == "Computing the locked layers · 30%"


def test_an_archive_of_more_than_two_gigabytes_fills_the_bar_like_any_other(stage: Stage) -> None:
    bar = stage.window.findChild(QProgressBar, "trainingProgress")
    stage.session.show_state(State.LOADING)

    stage.session.loading.emit(DataProgress(3_000_000_000, 4_000_000_000, "Reading STL-10"))

    assert bar.value() / bar.maximum() == 0.75


def test_the_result_stays_visible_after_the_run(stage: Stage) -> None:
    stage.run()
    stage.session.events.emit((finished(),))
    stage.session.show_state(State.IDLE)

    stage.project.set_recipe(LESSON)

    assert stage.status.startswith("Done: test accuracy 71.2% · 8 epochs in 2 m 40 s")


def test_what_became_of_a_run_is_said_until_that_run_is_deleted(stage: Stage) -> None:
    stage.session.events.emit((finished(run="/runs/mine"),))
    assert stage.tool_bar.status.text.startswith("Completed 8 epochs")
    stage.tool_bar.status.forget((Path("/runs/another"),))
    assert stage.tool_bar.status.text.startswith("Completed 8 epochs")
    stage.tool_bar.status.forget((Path("/runs/mine"),))
    assert stage.tool_bar.status.text.startswith("Ready to train")
    assert stage.tool_bar.bar.value() == 0


def test_a_failure_is_shown_in_red_until_the_next_training(stage: Stage) -> None:
    stage.session.show_state(State.LOADING)
    stage.session.failed.emit("CIFAR-10 is not on this computer yet.")
    stage.session.show_state(State.IDLE)
    assert stage.status == "CIFAR-10 is not on this computer yet."
    assert stage.tool_bar.status_label.property("role") == "wrong"

    stage.action("actionTrain").trigger()
    stage.session.show_state(State.LOADING)

    assert stage.status == "Preparing"
    assert stage.tool_bar.status_label.property("role") == "secondary"


def test_warnings_of_the_run_are_messages(stage: Stage) -> None:
    stage.session.events.emit((Warned("The batch size is more than the images."),))

    assert stage.messages == ["The batch size is more than the images."]


def controls(stage: Stage) -> dict[str, tuple[int, int]]:
    """Left edge and width of each control."""
    tool_bar = stage.tool_bar
    parts = {
        "data": tool_bar.data,
        "recipe": tool_bar.recipe,
        **{action.objectName(): stage.button_of(action) for action in tool_bar.training_actions.all},
        "progress": tool_bar.bar,
    }
    return {
        name: (part.mapTo(tool_bar, part.rect().topLeft()).x(), part.width()) for name, part in parts.items()
    }


def test_no_control_moves_or_changes_its_width_while_it_trains(stage: Stage) -> None:
    before = controls(stage)

    stage.run()
    assert controls(stage) == before
    stage.session.show_state(State.PAUSED)
    assert controls(stage) == before
    stage.project.set_dataset("a-data-set-with-a-very-long-name" * 4, None)
    stage.project.set_recipe(LESSON.replace(name="a recipe with a very long name, longer than the bar"))
    assert controls(stage) == before

    assert (before["data"][1], before["recipe"][1]) == (144, 136)
    assert [before[name][1] for name in ("actionTrain", "actionPause", "actionStop")] == [88, 36, 36]


def test_a_narrow_window_has_shorter_controls_and_its_sentence_elsewhere(stage: Stage) -> None:
    changes: list[bool] = []
    stage.tool_bar.status_changed.connect(lambda: changes.append(stage.tool_bar.is_narrow))
    stage.run()

    stage.window.resize(1024, 200)

    assert changes[-1]
    assert not stage.tool_bar.status_label.isVisible()
    assert stage.tool_bar.status.text.startswith("Epoch 5 of 8")
    assert controls(stage)["data"][1] == 104


def test_train_without_a_data_set_explains_why_not(stage: Stage) -> None:
    stage.project.set_dataset("", None)
    stage.project.edit("two", TINY)

    stage.action("actionTrain").trigger()

    assert stage.messages == ["There are no images to train on. Choose a data set first."]


# Data and recipe


def test_with_another_design_the_status_is_about_that(stage: Stage) -> None:
    stage.run()
    stage.session.show_state(State.IDLE)
    stage.project.edit("add Dropout", edits.duplicate(VALID, [VALID.nodes[0].id])[0])
    assert stage.status.startswith("Epoch 5 of"), "an edit leaves what became of the run"

    stage.project.edit("rename design", dataclasses.replace(stage.project.network, name="Cats"))
    assert stage.status.startswith("Epoch 5 of"), "and so does another name"

    stage.project.open_network(dataclasses.replace(VALID, name="Birds"), None)
    assert stage.status.startswith("Ready to train")


def test_the_data_set_is_chosen_from_a_list(stage: Stage, tmp_path: Path) -> None:
    folder = add_folder(image_folder(tmp_path / "Own images"))
    stage.tool_bar.refresh_sources()
    combo = stage.combo("datasetSelector")
    assert combo.currentText() == "Shapes"

    combo.setCurrentText(folder.title)

    assert stage.project.dataset_name == folder.name
    assert not stage.project.undo_stack.canUndo(), "that is no edit of the network"
    assert combo.currentText() == folder.title


def test_the_classes_of_a_folder_are_counted_in_a_background_thread(
    stage: Stage, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = add_folder(image_folder(tmp_path / "Own images"))
    stage.tool_bar.refresh_sources()
    threads: list[int] = []
    listing = ImageFolder.listing

    def record_thread(source: ImageFolder, *arguments: Any) -> object:
        threads.append(threading.get_ident())
        return listing(source, *arguments)

    monkeypatch.setattr(ImageFolder, "listing", record_thread)

    stage.combo("datasetSelector").setCurrentText(folder.title)

    qtbot.waitUntil(lambda: stage.project.classes == 2)
    assert threads
    assert threading.get_ident() not in threads


def test_the_classes_of_a_folder_are_not_assigned_to_a_data_set_chosen_meanwhile(
    stage: Stage, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = add_folder(image_folder(tmp_path / "Own images"))
    stage.tool_bar.refresh_sources()
    resume, finished_counting = threading.Event(), threading.Event()
    info = ImageFolder.info

    def slow(source: ImageFolder) -> dict[str, Any]:
        resume.wait(60)
        finished_counting.set()
        return info(source)

    monkeypatch.setattr(ImageFolder, "info", slow)
    stage.combo("datasetSelector").setCurrentText(folder.title)
    stage.combo("datasetSelector").setCurrentText("Shapes")
    resume.set()

    qtbot.waitUntil(finished_counting.is_set)
    qtbot.wait(50)
    assert (stage.project.dataset_name, stage.project.classes) == ("shapes", 10)


def test_the_number_of_classes_is_known_before_the_images_are_loaded(stage: Stage) -> None:
    assert stage.project.classes == 10
    assert stage.project.dataset_title == "Shapes"


def test_the_size_of_the_images_is_known_before_they_are_loaded(
    stage: Stage, tmp_path: Path, qtbot: QtBot
) -> None:
    assert stage.project.image_shape == Shape.of(3, 32, 32)
    stage.project.set_dataset(str(image_folder(tmp_path / "Own images", side=11)), None)
    assert stage.project.image_shape is None
    qtbot.waitUntil(lambda: stage.project.image_shape == Shape.of(3, 11, 11))
    assert stage.project.classes == 2
    # Also of a set that is larger since.
    stage.project.set_dataset(stage.project.dataset_name, 2, image_shape=Shape.of(3, 40, 40))
    assert stage.project.image_shape == Shape.of(3, 40, 40)
    stage.project.set_dataset(stage.project.dataset_name, 3)
    assert stage.project.image_shape == Shape.of(3, 40, 40)


def test_choosing_a_missing_data_set_opens_the_dialog(stage: Stage) -> None:
    combo = stage.combo("datasetSelector")
    index = combo.findData("cifar10")
    assert combo.itemText(index) == "CIFAR-10"
    assert combo.itemData(index, DETAILS_ROLE).startswith("Download… · ")

    combo.setCurrentIndex(index)

    assert stage.requested_dialogs == ["cifar10"]
    assert combo.currentText() == "Shapes"
    assert stage.project.dataset_name == "shapes"


def test_other_images_opens_the_dialog(stage: Stage) -> None:
    stage.combo("datasetSelector").setCurrentText("Other images…")

    assert stage.requested_dialogs == [""]
    assert stage.combo("datasetSelector").currentText() == "Shapes"


def test_an_unregistered_folder_is_listed(stage: Stage, tmp_path: Path, qtbot: QtBot) -> None:
    folder = image_folder(tmp_path / "Own images")

    stage.project.set_dataset(str(folder), None)

    assert stage.combo("datasetSelector").currentText() == "Own images"
    qtbot.waitUntil(lambda: stage.project.classes == 2)


def test_keys_open_the_list_instead_of_changing_the_choice(stage: Stage, qtbot: QtBot) -> None:
    combo = stage.combo("datasetSelector")

    qtbot.keyClick(combo, Qt.Key.Key_Down)

    assert combo.view().isVisible()
    assert stage.requested_dialogs == []
    combo.hidePopup()


def test_the_recipe_is_chosen_by_name(stage: Stage) -> None:
    combo = stage.combo("recipeSelector")
    assert combo.currentText() == "studio"

    combo.setCurrentText("lesson")
    assert stage.project.recipe == LESSON

    stage.project.set_recipe(LESSON.replace(epochs=3, name="custom"))
    assert combo.currentText() == "custom"


def test_edit_recipe_opens_the_form_and_keeps_the_choice(stage: Stage) -> None:
    combo = stage.combo("recipeSelector")

    combo.setCurrentText("Edit recipe…")

    assert stage.tool_bar.popup.isVisible()
    assert combo.currentText() == "studio"
    stage.tool_bar.popup.hide()


def test_user_recipes_are_listed(stage: Stage) -> None:
    save_recipe(STUDIO.replace(mixup=0.2), "mixed")
    combo = stage.combo("recipeSelector")
    combo.showPopup()
    combo.hidePopup()
    combo.setCurrentText("mixed")
    assert stage.project.recipe == STUDIO.replace(mixup=0.2, name="mixed")


@pytest.mark.parametrize(("name", "shown"), [("from elsewhere", "from elsewhere"), ("studio", "custom")])
def test_a_recipe_file_is_opened(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, shown: str
) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({**LESSON.to_json(), "epochs": 4, "name": name}))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    stage.combo("recipeSelector").setCurrentText("Open recipe file…")
    assert stage.project.recipe == LESSON.replace(epochs=4, name=shown)
    assert stage.combo("recipeSelector").currentText() == shown


def test_a_file_that_is_not_a_recipe_shows_an_error(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recipe.json"
    path.write_text("[]")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    messages: list[object] = []
    stage.project.message.connect(messages.append)
    stage.combo("recipeSelector").setCurrentText("Open recipe file…")
    assert "not a recipe" in str(messages)
    assert stage.project.recipe == STUDIO
