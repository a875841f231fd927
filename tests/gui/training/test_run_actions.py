"""Actions on a run while it trains, and what is offered after an edit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from cnnstudio.design.network import Network, Node
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.tool_bar import TrainingToolBar
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.regularization.dropout import Dropout
from cnnstudio.training.events import RecipeChanged, WeightsTransferred
from cnnstudio.training.recipe.built_in import LESSON
from tests.gui.canned import progress, run_events
from tests.gui.fakes import TINY, FakeSession

VALID = dataclasses.replace(TINY, nodes=(*TINY.nodes[:2], Node("dense_1", Dense(units=10))))


class Stage:
    """The toolbar with a session that only records its calls."""

    def __init__(self, qtbot: QtBot) -> None:
        self.project = Project(VALID)
        self.project.set_dataset("shapes", None)
        self.session = FakeSession()
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.tool_bar = TrainingToolBar(self.project, self.session)
        self.window.addToolBar(self.tool_bar)
        self.window.show()
        self.offers: list[Message] = []
        self.messages: list[str] = []
        self.tool_bar.message.connect(self._on_message)

    def _on_message(self, message: Message) -> None:
        if message.button:
            self.offers.append(message)
        else:
            self.messages.append(message.text)

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


NAMES = ("actionStep", "actionStopAfterEpoch")


def test_actions_are_enabled_during_a_run(stage: Stage) -> None:
    assert not any(stage.action(name).isEnabled() for name in NAMES)
    stage.run()
    assert all(stage.action(name).isEnabled() for name in NAMES)
    assert not stage.action("actionApplyRecipe").isEnabled()
    assert not stage.action("actionContinueDesign").isEnabled()
    stage.session.show_state(State.IDLE)
    assert not any(stage.action(name).isEnabled() for name in NAMES)


def test_one_step_and_stop_after_epoch_are_passed_to_the_session(stage: Stage) -> None:
    stage.run(State.PAUSED)
    stage.action("actionStep").trigger()
    stage.action("actionStopAfterEpoch").trigger()
    assert stage.session.calls == ["step", "stop after epoch"]
    assert stage.messages == ["Training will stop after this epoch."]


def test_a_changed_recipe_is_offered_and_applied_with_one_click(stage: Stage) -> None:
    stage.project.set_recipe(LESSON)
    stage.run()
    stage.project.set_recipe(LESSON.replace(learning_rate=0.01, flip="random", batch_size=64))
    (offer,) = stage.offers
    assert offer.button == "Apply to this run"
    assert "learning rate from 0.001 to 0.01" in offer.text
    assert "flip from off to random" in offer.text
    assert "batch" not in offer.text
    offer.action()
    assert stage.session.calls == [{"learning_rate": 0.01, "flip": "random"}]
    assert not stage.action("actionApplyRecipe").isEnabled()


def test_settings_that_cannot_change_during_a_run_are_not_offered(stage: Stage) -> None:
    stage.project.set_recipe(LESSON)
    stage.run()
    stage.project.set_recipe(LESSON.replace(batch_size=64))
    assert not stage.offers
    assert not stage.action("actionApplyRecipe").isEnabled()


def test_a_changed_recipe_is_not_offered_without_a_run(stage: Stage) -> None:
    stage.project.set_recipe(LESSON.replace(learning_rate=0.01))
    assert not stage.offers


def test_a_changed_design_is_offered_to_a_paused_run_and_explained_before_it_continues(stage: Stage) -> None:
    stage.run(State.PAUSED)
    first, *rest = VALID.nodes
    stage.edit(dataclasses.replace(VALID, nodes=(first, Node("dropout_1", Dropout(0.2)), *rest)))
    (offer,) = stage.offers
    assert offer.button == "Continue with changed design…"
    offer.action()
    explanation = stage.offers[-1]
    assert explanation.text == "Weights kept: Conv2D (layer 1), Dense (layer 4)."
    assert not stage.session.calls
    explanation.action()
    assert stage.session.calls == [("continue", stage.project.network, "shapes", stage.session.recipe)]


def test_the_offer_goes_with_an_undo_and_returns_with_the_next_edit(stage: Stage) -> None:
    stage.run(State.PAUSED)
    first, *rest = VALID.nodes
    changed = dataclasses.replace(VALID, nodes=(first, Node("dropout_1", Dropout(0.2)), *rest))
    stage.edit(changed)
    (offer,) = stage.offers
    assert offer.holds is not None
    assert offer.holds()
    stage.project.undo_stack.undo()
    assert not offer.holds()
    stage.edit(changed)
    assert len(stage.offers) == 2


def test_an_offer_that_was_closed_returns_with_the_next_edit(stage: Stage) -> None:
    stage.run(State.PAUSED)
    first, *rest = VALID.nodes
    for number in (1, 2):
        # Closing the message says nothing to the run: only the next edit counts.
        stage.edit(dataclasses.replace(VALID, nodes=(first, Node("dropout_1", Dropout(0.1 * number)), *rest)))
        assert len(stage.offers) == number


def test_layers_that_lose_their_weights_are_listed_with_the_reason(stage: Stage) -> None:
    stage.run(State.PAUSED)
    stage.edit(dataclasses.replace(VALID, nodes=(Node("conv2d_1", Conv2D(filters=6)), *VALID.nodes[1:])))
    stage.action("actionContinueDesign").trigger()
    text = "Reinitialized: Conv2D (layer 1): weight is 6 × 3 × 3 × 3, was 4 × 3 × 3 × 3"
    assert text in stage.offers[-1].text


def test_a_design_with_a_problem_cannot_be_continued(stage: Stage) -> None:
    stage.run(State.PAUSED)
    stage.edit(dataclasses.replace(VALID, nodes=(VALID.nodes[0], VALID.nodes[2])))
    stage.action("actionContinueDesign").trigger()
    assert stage.offers[-1].text.startswith("This network cannot be trained yet.")
    assert (len(stage.offers), stage.offers[-1].button) == (2, "Insert Flatten")
    assert not stage.session.calls


def test_transferred_weights_are_reported(stage: Stage) -> None:
    stage.run()
    event = WeightsTransferred(20, "a run", ("conv2d_1",), (), ("Weights kept: Conv2D (layer 1)",))
    stage.session.events.emit((event,))
    assert stage.messages == ["Weights kept: Conv2D (layer 1)."]


def test_the_status_follows_a_run_that_was_extended(stage: Stage) -> None:
    stage.run()
    stage.session.events.emit((RecipeChanged(20, 2.0, "epochs", "8", "12"), progress(21, 3, epochs=12)))
    stage.session.show_state(State.PAUSED)
    assert "of 12" in stage.tool_bar.status_label.full_text
