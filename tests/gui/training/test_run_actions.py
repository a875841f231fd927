"""What can be done with a run while it trains, and what the window offers after an edit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QInputDialog, QMainWindow, QToolButton
from pytestqt.qtbot import QtBot

from cnnstudio.design.network import Network, Node
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.tool_bar import TrainingPanel
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.regularization.dropout import Dropout
from cnnstudio.training.events import Adjusted, CarriedOver
from cnnstudio.training.recipe.recipe import LESSON
from tests.gui.canned import progress, run_events
from tests.gui.fakes import TINY, SilentSession

SOUND = dataclasses.replace(TINY, nodes=(*TINY.nodes[:2], Node("dense_1", Dense(units=10))))


class Stage:
    """The panel beside a session that only notes what it is asked."""

    def __init__(self, qtbot: QtBot) -> None:
        self.project = Project(SOUND)
        self.project.set_dataset("shapes", None)
        self.session = SilentSession()
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.panel = TrainingPanel(self.project, self.session)
        self.window.addToolBar(self.panel)
        self.window.show()
        self.offers: list[Message] = []
        self.messages: list[str] = []
        self.panel.run_actions.offered.connect(self.offers.append)
        self.panel.message.connect(self.messages.append)
        self.panel.remark.connect(self.messages.append)

    def action(self, name: str) -> QAction:
        found = self.window.findChild(QAction, name)
        assert found is not None
        return found

    def run(self, state: State = State.RUNNING) -> None:
        self.session.network, self.session.recipe = self.project.network, self.project.recipe
        self.session.run = Path("somewhere")
        self.session.show_state(State.LOADING)
        self.session.events.emit(tuple(run_events(epochs=2)))
        self.session.show_state(state)

    def edit(self, network: Network) -> None:
        self.project.edit("Change", network)


@pytest.fixture
def stage(qtbot: QtBot) -> Stage:
    return Stage(qtbot)


NAMES = ("actionStep", "actionStopAfterEpoch", "actionMoreEpochs")


def test_they_are_there_while_a_run_is_under_way(stage: Stage) -> None:
    assert not any(stage.action(name).isEnabled() for name in NAMES)
    stage.run()
    assert all(stage.action(name).isEnabled() for name in NAMES)
    assert not stage.action("actionApplyRecipe").isEnabled()
    assert not stage.action("actionContinueDesign").isEnabled()
    stage.session.show_state(State.IDLE)
    assert not any(stage.action(name).isEnabled() for name in NAMES)


def test_the_three_dots_hold_them_all(stage: Stage) -> None:
    button = stage.window.findChild(QToolButton, "moreButton")
    assert button is not None
    assert button.accessibleName() == "More to do with this run"
    assert [action.objectName() for action in button.menu().actions()] == [
        *NAMES,
        "actionApplyRecipe",
        "actionContinueDesign",
    ]


def test_a_step_and_a_late_stop_go_to_the_session(stage: Stage) -> None:
    stage.run(State.PAUSED)
    stage.action("actionStep").trigger()
    stage.action("actionStopAfterEpoch").trigger()
    assert stage.session.asked == ["step", "stop after epoch"]
    assert stage.messages == ["The training stops after this epoch."]


def test_more_epochs_are_asked_for_and_added(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.run()
    monkeypatch.setattr(QInputDialog, "getInt", lambda *arguments: (3, True))
    stage.action("actionMoreEpochs").trigger()
    epochs = stage.project.recipe.epochs
    assert stage.session.asked == [{"epochs": epochs + 3}]
    assert stage.messages == ["The run is 3 epochs longer."]
    monkeypatch.setattr(QInputDialog, "getInt", lambda *arguments: (3, False))
    stage.action("actionMoreEpochs").trigger()
    assert len(stage.session.asked) == 1


def test_another_recipe_is_offered_to_the_run_and_applied_with_one_press(stage: Stage) -> None:
    stage.project.set_recipe(LESSON)
    stage.run()
    stage.project.set_recipe(LESSON.replace(learning_rate=0.01, flip="random", batch_size=64))
    (offer,) = stage.offers
    assert offer.button == "Apply to this run"
    assert "learning rate 0.01 instead of 0.001" in offer.sentence
    assert "flip random instead of off" in offer.sentence
    assert "batch" not in offer.sentence
    offer.action()
    assert stage.session.asked == [{"learning_rate": 0.01, "flip": "random"}]
    assert not stage.action("actionApplyRecipe").isEnabled()


def test_what_cannot_change_is_not_offered(stage: Stage) -> None:
    stage.project.set_recipe(LESSON)
    stage.run()
    stage.project.set_recipe(LESSON.replace(batch_size=64))
    assert not stage.offers
    assert not stage.action("actionApplyRecipe").isEnabled()


def test_without_a_run_a_recipe_is_just_a_recipe(stage: Stage) -> None:
    stage.project.set_recipe(LESSON.replace(learning_rate=0.01))
    assert not stage.offers


def test_a_changed_design_is_offered_to_a_paused_run_and_told_before_it_goes_on(stage: Stage) -> None:
    stage.run(State.PAUSED)
    first, *rest = SOUND.nodes
    stage.edit(dataclasses.replace(SOUND, nodes=(first, Node("dropout_1", Dropout(0.2)), *rest)))
    (offer,) = stage.offers
    assert offer.button == "Continue with the changed design…"
    offer.action()
    told = stage.offers[-1]
    assert told.sentence == "Keeps what it has learned: 1 Conv2D, 4 Dense."
    assert not stage.session.asked
    told.action()
    assert stage.session.asked == [("continue", stage.project.network, "shapes", stage.session.recipe)]


def test_what_starts_afresh_is_told_with_the_reason(stage: Stage) -> None:
    stage.run(State.PAUSED)
    stage.edit(dataclasses.replace(SOUND, nodes=(Node("conv2d_1", Conv2D(filters=6)), *SOUND.nodes[1:])))
    stage.action("actionContinueDesign").trigger()
    assert "Starts afresh: 1 Conv2D, whose weight is 6 × 3 × 3 × 3, before 4 × 3 × 3 × 3" in (
        stage.offers[-1].sentence
    )


def test_a_design_with_a_problem_does_not_go_on(stage: Stage) -> None:
    stage.run(State.PAUSED)
    stage.edit(dataclasses.replace(SOUND, nodes=(SOUND.nodes[0], SOUND.nodes[2])))
    stage.action("actionContinueDesign").trigger()
    assert stage.messages[-1].startswith("This network cannot be trained yet.")
    assert len(stage.offers) == 1


def test_what_was_carried_over_is_shown_first(stage: Stage) -> None:
    stage.run()
    event = CarriedOver(20, "a run", ("conv2d_1",), (), ("Keeps what it has learned: 1 Conv2D",))
    stage.session.events.emit((event,))
    assert stage.messages == ["Keeps what it has learned: 1 Conv2D."]


def test_the_sentence_follows_a_run_that_was_made_longer(stage: Stage) -> None:
    stage.run()
    stage.session.events.emit((Adjusted(20, 2.0, "epochs", "8", "12"), progress(21, 3, epochs=12)))
    stage.session.show_state(State.PAUSED)
    assert "of 12" in stage.panel.sentence.whole
