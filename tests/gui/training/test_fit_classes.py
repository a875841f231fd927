"""The last layer of a pretrained design fits the classes of the data set by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnstudio.design import edits
from cnnstudio.design.adaptation import adapt_to_classes
from cnnstudio.design.network import Network
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.start_from.fit_classes import FitClasses
from cnnstudio.gui.widgets.message_bar import Message
from tests.training.networks import tiny

PRETRAINED = edits.set_weights(tiny(), "efficientnet-lite0")


class Stage:
    def __init__(self, network: Network) -> None:
        self.project = Project(network)
        self.messages: list[Message] = []
        self.fits = FitClasses(self.project, self.messages.append, self.project)

    @property
    def units(self) -> object:
        return getattr(self.project.network.nodes[-1].layer, "units", None)


def test_a_chosen_data_set_changes_the_last_layer_as_one_undo_step() -> None:
    stage = Stage(PRETRAINED)
    stage.project.set_dataset("photos", None, "Photos")
    assert stage.units == 3, "the number of classes is not known yet"
    stage.project.set_dataset("photos", 7, "Photos")
    assert stage.units == 7
    assert stage.messages[-1].text == "The last layer has 7 units now, one for each class of Photos."
    stage.project.undo_stack.undo()
    assert stage.units == 3, "an undo holds"
    stage.project.set_dataset("photos", 7, "Photos")
    assert stage.units == 3
    stage.project.set_dataset("others", 5)
    assert stage.units == 5


def test_undoing_a_step_with_another_data_set_brings_back_the_design_as_it_was() -> None:
    stage = Stage(tiny())
    stage.project.set_dataset("photos", 7)
    stage.project.open_network(PRETRAINED, Path("mine.cnn.json"))
    stage.project.edit("start anew", adapt_to_classes(PRETRAINED, 5), dataset="others")
    stack = stage.project.undo_stack
    stack.undo()
    assert stage.project.network is PRETRAINED
    assert (stack.count(), stack.index()) == (1, 0)
    stack.redo()
    assert stage.units == 5
    assert stage.messages == []


def test_a_design_that_is_opened_stays_as_it_is_until_another_data_set_is_chosen() -> None:
    stage = Stage(tiny())
    stage.project.set_dataset("photos", 7)
    stage.project.open_network(PRETRAINED, Path("mine.cnn.json"))
    assert stage.units == 3
    stage.project.edit("rename", edits.rename(stage.project.network, "Mine"))
    assert stage.units == 3
    stage.project.set_dataset("others", 5)
    assert stage.units == 5


@pytest.mark.parametrize("network", [tiny(), edits.set_weights(Network(), "efficientnet-lite0")])
def test_other_designs_are_not_changed(network: Network) -> None:
    stage = Stage(network)
    stage.project.set_dataset("photos", 7)
    assert stage.project.network is network
    assert stage.messages == []
