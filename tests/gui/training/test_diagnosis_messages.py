"""What goes wrong in a training is a notice, and one click applies what there is to try."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.diagnosis_messages import Adviser
from cnnstudio.gui.widgets.message_bar import NoticeBar
from cnnstudio.training.diagnosis.remedies import in_parts
from cnnstudio.training.events import Cause, Diagnosed, Event, Finished, Kind, Recovered
from cnnstudio.training.recipe.recipe import LESSON
from tests.gui import canned
from tests.gui.fakes import TINY, SilentSession
from tests.gui.user_input import Hand


@dataclass
class Desk:
    """An adviser with all that it needs."""

    project: Project
    session: SilentSession
    notice: NoticeBar
    hand: Hand

    def hear(self, *events: Event) -> None:
        self.session.events.emit(events)

    def fail(self, cause: Cause | None, reason: str) -> None:
        self.hear(Finished("failed", reason, None, 1.0, None, None, cause))
        self.session.failed.emit(reason)

    @property
    def is_wrong(self) -> bool:
        return bool(self.notice.property("wrong"))


@pytest.fixture
def desk(qtbot: QtBot) -> Iterator[Desk]:
    window = QWidget()
    qtbot.addWidget(window)
    project, session, notice = Project(TINY), SilentSession(), NoticeBar()
    project.set_recipe(LESSON)
    adviser = Adviser(project, session, notice, window)
    QVBoxLayout(window).addWidget(notice)
    window.show()
    yield Desk(project, session, notice, Hand(window))
    window.close()
    assert adviser.parent() is window


def diagnosed(kind: Kind) -> Diagnosed:
    return Diagnosed(kind, 3.0, "This is seen.", "Try that.")


def test_one_click_applies_the_remedy_as_one_undo_step(desk: Desk) -> None:
    desk.hear(canned.started(), diagnosed("overfitting"))
    assert desk.notice.text == "This is seen. Try that."
    assert not desk.is_wrong
    desk.hand.click_button("Vary the images")
    assert desk.project.recipe == LESSON.replace(flip="random", shift=2, name="custom")
    assert desk.notice.text == ""
    desk.project.undo_stack.undo()
    assert desk.project.recipe == LESSON


def test_the_remedy_belongs_to_recipe_and_network_as_they_are_now(desk: Desk) -> None:
    desk.project.set_recipe(LESSON.replace(flip="random", shift=2, weight_decay=0.001))
    desk.hear(diagnosed("overfitting"))
    desk.hand.click_button("Add Dropout")
    assert [type(node.layer).__name__ for node in desk.project.network.nodes][-2:] == ["Dropout", "Dense"]
    assert desk.project.undo_stack.undoText() == "add Dropout"
    desk.hear(diagnosed("overfitting"))
    assert desk.notice.text == "This is seen. Try that."
    button = desk.notice.findChild(QPushButton, "noticeButton")
    assert isinstance(button, QPushButton)
    assert button.isHidden()


def test_why_a_run_failed_stands_beside_what_helps(desk: Desk) -> None:
    desk.hear(canned.started(), diagnosed("diverged"))
    desk.fail("not_finite", "The loss is no number any more.")
    assert desk.notice.text == "The loss is no number any more. Try that."
    assert desk.is_wrong
    desk.hand.click_button("Use a learning rate of 0.0001")
    assert desk.project.recipe.learning_rate == 0.0001


def test_another_failure_gets_no_advice_of_an_earlier_one(desk: Desk) -> None:
    desk.hear(canned.started(), diagnosed("memory"))
    desk.fail("memory", "The memory ran out.")
    desk.session.failed.emit("The disk is full.")
    assert desk.notice.text == "The disk is full."
    assert desk.is_wrong
    desk.hear(canned.started(), diagnosed("overfitting"))
    desk.session.failed.emit("The data set is gone.")
    assert desk.notice.text == "The data set is gone."


def test_a_run_under_way_gets_the_remedy_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[dict[str, object]] = []
    monkeypatch.setattr(desk.session, "change", lambda **fields: changes.append(fields))
    desk.session.show_state(State.RUNNING)
    desk.session.recipe = LESSON.replace(learning_rate=0.5)
    desk.hear(diagnosed("rate_too_high"))
    desk.hand.click_button("Use a learning rate of 0.05")
    assert changes == [{"learning_rate": 0.05}]
    assert desk.project.recipe.learning_rate == 0.05


def test_what_a_run_cannot_change_is_for_the_next_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.session, "change", lambda **fields: None)
    desk.session.show_state(State.RUNNING)
    desk.hear(diagnosed("plateau"))
    desk.hand.click_button("Let the learning rate fall")
    assert desk.project.recipe.schedule == "cosine"
    assert desk.notice.text.startswith("The next training is done so")


def test_a_refusal_for_too_little_memory_can_be_fixed_by_one_click(desk: Desk) -> None:
    desk.session.failed.emit("The training needs about 90.0 GB of memory, but 24.0 GB are free on cpu.")
    desk.session.fixable.emit(in_parts(4))
    assert desk.notice.text.startswith("The training needs about 90.0 GB")
    assert desk.is_wrong
    desk.hand.click_button("Compute each batch in 4 parts")
    assert desk.project.recipe.accumulate == 4
    assert desk.notice.text == ""


def test_a_notice_goes_when_its_reason_has_gone(desk: Desk) -> None:
    desk.hear(canned.started(), diagnosed("rate_too_low"))
    desk.hear(Recovered("overfitting", 4.0))
    assert desk.notice.text == "This is seen. Try that."
    desk.hear(Recovered("rate_too_low", 4.0))
    assert desk.notice.text == ""


def test_another_notice_is_not_taken_for_the_one_whose_reason_has_gone(desk: Desk) -> None:
    desk.hear(canned.started(), diagnosed("rate_too_low"))
    desk.notice.show_sentence("The disk is full.")
    desk.hear(Recovered("rate_too_low", 4.0))
    assert desk.notice.text == "The disk is full."
