"""Training problems are shown in the message bar, with a button that applies the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.diagnosis_messages import DiagnosisMessages
from cnnstudio.gui.widgets.message_bar import MessageBar
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.training.diagnosis.remedies import split_batches
from cnnstudio.training.events import Diagnosed, DiagnosisKind, Event, FailureCause, Finished, Recovered
from cnnstudio.training.recipe.built_in import LESSON
from tests.gui import canned
from tests.gui.fakes import TINY, FakeSession
from tests.gui.user_input import UserInput


@dataclass
class Stage:
    """A project, a fake session and the message bar."""

    project: Project
    session: FakeSession
    message_bar: MessageBar
    user: UserInput

    def emit(self, *events: Event) -> None:
        self.session.events.emit(events)

    def fail(self, cause: FailureCause | None, reason: str) -> None:
        self.emit(Finished("failed", reason, None, 1.0, None, None, cause))
        self.session.failed.emit(reason)

    @property
    def shows_error(self) -> bool:
        return bool(self.message_bar.property("wrong"))


@pytest.fixture
def stage(qtbot: QtBot) -> Iterator[Stage]:
    window = QWidget()
    qtbot.addWidget(window)
    project, session, message_bar = Project(TINY), FakeSession(), MessageBar()
    project.set_recipe(LESSON)
    messages = DiagnosisMessages(project, session, message_bar, window)
    QVBoxLayout(window).addWidget(message_bar)
    window.show()
    yield Stage(project, session, message_bar, UserInput(window))
    window.close()
    assert messages.parent() is window


def diagnosed(kind: DiagnosisKind) -> Diagnosed:
    return Diagnosed(kind, 3.0, "This is seen.", "Try that.")


def test_the_button_applies_the_remedy_as_one_undo_step(stage: Stage) -> None:
    stage.emit(canned.started(), diagnosed("overfitting"))
    assert stage.message_bar.text == "This is seen. Try that."
    assert not stage.shows_error
    stage.user.click_button("Augment the images and train 20 epochs")
    assert stage.project.recipe == LESSON.replace(flip="random", shift=1, epochs=20, name="custom")
    assert stage.message_bar.text == ""
    stage.project.undo_stack.undo()
    assert stage.project.recipe == LESSON


def test_the_remedy_depends_on_the_current_recipe_and_network(stage: Stage) -> None:
    stage.project.set_recipe(LESSON.replace(flip="random", shift=2, average_decay=0.999))
    stage.emit(diagnosed("overfitting"))
    stage.user.click_button("Add Dropout")
    assert [type(node.layer).__name__ for node in stage.project.network.nodes][-2:] == ["Dropout", "Dense"]
    assert stage.project.undo_stack.undoText() == "add Dropout"
    stage.emit(diagnosed("overfitting"))
    assert stage.message_bar.text == "This is seen. Try that."
    button = stage.message_bar.findChild(QPushButton, "messageButton")
    assert isinstance(button, QPushButton)
    assert button.isHidden()


def test_a_failure_is_shown_with_its_remedy(stage: Stage) -> None:
    stage.emit(canned.started(), diagnosed("diverged"))
    stage.fail("not_finite", "The loss became NaN or infinite.")
    assert stage.message_bar.text == "The loss became NaN or infinite. Try that."
    assert stage.shows_error
    stage.user.click_button("Use a learning rate of 0.0001")
    assert stage.project.recipe.learning_rate == 0.0001


def test_an_unrelated_failure_does_not_get_the_remedy_of_an_earlier_one(stage: Stage) -> None:
    stage.emit(canned.started(), diagnosed("memory"))
    stage.fail("memory", "Out of memory.")
    stage.session.failed.emit("The disk is full.")
    assert stage.message_bar.text == "The disk is full."
    assert stage.shows_error
    stage.emit(canned.started(), diagnosed("overfitting"))
    stage.session.failed.emit("The data set is gone.")
    assert stage.message_bar.text == "The data set is gone."


def test_the_remedy_is_applied_to_the_current_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[dict[str, object]] = []
    monkeypatch.setattr(stage.session, "change", lambda **fields: changes.append(fields))
    stage.session.show_state(State.RUNNING)
    stage.session.recipe = LESSON.replace(learning_rate=0.5)
    stage.emit(diagnosed("rate_too_high"))
    stage.user.click_button("Use a learning rate of 0.05")
    assert changes == [{"learning_rate": 0.05}]
    assert stage.project.recipe.learning_rate == 0.05


def test_other_settings_apply_from_the_next_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.session, "change", lambda **fields: None)
    stage.session.show_state(State.RUNNING)
    stage.emit(diagnosed("plateau"))
    before = stage.project.network.nodes[0].layer
    stage.user.click_button("Double the filters")
    after = stage.project.network.nodes[0].layer
    assert isinstance(before, Conv2D)
    assert after == before.with_values({"filters": 2 * before.filters})
    assert stage.message_bar.text.startswith("Applies from the next run")


def test_a_run_that_needs_too_much_memory_can_be_fixed_with_one_click(stage: Stage) -> None:
    stage.session.failed.emit(
        "The training needs about 90.0 GB of memory, but 24.0 GB are free on this computer."
    )
    stage.session.fix_available.emit(split_batches(4))
    assert stage.message_bar.text.startswith("The training needs about 90.0 GB")
    assert stage.shows_error
    stage.user.click_button("Split each batch into 4")
    assert stage.project.recipe.accumulate == 4
    assert stage.message_bar.text == ""


def test_the_message_disappears_when_the_run_recovers(stage: Stage) -> None:
    stage.emit(canned.started(), diagnosed("rate_too_low"))
    stage.emit(Recovered("overfitting", 4.0))
    assert stage.message_bar.text == "This is seen. Try that."
    stage.emit(Recovered("rate_too_low", 4.0))
    assert stage.message_bar.text == ""


def test_classes_far_apart_in_size_offer_class_weights(stage: Stage) -> None:
    stage.session.show_state(State.RUNNING)
    stage.emit(canned.started(), diagnosed("class_sizes"))
    stage.user.click_button("Balance the class weights")
    assert stage.project.recipe == LESSON.replace(class_weights="balanced", name="custom")
    assert stage.message_bar.text.startswith("Applies from the next run")


def test_an_explanation_leaves_what_is_offered_in_the_bar(stage: Stage) -> None:
    stage.emit(canned.started(), diagnosed("class_sizes"))
    stage.emit(Diagnosed("validation_better", 2.0, "It is better.", "This is normal."))
    assert stage.message_bar.text == "This is seen. Try that.\nIt is better. This is normal."
    stage.emit(Recovered("validation_better", 4.0))
    assert stage.message_bar.text == "This is seen. Try that."
    stage.user.click_button("Balance the class weights")
    assert stage.project.recipe.class_weights == "balanced"


def test_a_problem_of_the_run_before_is_not_shown_during_the_next_one(stage: Stage) -> None:
    stage.emit(canned.started(), diagnosed("plateau"))
    stage.session.show_state(State.LOADING)
    assert stage.message_bar.text == ""


def test_another_message_stays_when_the_run_recovers(stage: Stage) -> None:
    stage.emit(canned.started(), diagnosed("rate_too_low"))
    stage.message_bar.show_text("The disk is full.")
    stage.emit(Recovered("rate_too_low", 4.0))
    assert stage.message_bar.text == "The disk is full."


def test_that_validation_may_be_better_is_explained_once(stage: Stage) -> None:
    stage.emit(diagnosed("validation_better"))
    assert stage.message_bar.text == "This is seen. Try that."
    stage.message_bar.dismiss()
    stage.emit(diagnosed("validation_better"))
    assert stage.message_bar.text == ""
    stage.emit(diagnosed("overfitting"))
    assert stage.message_bar.text == "This is seen. Try that."
