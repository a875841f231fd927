"""Unlocked layers of a pretrained network are offered a recipe that does not destroy them."""

from __future__ import annotations

import pytest

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.design.templates import template
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.start_from.fine_tune_offer import FineTuneOffer
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.training.recipe.built_in import FEW_IMAGES, FINE_TUNE, MANY_IMAGES, PRETRAINED, STUDIO
from cnnstudio.training.recipe.recipe import Recipe


class Stage:
    def __init__(self, network: Network, recipe: Recipe) -> None:
        self.project = Project(network)
        self.project.set_recipe(recipe)
        self.messages: list[Message] = []
        self.offer = FineTuneOffer(self.project, self.messages.append, self.project)

    def set_trainable(self, titles: tuple[str, ...], is_trainable: bool) -> None:
        network = self.project.network
        ids = [node.id for node in network.nodes if node.title in titles]
        assert len(ids) == len(titles)
        self.project.edit("unlock layers", edits.set_trainable(network, ids, is_trainable))


@pytest.fixture
def lite0() -> Network:
    return template("efficientnet-lite0").network


@pytest.mark.parametrize("recipe", [PRETRAINED, FEW_IMAGES, MANY_IMAGES], ids=lambda recipe: recipe.name)
def test_unlocking_layers_offers_fine_tune_once(lite0: Network, recipe: Recipe) -> None:
    stage = Stage(lite0, recipe)
    stage.set_trainable(("Stage 7",), True)
    stage.set_trainable(("Features",), True)
    (message,) = stage.messages
    assert recipe.name in message.text
    assert message.button == "Use fine-tune"
    assert message.holds is not None
    assert message.holds()
    assert message.action is not None
    message.action()
    assert stage.project.recipe == FINE_TUNE
    assert not message.holds()
    stage.project.undo_stack.undo()
    assert stage.project.recipe == recipe


def test_locking_them_again_takes_the_offer_back(lite0: Network) -> None:
    stage = Stage(lite0, PRETRAINED)
    stage.set_trainable(("Features",), True)
    (message,) = stage.messages
    assert message.holds is not None
    stage.set_trainable(("Features",), False)
    assert not message.holds()
    stage.set_trainable(("Features",), True)
    assert len(stage.messages) == 2


def test_choosing_such_a_recipe_for_unlocked_layers_offers_it_as_well(lite0: Network) -> None:
    stage = Stage(lite0, FINE_TUNE)
    stage.set_trainable(("Features",), True)
    assert not stage.messages
    stage.project.set_recipe(PRETRAINED)
    assert len(stage.messages) == 1


def test_a_last_layer_alone_and_networks_without_start_weights_need_no_other_recipe(lite0: Network) -> None:
    stage = Stage(lite0, PRETRAINED)
    stage.project.edit("rename", edits.rename(lite0, "Mine"))
    stage.project.open_network(template("lesson-32").network, None)
    stage.project.set_recipe(STUDIO)
    stage.project.set_recipe(PRETRAINED)
    assert not stage.messages
