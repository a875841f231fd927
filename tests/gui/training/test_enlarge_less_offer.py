"""A recipe that trains all layers of a pretrained network offers to enlarge small images less."""

from __future__ import annotations

from cnnstudio.design.adaptation import fit_to_data
from cnnstudio.design.small_images import enlarged_shape
from cnnstudio.design.templates import template
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.start_from.enlarge_less_offer import EnlargeLessOffer
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.layers.base import Shape
from cnnstudio.training.recipe.built_in import FEW_IMAGES, MANY_IMAGES, PRETRAINED
from cnnstudio.training.recipe.recipe import Recipe

LITE0 = template("efficientnet-lite0").network


class Stage:
    def __init__(self, recipe: Recipe, side: int = 32) -> None:
        self.project = Project(fit_to_data(LITE0, 10, Shape.of(3, side, side)))
        self.project.set_recipe(recipe)
        self.messages: list[Message] = []
        self.offer = EnlargeLessOffer(self.project, self.messages.append, self.project)

    @property
    def side(self) -> int:
        shape = enlarged_shape(self.project.network)
        assert shape is not None
        return shape.height


def test_choosing_the_recipe_offers_it_and_accepting_is_one_undo_step() -> None:
    stage = Stage(PRETRAINED)
    stage.project.set_recipe(MANY_IMAGES)
    (message,) = stage.messages
    assert "96 × 96" in message.text
    assert "160 × 160" in message.text
    assert message.button == "Enlarge to 96 × 96"
    assert message.holds is not None
    assert message.holds()
    assert message.action is not None
    message.action()
    assert stage.side == 96
    assert not message.holds()
    stage.project.undo_stack.undo()
    assert (stage.side, stage.project.recipe) == (160, MANY_IMAGES)


def test_it_is_offered_once_while_it_holds() -> None:
    stage = Stage(PRETRAINED)
    stage.project.set_recipe(MANY_IMAGES)
    stage.project.set_recipe(MANY_IMAGES.replace(epochs=12))
    assert len(stage.messages) == 1
    (message,) = stage.messages
    assert message.holds is not None
    stage.project.set_recipe(PRETRAINED)
    assert not message.holds()


def test_opening_the_template_with_the_recipe_chosen_offers_it_as_well() -> None:
    stage = Stage(MANY_IMAGES, 80)
    assert not stage.messages
    stage.project.open_network(fit_to_data(LITE0, 10, Shape.of(3, 32, 32)), None)
    assert len(stage.messages) == 1


def test_locked_layers_and_larger_images_keep_their_size() -> None:
    few = Stage(PRETRAINED)
    few.project.set_recipe(FEW_IMAGES)
    large = Stage(PRETRAINED, 80)
    large.project.set_recipe(MANY_IMAGES)
    assert not few.messages
    assert not large.messages
